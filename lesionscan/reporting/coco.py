"""Export a run as COCO, the format of most tools for detection and segmentation.

Two files: `coco.json`, a dataset (pictures and annotations, as CVAT and FiftyOne import it), and
`coco_results.json`, the list of detections that COCO's own evaluation takes (`COCO.loadRes`).
Masks are exact: the pixels of the labels picture, run-length encoded. Films are written one by one,
and only their names and sizes are kept in memory.

References
----------
Lin et al., ECCV 2014:740; the formats as on cocodataset.org, the encoding of run lengths as in
`maskApi.c` of the COCO API.
"""

import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TextIO, TypeAlias

import numpy as np

from lesionscan import __version__
from lesionscan.results.labels import Box, Labels, candidate_boxes
from lesionscan.results.own_files import OwnFiles
from lesionscan.results.record import DISCLAIMER, ResultRecord

LabelledResult: TypeAlias = tuple[ResultRecord, Labels | None]
"""A film's result and its label image; None for a film that failed."""

CATEGORY = {"id": 1, "name": "lytic lesion candidate"}


@dataclass(frozen=True, slots=True)
class CocoPaths:
    """Paths of the two files."""

    dataset: Path
    results: Path

    @classmethod
    def of(cls, out: Path) -> "CocoPaths":
        """Return the paths under the output folder."""
        return cls(dataset=out / "coco.json", results=out / "coco_results.json")


class _Items:
    """Write the items of a JSON list one by one, each on a line.

    Parameters
    ----------
    stream
        The output; the caller writes the list's brackets.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.count = 0

    def write(self, item: Mapping[str, Any]) -> None:
        """Write one item."""
        # ASCII, since the COCO API opens files in the encoding of the locale
        self._stream.write(f"{',' if self.count else ''}\n{json.dumps(item)}")
        self.count += 1


def write_coco(own: OwnFiles, films: Iterable[LabelledResult]) -> CocoPaths:
    """Write all listed candidates of a run as a COCO dataset and as COCO detections.

    Parameters
    ----------
    own
        Writes files of the output folder.
    films
        The films in order, consumed one at a time. Failed films are left out: they have no size.

    Returns
    -------
    CocoPaths
        Paths of the files.

    Raises
    ------
    lesionscan.results.labels.LabelsError
        If a film's label image does not match its JSON.
    lesionscan.results.atomic.OutputError
        If a file cannot be written.
    """
    paths = CocoPaths.of(own.out)
    images: list[dict[str, Any]] = []
    used: set[str] = set()
    with own.open_text(paths.dataset) as dataset, own.open_text(paths.results) as results:
        dataset.write(
            f'{{"info": {json.dumps(_info())},\n"licenses": [],\n'
            f'"categories": {json.dumps([CATEGORY])},\n"annotations": ['
        )
        results.write("[")
        annotations, detections = _Items(dataset), _Items(results)
        for result, labels in films:
            if labels is None or result.status != "ok":
                continue
            images.append(_image(len(images) + 1, result, _picture_name(result, used)))
            for found in _found(result, labels):
                about = {"image_id": len(images), "category_id": CATEGORY["id"]}
                annotations.write({"id": annotations.count + 1, **about, **found})
                # with a box, COCO would use the area of the box for that of the candidate
                part = {name: found[name] for name in ("segmentation", "score")}
                detections.write({**about, **part})
        results.write("\n]\n")
        dataset.write('\n],\n"images": [')
        pictures = _Items(dataset)
        for image in images:
            pictures.write(image)
        dataset.write("\n]}\n")
    return paths


def _info() -> dict[str, str]:
    return {
        "description": f"{CATEGORY['name']}s found by lesionscan. {DISCLAIMER}",
        "version": __version__,
        "disclaimer": DISCLAIMER,
    }


def _picture_name(result: ResultRecord, used: set[str]) -> str:
    """Return the file name of a film, with the frame number if the file has several.

    datumaro (CVAT's importer) uses the name without its ending as the id of a picture, and refuses
    duplicates. The ending is therefore put after the frame number, and repeated if names differ
    only in their endings.
    """
    source = result.input
    ending = PurePosixPath(source.file).suffix or ".dcm"
    name = result.name + (ending if source.frames > 1 else "")
    while posixpath.splitext(name)[0] in used:
        name += ending
    used.add(posixpath.splitext(name)[0])
    return name


def _image(number: int, result: ResultRecord, name: str) -> dict[str, Any]:
    return {
        "id": number,
        "file_name": name,
        "width": result.searched_image.columns,
        "height": result.searched_image.rows,
        "frame": result.input.frame,
    }


def _found(result: ResultRecord, labels: Labels) -> Iterator[dict[str, Any]]:
    """Yield the fields of an annotation for each candidate, best first."""
    boxes = candidate_boxes(result, labels)
    for candidate in result.candidates:
        number = candidate.id
        rows, columns = boxes[number]
        lengths = run_lengths(labels, number, boxes[number])
        yield {
            "segmentation": {"size": list(labels.shape), "counts": compressed(lengths)},
            "area": sum(lengths[1::2]),
            "bbox": [
                columns.start,
                rows.start,
                columns.stop - columns.start,
                rows.stop - rows.start,
            ],
            "iscrowd": 0,
            "score": candidate.score,
            "candidate_id": number,
            "shown": candidate.shown,
        }


def run_lengths(labels: Labels, number: int, box: Box) -> list[int]:
    """Return the lengths of the runs outside and inside a candidate, down the columns.

    Parameters
    ----------
    labels
        The label image (rows, cols).
    number
        The candidate's id.
    box
        Its bounding box.

    Returns
    -------
    list of int
        Outside, inside, outside, ...; the first is 0 if the first pixel is inside.
    """
    columns = box[1]
    strip = (labels[:, columns] == number).ravel(order="F")
    changes = np.flatnonzero(np.diff(strip, prepend=False, append=False))
    # add the columns left of the box
    places = columns.start * labels.shape[0] + changes
    lengths: list[int] = np.diff(places, prepend=0, append=labels.size).tolist()
    return lengths if lengths[-1] else lengths[:-1]


def compressed(lengths: Iterable[int]) -> str:
    """Encode run lengths as COCO's text: six bits per character, from "0" on.

    From the fourth run on, the difference from the last run but one is written. A number is
    written in two's complement in groups of five bits, lowest first; the sixth bit is set if
    another group follows.
    """
    letters: list[str] = []
    before: list[int] = []
    for length in lengths:
        value = length - before[-2] if len(before) > 2 else length
        before.append(length)
        more = True
        while more:
            group, value = value & 0x1F, value >> 5
            # the highest bit of the last group is the sign
            more = value != (-1 if group & 0x10 else 0)
            letters.append(chr(48 + (group | (0x20 if more else 0))))
    return "".join(letters)
