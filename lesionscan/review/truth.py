"""Write a truth folder from reviewed films, for `lesionscan evaluate` and for training.

A film is included if its review is complete: it is reviewed, no candidate is unsure, and no shown
candidate is undecided. Everything that is neither accepted nor outlined is then not a lesion. The
program's bone masks are not included, since they were not reviewed.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionscan.files import (
    INDEX_BYTES,
    PICTURE_BYTES,
    open_ordinary,
    parse_json,
    read_bounded,
    sha256_of_file,
)
from lesionscan.png import encode_png
from lesionscan.results.labels import LabelsError, read_labels
from lesionscan.results.own_files import NotOwnError, OwnFiles
from lesionscan.results.paths import ResultPaths
from lesionscan.results.sealed import sha256_of
from lesionscan.review.applied import ReviewedFilm
from lesionscan.review.outline import DrawnOn, lesion_mask, outlined
from lesionscan.review.record import ReviewError
from lesionscan.review.truth_names import image_ending
from lesionscan.truth_names import LESIONS_ENDING


@dataclass(slots=True)
class ReviewedTruth:
    """Content of a truth folder, and reviewed films that are not in it.

    Attributes
    ----------
    entries
        Entries of the index, in the order of the results' names.
    left_out
        Names of reviewed films whose review is incomplete, and the reasons.
    missing
        Names of films whose file or labels picture is missing or was changed, and the reasons.
    """

    entries: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)

    @property
    def lesions(self) -> int:
        """Number of lesions in the truth folder."""
        return sum(entry["lesions"] for entry in self.entries)


@dataclass(frozen=True, slots=True)
class TruthSource:
    """Sources of the films of a truth folder.

    Attributes
    ----------
    results
        The results folder.
    films
        The folder that was scanned.
    names
        Name in the truth folder of every file of the run.
    """

    results: Path
    films: Path
    names: Mapping[str, str]


class _UnusableError(Exception):
    """Raised with the reason why a film that qualifies cannot be in the truth."""


def write_truth(
    films: Sequence[ReviewedFilm], source: TruthSource, own: OwnFiles, out: Path
) -> ReviewedTruth:
    """Write a truth folder, and replace that of an earlier review.

    Parameters
    ----------
    films
        Those whose review matches their result.
    source
        Where they come from.
    own
        Writes and removes the files.
    out
        The truth folder.

    Raises
    ------
    lesionscan.review.record.ReviewError
        If `out` holds a truth folder that is not from a review.
    lesionscan.results.atomic.OutputError
        If it cannot be written.
    """
    truth = ReviewedTruth()
    before = _indexed_files(own, out)
    own.remove(out / "index.json")  # there must be no index while the films change
    for film in films:
        if not film.review.reviewed:
            continue
        doubt = _incomplete(film)
        if doubt:
            truth.left_out.append((film.name, doubt))
            continue
        try:
            truth.entries.append(_write_film(film, source, own, out))
        except _UnusableError as error:
            truth.missing.append((film.name, str(error)))
    kept = {path for entry in truth.entries for path in _files_of(entry)}
    for path in sorted(before - kept):
        own.remove(out / path)
    if truth.entries:
        text = json.dumps(truth.entries, indent=1, ensure_ascii=False) + "\n"
        own.write(out / "index.json", text.encode("utf-8"))
    return truth


def decided_lesions(
    films: Sequence[ReviewedFilm],
) -> tuple[dict[str, tuple[frozenset[int], int]], list[tuple[str, str]]]:
    """Return the lesions of reviewed films, without their outlines.

    Parameters
    ----------
    films
        Those whose review matches their result.

    Returns
    -------
    lesions : dict
        By the name of a film's results: ids of the candidates that are lesions, and the number of
        lesions that no candidate marks.
    left_out : list
        Names of reviewed films whose review is incomplete, and the reasons.
    """
    lesions: dict[str, tuple[frozenset[int], int]] = {}
    left_out: list[tuple[str, str]] = []
    for film in films:
        if not film.review.reviewed:
            continue
        if doubt := _incomplete(film):
            left_out.append((film.name, doubt))
        else:
            lesions[film.name] = frozenset(film.decided("accepted")), len(film.review.missed)
    return lesions, left_out


def _incomplete(film: ReviewedFilm) -> str:
    """Return why the review of a film is incomplete; "" if it is complete."""
    if film.frames > 1:
        return f"its file has {film.frames} pictures; truth folders only take files with one"
    if film.drawn_on is None:
        return "it could not be read"
    shape = film.drawn_on.shape
    if not all(outlined(one.outline_px, shape).any() for one in film.review.missed):
        return "an outline of a missed lesion encloses no pixel; draw it again"
    unsure = film.decided("unsure")
    if unsure:
        return f"unsure about candidate {_numbers(unsure)}"
    undecided = [number for number in film.shown if str(number) not in film.review.candidates]
    return f"no decision about candidate {_numbers(undecided)}, shown" if undecided else ""


def _numbers(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids))


def _write_film(
    film: ReviewedFilm, source: TruthSource, own: OwnFiles, out: Path
) -> dict[str, Any]:
    name = source.names[film.file]
    accepted = film.decided("accepted")
    mask, facts = _mask(film, accepted, source.results)
    path = source.films / film.file
    image = f"images/{name}{image_ending(film.file) or _ending_by_content(path)}"
    if _sha256(path) != film.sha256:
        raise _UnusableError(f"{path} is not the file that was scanned")
    # resolved, since a relative link would not work from another folder
    own.link_or_copy(path.resolve(), out / image)
    own.write(out / "masks" / f"{name}{LESIONS_ENDING}", encode_png(mask))
    entry: dict[str, Any] = {
        "name": name,
        "file": image,
        "result": film.name,
        "kind": "lytic" if facts else "normal",
        "lesions": len(facts),
        "lesion_facts": facts,
    }
    return entry if film.body_part is None else {**entry, "body_part": film.body_part}


def _mask(
    film: ReviewedFilm, accepted: Sequence[int], results: Path
) -> tuple[NDArray[np.uint16], list[dict[str, Any]]]:
    """Return a film's label image, and the fact about each label."""
    if film.drawn_on is None:
        raise _UnusableError("it could not be read")
    mask = np.zeros(film.drawn_on.shape, np.uint16)
    if accepted:
        labels = _labels(
            ResultPaths.of(results, film.name).labels, film.labels_sha256, film.drawn_on
        )
        for label, number in enumerate(accepted, start=1):
            mask[labels == number] = label
    drawn = [outlined(one.outline_px, film.drawn_on.shape) for one in film.review.missed]
    mask = lesion_mask(mask, drawn)
    lesions = int(np.unique(mask[mask > 0]).size)
    of_candidates = [*accepted, *[None] * (lesions - len(accepted))]
    return mask, [
        {"label": label, "candidate_id": number}
        for label, number in enumerate(of_candidates, start=1)
    ]


