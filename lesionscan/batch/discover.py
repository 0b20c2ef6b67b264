"""Paths and folders -> a stable list of films, each with the name its results will have.

Names:

- one folder: its films are named relative to it ("a/knee.dcm");
- a film named on the command line: its file name ("knee.dcm");
- several inputs: a folder's films carry the folder's own name in front ("films/a/knee.dcm"), as
  if all inputs had been copied into one folder, so that a name does not depend on what else is in
  the folders;
- where two films would still share a name, folders are put in front, one more at a time, until
  they differ.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lesionscan.reading import looks_like_image

OWN_PRODUCTS = (".overlay.png", ".labels.png", ".lesions.png", ".bone.png", ".bones.png")
"""Pictures that lesionscan writes, and truth masks: never films when found in a folder."""

_RESERVED = frozenset({"run"})
"""A film of this name would put its JSON where the summary run.json stands."""

_PAGE = re.compile(r"(.+)\.frame\d{3,}")
"""How the results of one picture of a file with several are named (`records.result_name`)."""


class InputError(Exception):
    """Inputs that cannot be scanned; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class Film:
    """One input file.

    Attributes
    ----------
    path
        Where it is.
    name
        Name relative to the scanned folder, POSIX style; its results stand under this name.
    """

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found.

    Attributes
    ----------
    films
        In a stable order, each file once.
    skipped
        Number of other files in the folders (not an image, hidden, or our own results).
    unlistable
        Names of folders that could not be listed.
    """

    films: tuple[Film, ...]
    skipped: int
    unlistable: tuple[str, ...]


@dataclass(slots=True)
class _Found:
    """A film whose name is not settled: `parents` folders of its path are part of it."""

    path: Path
    parts: tuple[str, ...]
    parents: tuple[str, ...]
    used: int

    def name(self) -> str:
        front = self.parents[len(self.parents) - self.used :]
        return _printable(str(PurePosixPath(*front, *self.parts)))


@dataclass(slots=True)
class _Walk:
    """What walking one folder gives."""

    films: list[tuple[str, ...]]
    skipped: int
    unlistable: list[str]

    def note(self, error: OSError) -> None:
        """Keep the name of a folder that could not be listed."""
        self.unlistable.append(_printable(Path(error.filename).name))


def discover(inputs: Sequence[Path], *, out: Path) -> Discovery:
    """List the films of files and folders.

    Parameters
    ----------
    inputs
        Files and folders. Folders are walked to the bottom in sorted order, links included, each
        real folder once. A file named here is always taken.
    out
        The output folder; it is not walked where it lies inside an input.

    Raises
    ------
    InputError
        When an input does not exist or no film is found.
    """
    for path in inputs:
        if not path.exists():
            raise InputError(f"input {path} does not exist; check the path")
    found: list[_Found] = []
    skipped, unlistable = 0, []
    for path in inputs:
        parents = path.resolve().parts[1:]
        if path.is_dir():
            walk = _walk(path, out.resolve())
            used = 0 if len(inputs) == 1 else min(1, len(parents))
            found += [_Found(path.joinpath(*parts), parts, parents, used) for parts in walk.films]
            skipped += walk.skipped
            unlistable += walk.unlistable
        else:
            found.append(_Found(path, (path.name,), parents[:-1], 0))
    films = _name(_once(found))
    if not films:
        raise InputError(
            f"no radiograph found in {', '.join(str(path) for path in inputs)} "
            f"({skipped} other files skipped); DICOM, PNG, JPEG and TIFF files are read"
        )
    return Discovery(films, skipped, tuple(unlistable))


def _walk(root: Path, out: Path) -> _Walk:
    walk = _Walk([], 0, [])
    seen: set[Path] = set()
    links = [root]
    while links:  # linked folders last, so that a film's name is that of its real place
        for folder, subfolders, files in os.walk(links.pop(0), onerror=walk.note):
            here = Path(folder)
            real = here.resolve()
            if real in seen:
                subfolders.clear()
                continue
            seen.add(real)
            subfolders.sort()
            walked = [name for name in subfolders if _is_walked(here / name, out)]
            links += [here / name for name in walked if (here / name).is_symlink()]
            subfolders[:] = walked
            parts = here.relative_to(root).parts
            films = [name for name in files if _is_film(here / name)]
            walk.films += [(*parts, name) for name in films]
            walk.skipped += len(files) - len(films)
    walk.films.sort()
    return walk


def _is_walked(folder: Path, out: Path) -> bool:
    return not folder.name.startswith(".") and folder.resolve() != out


def _is_film(path: Path) -> bool:
    name = path.name.lower()
    if name.startswith(".") or name.endswith(OWN_PRODUCTS):
        return False
    return looks_like_image(path)


def _once(found: Sequence[_Found]) -> Iterator[_Found]:
    """Yield each file once: two ways to one place are one file, two links to one file are two.

    Links are not followed here, because data stores (git-annex) keep equal files as links to one
    object, and each of them is a film of its own.
    """
    seen: set[Path] = set()
    for film in found:
        place = film.path.parent.resolve() / film.path.name
        if place not in seen:
            seen.add(place)
            yield film


def _name(found: Iterator[_Found]) -> tuple[Film, ...]:
    films = list(found)
    while True:
        names = Counter(film.name() for film in films)
        clashing = [
            film
            for film in films
            if (names[film.name()] > 1 or _is_reserved(film.name(), names))
            and film.used < len(film.parents)
        ]
        if not clashing:
            break
        for film in clashing:
            film.used += 1
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise InputError(f"two inputs share the name {twice[0]}; scan them one after the other")
    return tuple(Film(film.path, film.name()) for film in films)


def _is_reserved(name: str, names: Mapping[str, int]) -> bool:
    """Say whether a film's results would stand where others do: a summary's, or another's page."""
    page = _PAGE.fullmatch(name)
    return name in _RESERVED or (page is not None and page[1] in names)


def _printable(name: str) -> str:
    r"""Write bytes of a name that are no UTF-8 as "\udcff", so that every output can hold it."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")
