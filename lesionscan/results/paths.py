"""Where the results of a film, and the page of a run, stand under an output folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lesionscan.files import PICTURE_BYTES, RECORD_BYTES, read_bounded
from lesionscan.results.atomic import remove, temporary_name, write_bytes

PAGE_NAME = "report.html"
FOLDER = "report"
"""Holds what the page needs."""
ASSETS_FOLDER = f"{FOLDER}/page"
"""How the page looks and works: the same for every run."""
FILMS_FOLDER = f"{FOLDER}/films"
"""What it shows of each film."""
INDEX = f"{FOLDER}/index.js"
"""The list of all films."""

_ENDINGS = {
    "record": ".json",
    "overlay": ".overlay.png",
    "labels": ".labels.png",
    "bone": ".bone.png",
    "nrrd": ".seg.nrrd",
    "dicom_sr": ".sr.dcm",
    "dicom_seg": ".seg.dcm",
}
_PAGE_ENDINGS = {
    "view": ".page.js",
    "film": ".page.jpg",
    "thumbnail": ".page-s.jpg",
    "exported": ".exports.json",
}
ENDINGS = {**_ENDINGS, **_PAGE_ENDINGS}
"""What is put behind a film's name, by what it is; nothing else may take such a name."""
PICTURES = ("labels", "bone", "overlay", "view", "film", "thumbnail")
"""Those whose hashes stand in the JSON, as `labels_sha256` and so on."""
EXPORTS = ("nrrd", "dicom_sr", "dicom_seg")
"""Those for other programs."""


@dataclass(frozen=True, slots=True)
class ResultPaths:
    """Where one film's results stand."""

    out: Path
    record: Path
    overlay: Path
    labels: Path
    bone: Path
    view: Path
    film: Path
    thumbnail: Path
    nrrd: Path
    dicom_sr: Path
    dicom_seg: Path
    exported: Path

    @property
    def pictures(self) -> dict[str, Path]:
        """Return those whose hashes stand in the JSON: pictures, and what the page needs."""
        return {kind: getattr(self, kind) for kind in PICTURES}

    @property
    def exports(self) -> dict[str, Path]:
        """Return those for other programs, which are only made on request."""
        return {kind: getattr(self, kind) for kind in EXPORTS}

    @property
    def beside_record(self) -> tuple[Path, ...]:
        """Return all but the JSON."""
        return *self.pictures.values(), self.exported, *self.exports.values()

    @classmethod
    def of(cls, out: Path, name: str) -> "ResultPaths":
        """Return the paths for a film's name under the output folder."""
        base, page = (folder / PurePosixPath(name) for folder in (out, out / FILMS_FOLDER))
        return cls(
            out=out,
            **{part: base.with_name(base.name + ending) for part, ending in _ENDINGS.items()},
            **{part: page.with_name(page.name + ending) for part, ending in _PAGE_ENDINGS.items()},
        )

    @classmethod
    def beside(cls, record: Path) -> "ResultPaths":
        """Return the paths of the film whose JSON stands at a path, the page's apart."""
        return cls.of(record.parent, record.name.removesuffix(_ENDINGS["record"]))


@contextmanager
def probe(out: Path) -> Iterator[Path]:
    """Write a small file into the output folder, and remove it again.

    Raises
    ------
    lesionscan.results.atomic.OutputError
        When that cannot be done.
    """
    path = out / temporary_name()
    write_bytes(path, b"", within=out)
    try:
        yield path
    finally:
        remove(path, within=out)


def read_file(path: Path) -> bytes | None:
    """Read one of a film's results; None where there is none, or it cannot be one.

    Parameters
    ----------
    path
        Where it would stand. A pipe or a device there is not waited for.
    """
    most = RECORD_BYTES if path.suffix == ".json" else PICTURE_BYTES
    try:
        return read_bounded(path, max_bytes=most)
    except OSError:
        return None


class FolderListing:
    """Says which files are there from a listing of their folder: results come folder by folder."""

    def __init__(self) -> None:
        self._names: dict[Path, frozenset[str]] = {}

    def holds(self, path: Path) -> bool:
        """Say whether a file is there."""
        folder = path.parent
        if folder not in self._names:
            if len(self._names) > 1:  # one of the results, one of the page
                self._names.clear()
            self._names[folder] = _listed(folder)
        # a listing of a network's file system may be old
        return path.name in self._names[folder] or path.is_file()


def _listed(folder: Path) -> frozenset[str]:
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if entry.is_file())
    except OSError:
        return frozenset()
