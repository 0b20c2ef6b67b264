"""Handmade findings for the tests of everything that writes results."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.detection.measure import Region
from lesionscan.detection.measurements import Flag
from lesionscan.detection.pipeline import Findings
from lesionscan.detection.place import Location
from lesionscan.detection.score import Candidate, Reason
from lesionscan.detection.signs import Sign
from lesionscan.radiograph import Notice, Radiograph, Spacing
from lesionscan.reporting.overlay import displayed, grey_window
from lesionscan.settings import Settings


@dataclass(frozen=True)
class Disk:
    """A dark disk to draw: its centre (row, col), radius in px and score."""

    row: int
    column: int
    radius: int
    score: float


@dataclass(frozen=True)
class Film:
    """Properties of a synthetic film."""

    rows: int = 300
    columns: int = 200
    disks: tuple[Disk, ...] = (Disk(150, 100, 14, 0.9), Disk(60, 110, 7, 0.2))
    spacing: Spacing | None = None
    assessed: bool = True
    notices: tuple[Notice, ...] = ()
    settings: Settings = field(default_factory=Settings)
    scorer_sha256: str = "5" * 64


def make_image(film: Film) -> NDArray[np.float32]:
    """Draw a bone shaft with dark disks, in [0, 1], bone bright."""
    columns = np.linspace(-1, 1, film.columns)[None, :]
    image = 0.25 + 0.55 * np.sqrt(np.clip(1 - (columns / 0.5) ** 2, 0, 1))
    image = np.repeat(image, film.rows, axis=0)
    for disk in film.disks:
        image -= 0.3 * _disk(film, disk)
    noise = np.random.default_rng(3).normal(0, 0.01, image.shape)
    return np.asarray(np.clip(image + noise, 0, 1), np.float32)


def make_findings(film: Film | None = None) -> Findings:
    """Make findings whose candidates are the film's disks, in the given order."""
    film = film or Film()
    image = make_image(film)
    labels = np.zeros(image.shape, np.int32)
    candidates = []
    for number, disk in enumerate(film.disks, start=1):
        labels[_disk(film, disk) > 0] = number
        candidates.append(
            Candidate(
                id=number,
                region=make_region(number, disk, film.spacing, (labels == number)),
                score=disk.score,
                shown=disk.score >= film.settings.shown_score,
                reasons=(
                    Reason("enclosed", 0.8, 1.25, "brighter bone all round"),
                    Reason("rim", -0.1, -0.5, "no bright rim"),
                ),
                signs=(
                    Sign("network", "for", "network: clearly suggests a lesion (mean 0.70)"),
                    Sign("enclosure", "for", "brighter bone on all sides"),
                    Sign("border", "against", "beside a marker or metal"),
                    Sign("place", "neither", "place: middle third of a long bone"),
                ),
            )
        )
    return Findings(
        radiograph=Radiograph(
            pixels=image,
            valid=np.ones(image.shape, np.bool_),
            spacing=film.spacing,
            photometric_interpretation="MONOCHROME2",
            acquisition={"body_part_examined": "FEMUR", "kvp": 63.000001},
            notices=film.notices,
        ),
        settings=film.settings,
        scorer_sha256=film.scorer_sha256,
        image=image,
        exposed=np.ones(image.shape, np.bool_),
        lucency=np.asarray(labels > 0, np.float32),
        bone=image > 0.3,
        bone_confidence=0.9 if film.assessed else 0.1,
        assessed=film.assessed,
        labels=labels,
        candidates=tuple(candidates) if film.assessed else (),
    )


def displayed_of(findings: Findings) -> NDArray[np.uint8]:
    """Return the film as it is displayed."""
    window = grey_window(findings.image, findings.exposed)
    at_most_px = findings.settings.overlay_max_px
    return displayed(findings.image, window, at_most_px=at_most_px)


def make_region(label: int, disk: Disk, spacing: Spacing | None, mask: NDArray[np.bool_]) -> Region:
    """Return the region of a disk, with the measurements that the reports need."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    contour = np.asarray(max(contours, key=len)[:, 0, ::-1], np.int32)
    rows, cols = np.nonzero(mask)
    area, mm = float(mask.sum()), spacing.row_mm if spacing else None
    diameter = float(np.sqrt(4 * area / np.pi))
    return Region(
        label=label,
        centroid_px=(float(rows.mean()), float(cols.mean())),
        centroid_mm=(rows.mean() * mm, cols.mean() * mm) if mm else None,
        bbox_px=(int(rows.min()), int(cols.min()), int(rows.max()) + 1, int(cols.max()) + 1),
        contour_px=contour,
        area_px=area,
        area_mm2=area * mm * mm if mm else None,
        equivalent_diameter_px=diameter,
        equivalent_diameter_mm=diameter * mm if mm else None,
        perimeter_px=np.pi * diameter,
        perimeter_mm=np.pi * diameter * mm if mm else None,
        feret_max_px=diameter,
        feret_max_mm=diameter * mm if mm else None,
        size=diameter / max(mask.shape),
        circularity=0.98,
        eccentricity=0.1,
        solidity=0.97,
        contrast=0.21,
        contrast_to_noise=4.2,
        weakest_side_contrast=0.12,
        weakest_edge_step=0.1,
        rim_contrast=0.02,
        inside_spread=0.03,
        ring_spread=0.04,
        ring_in_bone=0.9,
        enclosure=1.0,
        bone_loss=0.6,
        bone_loss_error=0.05,
        edge_alignment=0.8,
        bone_fraction=1.0,
        lucency=0.7,
        lucency_peak=0.9,
        lucency_contrast=0.6,
        margin_width_px=3.0,
        margin_width_mm=3.0 * mm if mm else None,
        margin_sharp=0.9,
        margin_rim=0.6,
        margin_raggedness=0.04,
        margin="sharp_with_rim",
        lesion_to_bone_width=0.42,
        mirels_width_band="one_to_two_thirds",
        endosteal_scalloping=0.3,
        scalloping_band="under_half",
        cortex_break_px=4.0,
        cortex_break_mm=4.0 * mm if mm else None,
        bone_expansion=1.2,
        cortex_unknown=None,
        location=Location(
            bone_id=1,
            along_bone=0.5,
            across_bone=None,
            long_bone=True,
            third="middle_third",
            near_joint=False,
            position="eccentric",
            text="middle third of a long bone, eccentric",
        ),
        flags=(Flag.TOUCHES_BONE_EDGE,) if disk.radius < 10 else (),
    )


def _disk(film: Film, disk: Disk) -> NDArray[np.float64]:
    rows, columns = np.ogrid[: film.rows, : film.columns]
    inside = np.hypot(rows - disk.row, columns - disk.column) <= disk.radius
    return np.asarray(inside, np.float64)
