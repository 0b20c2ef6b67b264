"""Find the films of files, folders, patterns, DICOMDIRs and lists, and name their results.

Names:

- Films in a folder are named relative to it ("a/knee.dcm"). So are the films of a pattern
  ("films/**/*.dcm": relative to "films"), of a DICOMDIR (to its folder) and of a list (to the
  folder that all its files share).
- A film given on the command line has its file name ("knee.dcm").
- With several inputs, the name of the folder is prepended ("films/a/knee.dcm"), as if all inputs
  had been copied into one folder. Names therefore do not depend on the other films.
- If two films still share a name, parent folders are prepended until the names differ.
"""

import glob
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from lesionscan.reading import looks_like_image
from lesionscan.results.names import is_result_name
from lesionscan.results.paths import ENDINGS
from lesionscan.truth_names import BONES_ENDING, LESIONS_ENDING

OWN_PRODUCTS = (
    *(ending for ending in ENDINGS.values() if ending.endswith((".png", ".jpg", ".dcm"))),
    *(LESIONS_ENDING, BONES_ENDING),
)
"""Endings of lesionscan's own files and of truth masks, which are not films."""

_RESERVED = re.compile(
    r"run(\.shard-\d+-of-\d+)?|review|coco(_results)?|"
    r"(run\.json|review\.json|report\.html|coco(_results)?\.json|run\.shard-.*)/.*|"
    r"(images|candidates)\.(csv|parquet)/.*|"
    r"report/(index\.js|page/[^/]+\.(css|js))/.*",
    re.DOTALL,
)
"""Names whose JSON or folder would collide with a file about the run."""

_RESULT_AS_FOLDER = re.compile(rf"(.+?)({'|'.join(map(re.escape, ENDINGS.values()))})/", re.DOTALL)
"""Names whose folder may collide with a result of another film."""

_PAGE = re.compile(r"(.+)\.frame\d{3,}")
"""Names of the results of a file with several images (`record.result_name`)."""


