"""Read a truth folder: films whose lesions are known.

`index.json` is a list of `{"name": ..., "lesions": ..., ...}`; `images/NAME.dcm` (or .png, .jpg,
.jpeg, .tif, .tiff) is the film; `masks/NAME.lesions.png` is its label image with one number per
lesion (optional if the entry says 0 lesions); `masks/NAME.bone.png` is its bone mask (not 0 = bone;
optional). All other keys of an entry are optional.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionscan.files import INDEX_BYTES, parse_json, read_bounded
from lesionscan.results.pictures import PictureError, read_grey
from lesionscan.truth_names import BONE_ENDING, IMAGE_ENDINGS, LESIONS_ENDING

ONE_SET = "all"
"""Name of the set of entries that name none."""


class TruthError(Exception):
    """Raised if a truth folder cannot be used; the message names file, cause and remedy."""


@dataclass(frozen=True, slots=True)
class TruthFilm:
    """A film whose lesions are known.

    Attributes
    ----------
    name
        Name without ending.
    image
        The film's file.
    mask
        File of its label image; it may be missing if there are no lesions.
    facts
        The film's entry in the index.
    group
        Group that the bootstrap resamples: the patient, else the case of the set, else the film
        that this one was made from, else the film.
    """

    name: str
    image: Path
    mask: Path
    facts: Mapping[str, Any]
    group: str = ""

    @property
    def lesions(self) -> int:
        """The number of lesions that the index states; 0 if not stated."""
        return int(self.facts.get("lesions", 0))

    @property
    def set_name(self) -> str:
        """The set; sets are never pooled."""
        return str(self.facts.get("set", ONE_SET))

    @property
    def result_names(self) -> tuple[str, ...]:
        """Names that its results may have: that of its file, and the index's `result`."""
        return tuple(dict.fromkeys((self.image.name, self.facts.get("result", self.image.name))))

    @property
    def bone(self) -> Path:
        """File of the bone mask, which may be missing."""
        return self.mask.with_name(f"{self.name}{BONE_ENDING}")

    def read_lesions(self, shape: tuple[int, int] | None) -> NDArray[np.int32] | None:
        """Read the label image and check it against the index.

        Parameters
        ----------
        shape
            Rows and columns of the film; None if unknown.

        Returns
        -------
        ndarray or None
            int32 (rows, cols), 0 background; None if there are no lesions and no mask.

        Raises
        ------
        TruthError
            If the mask is missing, cannot be read, differs in size from the film, or in the number
            of lesions from the index.
        """
        if not self.lesions and not self.mask.is_file():
            return None
        mask = read_mask(self.mask)
        _check_shape(self.mask, mask, shape)
        found = np.unique(mask[mask != 0]).size
        if found != self.lesions:
            raise TruthError(
                f"{self.mask} shows {found} and index.json says {self.lesions} lesions; "
                "correct the mask or the index"
            )
        stated = [fact["label"] for fact in self.facts.get("lesion_facts", [])]
        if len(set(stated)) < len(stated) or not set(stated) <= set(np.unique(mask).tolist()):
            raise TruthError(
                f"{self.mask} does not have every label of lesion_facts, or lesion_facts has one "
                "twice; correct the mask or the index"
            )
        return mask

    def read_bone(self, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
        """Read the bone mask, bool (rows, cols); None if there is none.

        Raises
        ------
        TruthError
            If it cannot be read or differs in size from the film.
        """
        if not self.bone.is_file():
            return None
        bone = read_mask(self.bone)
        _check_shape(self.bone, bone, shape)
        return np.not_equal(bone, 0)


def load_truth(folder: Path) -> tuple[TruthFilm, ...]:
    """List the films of a truth folder, in the index's order.

    Parameters
    ----------
    folder
        Holds `index.json`, `images/` and `masks/`.

    Raises
    ------
    TruthError
        If the index cannot be read or is empty, an entry is invalid, or the file of a film is
        missing.
    """
    index = folder / "index.json"
    entries = _entries(index)
    by_name: dict[str, Mapping[str, Any]] = {}
    for number, entry in enumerate(entries, start=1):
        name = _name(index, number, entry)
        if name in by_name:
            raise TruthError(f"{index} names {name!r} twice; give each film its own name")
        _check_entry(index, name, entry)
        by_name[name] = entry
    images = _images(folder / "images")
    return tuple(
        TruthFilm(
            name=name,
            image=_image(folder / "images", name, images),
            mask=folder / "masks" / f"{name}{LESIONS_ENDING}",
            facts=entry,
            group=_group(name, by_name),
        )
        for name, entry in by_name.items()
    )


def read_mask(path: Path) -> NDArray[np.int32]:
    """Read a label image as int32 (rows, cols): 0 background, one number per lesion.

    Raises
    ------
    TruthError
        If it cannot be read or is not a grey picture of integers.
    """
    try:
        return read_grey(path)
    except PictureError as error:
        raise TruthError(f"mask {path} {error}; make the truth folder again") from error


def _entries(index: Path) -> list[Any]:
    try:
        entries = parse_json(read_bounded(index, max_bytes=INDEX_BYTES))
    except OSError as error:
        raise TruthError(f"{index} cannot be read ({error.strerror}); check the folder") from error
    except ValueError as error:
        raise TruthError(f"{index} is not valid JSON; make the truth folder again") from error
    if not isinstance(entries, list):
        raise TruthError(f"{index} is not a list of entries; write one entry per film")
    if not entries:
        raise TruthError(f"{index} names no film; write one entry per film")
    return entries


def _name(index: Path, number: int, entry: object) -> str:
    name = entry.get("name") if isinstance(entry, dict) else None
    if not isinstance(name, str) or not name:
        raise TruthError(
            f"{index}: entry {number} has no name; write {{'name': ..., 'lesions': n}}"
        )
    if Path(name).name != name or name == ".." or "\\" in name or "\0" in name:
        raise TruthError(
            f"{index}: {name!r} is not a plain file name; write it without folder and ending"
        )
    return name


def _check_entry(index: Path, name: str, entry: Mapping[str, Any]) -> None:
    lesions = entry.get("lesions")
    if isinstance(lesions, bool) or not isinstance(lesions, int) or lesions < 0:
        raise TruthError(
            f"{index}: lesions of {name!r} must be a whole number, 0 or more, got {lesions!r}"
        )
    facts = entry.get("lesion_facts", [])
    if not isinstance(facts, list) or not all(
        isinstance(fact, dict) and isinstance(fact.get("label"), int) for fact in facts
    ):
        raise TruthError(
            f"{index}: lesion_facts of {name!r} must be a list of {{'label': number, ...}}"
        )
    for fact in facts:
        for key in ("contrast_to_noise", "lesion_to_bone_width"):
            value = fact.get(key)
            if value is not None and not (isinstance(value, int | float) and math.isfinite(value)):
                raise TruthError(f"{index}: {key} of {name!r} must be a number or null")
    result = entry.get("result", name)
    if not isinstance(result, str) or not {"", ".", ".."}.isdisjoint(result.split("/")):
        raise TruthError(
            f"{index}: result of {name!r} must be a path inside the results folder, such as "
            "'a/knee.dcm'"
        )
    for key in ("set", "patient", "case", "source", "body_part"):
        value = entry.get(key, "-")
        if value is not None and (not isinstance(value, str | int) or value == ""):
            raise TruthError(f"{index}: {key} of {name!r} must be a word or a number")


def _images(folder: Path) -> dict[str, list[Path]]:
    """Return the films of the folder by their name without ending."""
    images: dict[str, list[Path]] = {}
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in IMAGE_ENDINGS:
                images.setdefault(path.stem, []).append(path)
    return images


def _image(folder: Path, name: str, images: Mapping[str, list[Path]]) -> Path:
    found = images.get(name, [])
    if not found:
        raise TruthError(
            f"{folder / name} has none of the endings {', '.join(IMAGE_ENDINGS)}; add the film "
            "or remove its entry from index.json"
        )
    if len(found) > 1:
        raise TruthError(
            f"{folder / name} exists twice ({', '.join(path.name for path in found)}); keep one"
        )
    return found[0]


def _group(name: str, by_name: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the group that the bootstrap resamples.

    A film without a patient that was made from another (`source`) is in that film's group, so that
    an original and its planted copies stay together.
    """
    seen = {name}
    while True:
        entry = by_name[name]
        if entry.get("patient") is not None:
            return f"patient {entry['patient']}"
        if entry.get("case") is not None:
            return f"case {entry['case']} of {entry.get('set', ONE_SET)}"
        source = entry.get("source")
        if source is None:
            return f"film {name}"
        name = str(source)
        if name not in by_name or name in seen:
            return f"film {name}"
        seen.add(name)


def _check_shape(path: Path, mask: NDArray[np.int32], shape: tuple[int, ...] | None) -> None:
    if shape is not None and mask.shape != shape:
        rows, cols = mask.shape
        raise TruthError(
            f"mask {path} has {rows} x {cols} pixels and its film {shape[0]} x {shape[1]}; "
            "make the mask of this film again"
        )
