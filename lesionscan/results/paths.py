"""Paths of the results of a film and of the report in an output folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lesionscan.files import PICTURE_BYTES, RECORD_BYTES, read_bounded
from lesionscan.results.atomic import remove, temporary_name, write_bytes

PAGE_NAME = "report.html"
FOLDER = "report"
"""Folder of the report's files."""
ASSETS_FOLDER = f"{FOLDER}/page"
"""Style and scripts of the report, the same for every run."""
FILMS_FOLDER = f"{FOLDER}/films"
"""Data and images of the films in the report."""
INDEX = f"{FOLDER}/index.js"
"""List of all films."""

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
"""Endings appended to the name of a film, by kind; reserved for results."""
PICTURES = ("labels", "bone", "overlay", "view", "film", "thumbnail")
"""Kinds whose hashes are in the JSON, as `labels_sha256` and so on."""
EXPORTS = ("nrrd", "dicom_sr", "dicom_seg")
"""Kinds for other programs."""


@dataclass(frozen=True, slots=True)
class ResultPaths:
    """Paths of the results of a film."""

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
        """Paths of the kinds in `PICTURES`."""
        return {kind: getattr(self, kind) for kind in PICTURES}

    @property
    def exports(self) -> dict[str, Path]:
        """Paths of the kinds in `EXPORTS`, which are only written on request."""
        return {kind: getattr(self, kind) for kind in EXPORTS}

    @classmethod
    def of(cls, out: Path, name: str) -> "ResultPaths":
        """Return the paths for the name of a film in an output folder."""
        base, page = (folder / PurePosixPath(name) for folder in (out, out / FILMS_FOLDER))
        return cls(
            out=out,
            **{part: base.with_name(base.name + ending) for part, ending in _ENDINGS.items()},
            **{part: page.with_name(page.name + ending) for part, ending in _PAGE_ENDINGS.items()},
        )

    @classmethod
    def beside(cls, record: Path) -> "ResultPaths":
        """Return the paths for the JSON of a film; those of the report are not valid."""
        return cls.of(record.parent, record.name.removesuffix(_ENDINGS["record"]))


@contextmanager
def probe(out: Path) -> Iterator[Path]:
    """Write an empty file into the output folder, yield its path, and remove it.

    Raises
    ------
    lesionscan.results.atomic.OutputError
        If it cannot be written or removed.
    """
    path = out / temporary_name()
    write_bytes(path, b"", within=out)
    try:
        yield path
    finally:
        remove(path, within=out)


def read_file(path: Path) -> bytes | None:
    """Read a result file; None if it is missing, too large, or not a regular file."""
    limit = RECORD_BYTES if path.suffix == ".json" else PICTURE_BYTES
    try:
        return read_bounded(path, max_bytes=limit)
    except OSError:
        return None


class FolderListing:
    """Check for files with one listing per folder; results are sorted by folder."""

    def __init__(self) -> None:
        self._names: dict[Path, frozenset[str]] = {}

    def holds(self, path: Path) -> bool:
        """Return whether a file exists."""
        folder = path.parent
        if folder not in self._names:
            if len(self._names) > 1:  # a folder of results, and one of the report
                self._names.clear()
            self._names[folder] = _file_names(folder)
        # the listing of a network file system may be outdated
        return path.name in self._names[folder] or path.is_file()


def _file_names(folder: Path) -> frozenset[str]:
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if entry.is_file())
    except OSError:
        return frozenset()
