"""Write a truth folder, as `lesionscan evaluate` reads it."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lesionscan.png import encode_png
from lesionscan.simulation.fields import Mask
from lesionscan.truth_names import BONE_ENDING, BONES_ENDING, LESIONS_ENDING


@dataclass(frozen=True, slots=True, eq=False)
class KnownFilm:
    """A film's file with its truth.

    Attributes
    ----------
    name
        Name of its files, without ending.
    ending
        Ending of the image's file.
    image
        The image's file, encoded.
    lesions
        uint16 (rows, cols), 0 = none, otherwise the number of a lesion.
    bone
        bool (rows, cols), True where there is bone; None if unknown.
    bones
        uint16 (rows, cols), 0 = none, otherwise the number of a bone, or None.
    facts
        Its entry in the index, except name, file and number of lesions.

    Raises
    ------
    ValueError
        If the name is not a plain file name, or the masks differ in shape.
    """

    name: str
    ending: Literal["dcm", "png"]
    image: bytes
    lesions: NDArray[np.uint16]
    bone: Mask | None = None
    bones: NDArray[np.uint16] | None = None
    facts: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.name or Path(self.name).name != self.name or self.name.startswith("."):
            raise ValueError(f"{self.name!r} is not a plain file name")
        shapes = {mask.shape for mask in (self.lesions, self.bone, self.bones) if mask is not None}
        if len(shapes) > 1:
            raise ValueError(f"the masks of {self.name!r} differ in shape: {sorted(shapes)}")


def make_folder(folder: Path) -> None:
    """Create a folder for films, or use an existing empty one.

    Raises
    ------
    ValueError
        If it is not empty: films of two runs must not be mixed.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} is not an empty folder; name a new one")
    folder.mkdir(parents=True, exist_ok=True)


def write_film(folder: Path, film: KnownFilm) -> dict[str, object]:
    """Write a film and its masks; return its entry for the index.

    The files are `images/NAME.dcm` or `.png` and, in `masks`, `NAME.lesions.png` (16 bit, one
    number per lesion) and, if known, `NAME.bone.png` (255 = bone) and `NAME.bones.png` (16 bit, one
    number per bone).
    """
    images, masks = folder / "images", folder / "masks"
    images.mkdir(parents=True, exist_ok=True)
    masks.mkdir(parents=True, exist_ok=True)
    image = images / f"{film.name}.{film.ending}"
    image.write_bytes(film.image)
    (masks / f"{film.name}{LESIONS_ENDING}").write_bytes(encode_png(film.lesions))
    if film.bone is not None:
        bone = np.where(film.bone, 255, 0).astype(np.uint8)
        (masks / f"{film.name}{BONE_ENDING}").write_bytes(encode_png(bone))
    if film.bones is not None:
        (masks / f"{film.name}{BONES_ENDING}").write_bytes(encode_png(film.bones))
    lesions = np.unique(film.lesions[film.lesions > 0]).size
    return {
        "name": film.name,
        "file": f"images/{image.name}",
        "kind": "lytic" if lesions else "normal",
        "lesions": lesions,
        **film.facts,
    }


def write_index(folder: Path, entries: list[dict[str, object]]) -> Path:
    """Write index.json, the list of a folder's films; return its path.

    Raises
    ------
    ValueError
        If two films have the same name.
    """
    counts = Counter(str(entry["name"]) for entry in entries)
    for name, count in counts.most_common(1):
        if count > 1:
            raise ValueError(f"two films are named {name!r}")
    index = folder / "index.json"
    index.write_bytes((json.dumps(entries, indent=1) + "\n").encode("utf-8"))
    return index


def write_truth_folder(folder: Path, films: Iterable[KnownFilm]) -> Path:
    """Write films, masks and index.json, in the order given; return the path of the index.

    Films are consumed one by one, so that only one is in memory.

    Raises
    ------
    ValueError
        If two films have the same name.
    """
    return write_index(folder, [write_film(folder, film) for film in films])