def _labels(path: Path, sha256: str | None, film: DrawnOn) -> NDArray[np.uint16]:
    try:
        data = read_bounded(path, max_bytes=PICTURE_BYTES)
    except OSError as error:
        raise _UnusableError(f"{path} cannot be read ({error.strerror}); scan again") from error
    changed = _UnusableError(f"{path} was changed after the scan; scan again")
    if sha256_of(data) != sha256:
        raise changed
    try:
        labels = read_labels(path, data)
    except LabelsError as error:
        raise changed from error
    if labels.shape != film.shape:
        raise changed
    return labels


def _sha256(path: Path) -> str:
    try:
        return sha256_of_file(path)
    except OSError as error:
        raise _UnusableError(
            f"{path} cannot be read ({error.strerror}); name the scanned folder (--films)"
        ) from error


def _ending_by_content(path: Path) -> str:
    """Return the ending of a film's file type, if its name has none that truth folders allow."""
    head = b""
    with suppress(OSError), open_ordinary(path) as stream:  # reported when it is hashed
        head = stream.read(4)
    for magic, ending in ((b"\x89PNG", ".png"), (b"\xff\xd8\xff", ".jpg")):
        if head.startswith(magic):
            return ending
    return ".tif" if head[:2] in {b"II", b"MM"} else ".dcm"


def _indexed_files(own: OwnFiles, folder: Path) -> set[str]:
    """Return the files of an earlier truth folder of a review; none if there is none.

    Raises
    ------
    lesionscan.review.record.ReviewError
        If the truth folder there is not from a review; it must not be overwritten.
    """
    index = folder / "index.json"
    try:
        own.check([index.relative_to(own.out).as_posix()])
        # unchanged since it was written, so it has the form that `write_truth` writes
        entries = parse_json(read_bounded(index, max_bytes=INDEX_BYTES))
    except NotOwnError as error:
        raise ReviewError(
            f"{folder} holds truth that is not from a review; name another --out"
        ) from error
    except FileNotFoundError:
        return set()
    return {path for entry in entries for path in _files_of(entry)}


def _files_of(entry: Mapping[str, Any]) -> tuple[str, str]:
    # names without folders: the index must not refer to files elsewhere
    image, name = PurePosixPath(entry["file"]).name, PurePosixPath(entry["name"]).name
    return f"images/{image}", f"masks/{name}{LESIONS_ENDING}"
