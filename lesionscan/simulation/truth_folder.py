"""A folder of phantoms with their truth, as `lesionscan evaluate` reads it."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lesionscan.simulation.dicom_file import SpacingTag, TransferSyntax, write_dicom
from lesionscan.simulation.phantom import Phantom
from lesionscan.simulation.planted import PlantedLesion
from lesionscan.simulation.png_file import png_bytes


@dataclass(frozen=True, slots=True, eq=False)
class NamedPhantom:
    """A phantom with the name of its files and the way its pixels are stored.

    Raises
    ------
    ValueError
        When the name is empty or is not a plain file name.
    """

    name: str
    phantom: Phantom
    transfer_syntax: TransferSyntax = "native"
    spacing_tag: SpacingTag = "ImagerPixelSpacing"
    note: str = ""

    def __post_init__(self) -> None:
        if not self.name or Path(self.name).name != self.name or self.name.startswith("."):
            raise ValueError(f"{self.name!r} is not a plain file name")


def write_truth_folder(folder: Path, phantoms: Iterable[NamedPhantom]) -> Path:
    """Write images, masks and index.json; return the path of the index.

    The folder gets `images/NAME.dcm`, `masks/NAME.lesions.png` (16 bit, one number a lesion),
    `masks/NAME.bone.png` (255 = bone) and `index.json`, a list in the order given. Phantoms are
    taken one by one, so that a generator of thousands needs the memory of one.

    Raises
    ------
    ValueError
        When two phantoms have one name.
    """
    images, masks = folder / "images", folder / "masks"
    images.mkdir(parents=True, exist_ok=True)
    masks.mkdir(parents=True, exist_ok=True)
    entries: list[dict[str, object]] = []
    seen: set[str] = set()
    for named in phantoms:
        if named.name in seen:
            raise ValueError(f"two phantoms are named {named.name!r}")
        seen.add(named.name)
        phantom = named.phantom
        write_dicom(
            images / f"{named.name}.dcm",
            phantom,
            transfer_syntax=named.transfer_syntax,
            spacing_tag=named.spacing_tag,
        )
        (masks / f"{named.name}.lesions.png").write_bytes(png_bytes(phantom.lesions))
        bone = np.where(phantom.bone, 255, 0).astype(np.uint8)
        (masks / f"{named.name}.bone.png").write_bytes(png_bytes(bone))
        entries.append(_entry(named))
    index = folder / "index.json"
    index.write_bytes((json.dumps(entries, indent=1) + "\n").encode("utf-8"))
    return index


def _entry(named: NamedPhantom) -> dict[str, object]:
    """Return what index.json says about one phantom."""
    phantom = named.phantom
    rows, cols = phantom.stored.shape
    return {
        "name": named.name,
        "file": f"images/{named.name}.dcm",
        "set": "phantom",
        "kind": "lytic" if phantom.planted else "normal",
        "lesions": len(phantom.planted),
        "body_part": phantom.body_part,
        "view": phantom.view,
        "laterality": phantom.film.laterality,
        "seed": phantom.seed,
        "rows": rows,
        "columns": cols,
        "spacing_mm": round(phantom.spacing_mm, 6),
        "spacing_in_file": named.spacing_tag != "none",
        "photometric_interpretation": phantom.film.photometric,
        "bits_stored": phantom.film.bits,
        "transfer_syntax": named.transfer_syntax,
        "note": named.note,
        "lesion_facts": [_facts(lesion) for lesion in phantom.planted],
    }


def _facts(lesion: PlantedLesion) -> dict[str, object]:
    """Return what index.json says about one lesion; numbers rounded to what can be measured."""
    recipe = {
        key: round(value, 4) if isinstance(value, float) else value
        for key, value in asdict(lesion.recipe).items()
    }
    return {
        "label": lesion.label,
        "centroid_px": list(lesion.centroid_px),
        "area_px": lesion.area_px,
        "area_mm2": lesion.area_mm2,
        "equivalent_diameter_px": lesion.equivalent_diameter_px,
        "equivalent_diameter_mm": lesion.equivalent_diameter_mm,
        "contrast": lesion.contrast,
        "contrast_to_noise": lesion.contrast_to_noise,
        "removed_to_noise": lesion.removed_to_noise,
        "recipe": recipe,
    }
