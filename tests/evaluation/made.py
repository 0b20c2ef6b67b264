"""Small folders of truth and results in the documented format."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Box: TypeAlias = tuple[int, int, int, int]
"""First row, first column, end row, end column."""

SHOWN_SCORE = 0.75


@dataclass(frozen=True)
class MadeFilm:
    """A uniform film with boxes for lesions, candidates (score, box) and bone."""

    name: str
    lesions: tuple[Box, ...] = ()
    candidates: tuple[tuple[float, Box], ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    status: Literal["ok", "failed", "missing"] = "ok"
    assessed: bool = True
    truth_bone: Box | None = None
    tool_bone: Box | None = None
    shape: tuple[int, int] = (60, 100)


def painted(shape: tuple[int, int], boxes: Sequence[Box]) -> NDArray[np.uint16]:
    """Return a label image with the boxes numbered from 1."""
    labels = np.zeros(shape, np.uint16)
    for number, (top, left, bottom, right) in enumerate(boxes, start=1):
        labels[top:bottom, left:right] = number
    return labels


def write_truth(folder: Path, films: Sequence[MadeFilm]) -> Path:
    """Write a truth folder, with masks only for films that have lesions."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for number, film in enumerate(films):
        picture = np.full(film.shape, number, np.uint8)  # no two films have the same bytes
        Image.fromarray(picture).save(folder / "images" / f"{film.name}.png")
        if film.lesions:
            mask = painted(film.shape, film.lesions)
            Image.fromarray(mask).save(folder / "masks" / f"{film.name}.lesions.png")
        if film.truth_bone:
            write_bone(folder / "masks" / f"{film.name}.bone.png", film.shape, film.truth_bone)
    index = [{"name": film.name, "lesions": len(film.lesions), **film.facts} for film in films]
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


def write_results(folder: Path, truth: Path, films: Sequence[MadeFilm]) -> Path:
    """Write a results folder for an existing truth folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for film in films:
        if film.status != "missing":
            record = json.dumps(result(truth / "images" / f"{film.name}.png", film))
            (folder / f"{film.name}.png.json").write_text(record, encoding="utf-8")
        if film.status == "ok":
            labels = painted(film.shape, [box for _, box in film.candidates])
            Image.fromarray(labels).save(folder / f"{film.name}.png.labels.png")
        if film.tool_bone:
            write_bone(folder / f"{film.name}.png.bone.png", film.shape, film.tool_bone)
    return folder


def write_bone(path: Path, shape: tuple[int, int], box: Box) -> None:
    """Write a bone mask of one box (255 = bone)."""
    mask = np.where(painted(shape, [box]), 255, 0).astype(np.uint8)
    Image.fromarray(mask).save(path)


def result(image: Path, film: MadeFilm) -> dict[str, Any]:
    """Return a film's JSON."""
    failed = film.status == "failed"
    return {
        "schema_version": "1.0",
        "tool": {"name": "made", "version": "1", "settings_sha256": "0" * 64},
        "input": {
            "file": image.name,
            "sha256": hashlib.sha256(image.read_bytes()).hexdigest(),
        },
        "status": film.status,
        "error": {"code": "truncated", "message": "half a file"} if failed else None,
        "image": None if failed else {"rows": film.shape[0], "columns": film.shape[1]},
        "bone": None if failed else {"confidence": 0.5, "assessed": film.assessed},
        "candidates": []
        if failed
        else [
            candidate(number, score, box)
            for number, (score, box) in enumerate(film.candidates, start=1)
        ],
    }


def candidate(number: int, score: float, box: Box) -> dict[str, Any]:
    """Return one candidate of the JSON."""
    top, left, bottom, right = box
    area = (bottom - top) * (right - left)
    return {
        "id": number,
        "score": score,
        "shown": score >= SHOWN_SCORE,
        "centroid_px": [(top + bottom - 1) / 2, (left + right - 1) / 2],
        "area_px": float(area),
        "equivalent_diameter_px": float(np.sqrt(4 * area / np.pi)),
    }


def make(folder: Path, films: Sequence[MadeFilm]) -> tuple[Path, Path]:
    """Write both folders; return the results and the truth folder."""
    truth = write_truth(folder / "truth", films)
    return write_results(folder / "results", truth, films), truth
