"""A folder of films whose lesions are known.

`index.json` is a list of `{"name": ..., "lesions": ..., ...}`; `images/NAME.png` or
`images/NAME.dcm` is the film, `masks/NAME.lesions.png` its label image, one number a lesion.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


class TruthError(Exception):
    """A truth folder that cannot be used; the message names the file and the remedy."""


@dataclass(frozen=True, slots=True)
class TruthFilm:
    """One film whose lesions are known.

    Attributes
    ----------
    name
        Name without ending.
    image
        The film's file.
    mask
        Its label image's file.
    facts
        The film's entry in the index.
    """

    name: str
    image: Path
    mask: Path
    facts: Mapping[str, Any]


def load_truth(folder: Path) -> tuple[TruthFilm, ...]:
    """List the films of a truth folder, in the index's order.

    Parameters
    ----------
    folder
        Holds `index.json`, `images/` and `masks/`.

    Raises
    ------
    TruthError
        When the index or a film named in it cannot be read.
    """
    index = folder / "index.json"
    try:
        entries = json.loads(index.read_text(encoding="utf-8"))
        return tuple(_film(folder, entry) for entry in entries)
    except OSError as error:
        raise TruthError(f"{index} cannot be read ({error.strerror}); check the folder") from error
    except (ValueError, KeyError, TypeError) as error:
        raise TruthError(
            f"{index} is not a list of entries with a name ({type(error).__name__}); "
            "make the folder again"
        ) from error


def read_mask(path: Path) -> NDArray[np.int32]:
    """Read a label image as int32 (rows, cols): 0 background, one number a lesion.

    Raises
    ------
    TruthError
        When it cannot be read or is not a grey picture.
    """
    try:
        with Image.open(path) as picture:
            mask = np.asarray(picture)
    except OSError as error:
        raise TruthError(f"mask {path} cannot be read; make the folder again") from error
    if mask.ndim != 2:
        raise TruthError(f"mask {path} is a colour picture; write one grey number a lesion")
    return mask.astype(np.int32)


def _film(folder: Path, entry: Mapping[str, Any]) -> TruthFilm:
    name = str(entry["name"])
    for ending in (".dcm", ".png"):
        image = folder / "images" / f"{name}{ending}"
        if image.is_file():
            return TruthFilm(name, image, folder / "masks" / f"{name}.lesions.png", entry)
    raise TruthError(f"{folder / 'images' / name} has neither .dcm nor .png; make the folder again")