class InputError(Exception):
    """Inputs that cannot be scanned; the message names the input and the remedy."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """One input file; small, because there may be 100,000.

    Attributes
    ----------
    root
        The folder in which it was found.
    place
        Path relative to that folder, in the style of the system.
    name
        Name of its results, POSIX style.
    """

    root: Path
    place: str
    name: str

    @property
    def path(self) -> Path:
        """Path of the file."""
        return self.root / self.place


@dataclass(frozen=True, slots=True)
class Discovery:
    """Input files found.

    Attributes
    ----------
    films
        The files in a stable order, without duplicates.
    skipped
        Number of other files in the folders (not an image, hidden, or lesionscan's results).
    unlistable
        Names of folders that could not be listed.
    """

    films: tuple[InputFile, ...]
    skipped: int
    unlistable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Root:
    """A folder with films, and the names of its real parent folders, ending with its own."""

    path: Path
    parents: tuple[str, ...]

    @classmethod
    def of(cls, path: Path) -> "_Root":
        return cls(path, path.resolve().parts[1:])


@dataclass(slots=True)
class _Found:
    """A film whose name has `used` parent folders prepended so far."""

    root: _Root
    place: str
    used: int

    def name(self) -> str:
        if not self.used and os.sep == "/" and self.place.isprintable():
            return self.place  # no copy, because there may be many
        parents = self.root.parents[len(self.root.parents) - self.used :]
        return _printable("/".join((*parents, *_parts(self.place))))


@dataclass(slots=True)
class _Walk:
    """Result of walking a folder."""

    places: list[str]
    skipped: int
    unlistable: list[str]


def discover(inputs: Sequence[Path], *, out: Path, listed: Sequence[Path] = ()) -> Discovery:
    """Find the films of files, folders, patterns, DICOMDIRs, and of a list.

    Parameters
    ----------
    inputs
        Folders are walked recursively in sorted order, including links, each real folder once.
        Files are always included; a file called DICOMDIR stands for the images that it names. A
        path that does not exist and contains `*`, `?` or `[` is a pattern, in which `**` matches
        folders of any depth.
    out
        The output folder, which is skipped inside an input.
    listed
        Files of a list; always included, even if they do not exist, so that a missing film does
        not end a large run.

    Raises
    ------
    InputError
        If an input does not exist or no film is found.
    """
    found: list[_Found] = []
    skipped, unlistable = 0, []
    alone = len(inputs) + bool(listed) == 1
    for path in inputs:
        if path.is_dir():
            root, walk = _Root.of(path), _walk(path, out.resolve())
            skipped += walk.skipped
            unlistable += walk.unlistable
            places: Iterable[str] = walk.places
        elif path.name.upper() == "DICOMDIR" and path.is_file():
            root, places = _Root.of(path.parent), _directory_records(path)
        elif path.exists():
            found.append(_Found(_Root.of(path.parent), path.name, 0))
            continue
        elif glob.has_magic(str(path)):
            folder, places = _matching(path, out.resolve())
            root = _Root.of(folder)
        else:
            raise InputError(f"input {path} does not exist; check the path")
        used = 0 if alone else min(1, len(root.parents))
        found += [_Found(root, place, used) for place in places]
    found += _listed(listed, used=0 if alone else 1)
    films = _name(found if alone else list(_once(found)))
    if not films:
        raise InputError(
            f"no radiograph found in {', '.join(str(path) for path in inputs) or 'the list'} "
            f"({skipped} other files skipped); DICOM, PNG, JPEG and TIFF files are read"
        )
    return Discovery(films, skipped, tuple(unlistable))


def _walk(root: Path, out: Path) -> _Walk:
    """Walk a folder iteratively, because folders may be nested deeper than Python's stack."""
    walk = _Walk([], 0, [])
    seen = {_identity(out)} if out.is_dir() and not out.samefile(root) else set()
    links = [(str(root), "")]  # each folder with the prefix of the paths in it
    while links:  # links last, so that films are named after their real folders
        pending = [links.pop(0)]
        while pending:
            folder, prefix = pending.pop()
            try:
                identity = _identity(folder)
                with os.scandir(folder) as listing:
                    entries = sorted(listing, key=lambda entry: entry.name)
            except OSError:  # not permitted, or the path is too long
                walk.unlistable.append(_printable(Path(folder).name))
                continue
            if identity in seen:
                continue
            seen.add(identity)
            subfolders: list[tuple[str, str]] = []
            for entry in entries:
                place = prefix + entry.name
                if not _is_folder(entry):
                    if _is_film(entry):
                        walk.places.append(place)
                    else:
                        walk.skipped += 1
                elif not entry.name.startswith("."):
                    (links if entry.is_symlink() else subfolders).append(
                        (entry.path, place + os.sep)
                    )
            pending += reversed(subfolders)
    walk.places.sort(key=_parts)
    return walk


def _identity(folder: Path | str) -> tuple[int, int] | str:
    """Return an identifier of a folder that does not depend on its path."""
    status = os.stat(folder)  # noqa: PTH116 - no object per folder
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(folder)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a circular link
        return False


def _parts(place: str) -> tuple[str, ...]:
    return PurePath(place).parts


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 - False, not an error, for a name too long


def _is_film(file: Path | os.DirEntry[str]) -> bool:
    name = file.name.lower()
    if name.startswith(".") or name.endswith(OWN_PRODUCTS):
        return False
    return looks_like_image(Path(file))


def _directory_records(path: Path) -> list[str]:
    """Return the paths of the images in a DICOMDIR, relative to its folder."""
    # imported here, because nothing else in this module needs pydicom
    from lesionscan.reading.dicom_directory import UnreadableDirectoryError, image_places

    try:
        places = set(image_places(path))
    except UnreadableDirectoryError as error:
        raise InputError(f"input {path}: {error}; scan its folder instead") from error
    # other names are not valid for results, such as "." and names with a null character
    return sorted(filter(is_result_name, places), key=_parts)


def _matching(pattern: Path, out: Path) -> tuple[Path, list[str]]:
    """Return the folder before the first wildcard, and the matching films in it."""
    fixed = 0
    while not glob.has_magic(pattern.parts[fixed]):
        fixed += 1
    if ".." in pattern.parts[fixed:]:
        raise InputError(f"input {pattern}: do not use .. after a wildcard")
    folder = Path(*pattern.parts[:fixed])
    under = PurePath(*pattern.parts[fixed:])
    # "films/**" alone matches folders only
    found = folder.glob(str(under / "*" if under.name == "**" else under))
    places = [
        str(path.relative_to(folder))
        for path in found
        if _is_file(path) and _is_film(path) and not path.resolve().is_relative_to(out)
    ]
    if not any(part.startswith(".") for part in under.parts):  # hidden folders are not entered
        places = [place for place in places if not any(p.startswith(".") for p in _parts(place))]
    if not places:
        raise InputError(f"input {pattern}: no radiograph matches; check the pattern")
    return folder, sorted(set(places), key=_parts)


def _listed(paths: Sequence[Path], *, used: int) -> Iterator[_Found]:
    """Yield the films of a list, named relative to their common folder."""
    # not resolved, because a link counts as a separate film
    places = sorted({os.path.abspath(path) for path in paths}, key=_parts)  # noqa: PTH100
    if not places:
        return
    for place in places:
        if os.path.isdir(place):  # noqa: PTH112 - False, not an error, for a name too long
            raise InputError(f"the list names a folder, {place}; list files, or scan the folder")
    try:
        folder = os.path.commonpath([Path(place).parent for place in places])
    except ValueError as error:  # Windows
        raise InputError("the list names files on several drives; scan one after the other") from (
            error
        )
    root = _Root.of(Path(folder))
    for place in places:
        yield _Found(root, os.path.relpath(place, folder), min(used, len(root.parents)))


def _once(found: Iterable[_Found]) -> Iterator[_Found]:
    """Yield each file once: two paths to one file are the same, two links to one file are not.

    Links are not followed, because data stores such as git-annex keep equal files as links to one
    object, and each link is a separate film.
    """
    seen: set[str] = set()
    real: dict[str, str] = {}
    for film in found:
        folder, name = os.path.split(film.root.path / film.place)
        place = str(Path(real.setdefault(folder, os.path.realpath(folder)), name))
        if place not in seen:
            seen.add(place)
            yield film


def _name(found: Sequence[_Found]) -> tuple[InputFile, ...]:
    while True:
        names = Counter(film.name() for film in found)
        clashing = [
            film
            for film in found
            if (names[film.name()] > 1 or _is_reserved(film.name(), names))
            and film.used < len(film.root.parents)
        ]
        if not clashing:
            break
        for film in clashing:
            film.used += 1
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise InputError(f"two inputs share the name {twice[0]}; scan them one after the other")
    return tuple(InputFile(film.root.path, film.place, film.name()) for film in found)


def _is_reserved(name: str, names: Mapping[str, int]) -> bool:
    """Return whether the results of a film would collide with a summary or another result."""
    if _RESERVED.fullmatch(name):
        return True
    others = (_PAGE.fullmatch(name), _RESULT_AS_FOLDER.match(name))
    return any(other is not None and other[1] in names for other in others)


def _printable(name: str) -> str:
    r"""Escape bytes of a name that are not UTF-8 as "\udcff", for output in any format."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")
