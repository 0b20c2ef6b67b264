"""Make the pictures of README and docs again: python scripts/make_docs_pictures.py.

All of them show phantoms; no film of a patient is in the repository.
"""

from pathlib import Path

import cv2
import numpy as np
from contact_sheet import contact_sheet
from numpy.typing import NDArray

from lesionscan import find_candidates, read_radiograph
from lesionscan.reporting.overlay import displayed, encode_png, overlay_png
from lesionscan.simulation.exposure.film import Film
from lesionscan.simulation.phantom import BODY_PARTS, Phantom, make_phantom
from lesionscan.simulation.planting.plant import plant, prepare

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = "femur_punched_out"
HEIGHT_PX, COLUMNS = 230, 6
OUTLINE = (0, 191, 255)
"""Amber, in cv2's order of blue, green, red."""


def main() -> None:
    """Write docs/overlay.png, docs/phantoms.png and docs/planting.png."""
    film = read_radiograph(ROOT / "sample_images" / "images" / f"{SAMPLE}.dcm")
    findings = find_candidates(film)
    pictures = {
        "overlay": overlay_png(findings, displayed(findings)),
        "phantoms": encode_png(phantom_sheet()),
        "planting": encode_png(planting_sheet()),
    }
    (ROOT / "docs").mkdir(exist_ok=True)
    for name, data in pictures.items():
        target = ROOT / "docs" / f"{name}.png"
        target.write_bytes(data)
        print(f"{target}: {len(data) / 1e3:.0f} kB")


def phantom_sheet() -> NDArray[np.uint8]:
    """Return one phantom of every body part."""
    tiles = [
        _grey(make_phantom(part, 11, lesions=0, long_side_px=600, film=Film(bits=8)))
        for part in BODY_PARTS
    ]
    return contact_sheet(tiles, height_px=HEIGHT_PX, columns=COLUMNS)


def planting_sheet() -> NDArray[np.uint8]:
    """Return a film before and after planting, and with the truth outlined, four times."""
    tiles: list[NDArray[np.uint8]] = []
    for part, seed in (("femur", 21), ("knee", 22), ("humerus", 23), ("ankle", 24)):
        phantom = make_phantom(part, seed, lesions=0, long_side_px=600, film=Film(bits=8))
        grey = _grey(phantom)
        planted = plant(prepare(grey, phantom.bone), seed, lesions=2)
        after = np.asarray(planted.pixels, dtype=np.uint8)
        outlined = cv2.cvtColor(after, cv2.COLOR_GRAY2BGR)
        mask = (planted.lesions > 0).astype(np.uint8)
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(outlined, contours, -1, OUTLINE, 2)
        tiles += [grey, after, np.asarray(outlined, dtype=np.uint8)]
    return contact_sheet(tiles, height_px=HEIGHT_PX, columns=COLUMNS)


def _grey(phantom: Phantom) -> NDArray[np.uint8]:
    return phantom.stored.astype(np.uint8)


if __name__ == "__main__":
    main()
