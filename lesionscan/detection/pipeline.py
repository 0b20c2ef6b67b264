"""The product in one function: a radiograph in, candidates out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np

from lesionscan.detection.bone import find_bone
from lesionscan.detection.field import find_field
from lesionscan.detection.grid import WorkingGrid
from lesionscan.detection.measure import measure_regions
from lesionscan.detection.normalise import grey_range, rescale
from lesionscan.detection.regions import fill_outside, find_dark_regions
from lesionscan.detection.score import Candidate, score_regions
from lesionscan.radiograph import BoolImage, FloatImage, LabelImage, Notice, Radiograph, read_only
from lesionscan.settings import Settings


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """Everything found in one radiograph. All arrays have the stored matrix's rows and columns.

    Attributes
    ----------
    radiograph
        What was read.
    settings
        What it was searched with.
    image
        float32 (rows, cols) in [0, 1], bone bright; the range of the exposed field is stretched to
        it, and what lies outside the field is stretched alike.
    exposed
        bool; inside the collimated field (markers and metal in it included).
    bone
        bool; the bone mask.
    bone_confidence
        0 to 1, how far the bone mask can be believed.
    assessed
        False where that confidence is too low: then there are no candidates.
    labels
        int32, 0 = background, otherwise the candidate's id.
    candidates
        Best first.
    notices
        What the detection has to say about this picture, besides the reader's notices.
    """

    radiograph: Radiograph
    settings: Settings
    image: FloatImage
    exposed: BoolImage
    bone: BoolImage
    bone_confidence: float
    assessed: bool
    labels: LabelImage
    candidates: tuple[Candidate, ...]
    notices: tuple[Notice, ...] = ()

    def __post_init__(self) -> None:
        for name in ("image", "exposed", "bone", "labels"):
            object.__setattr__(self, name, read_only(getattr(self, name)))


def find_candidates(radiograph: Radiograph, settings: Settings | None = None) -> Findings:
    """Find candidate lytic lesions in a radiograph.

    Parameters
    ----------
    radiograph
        From `lesionscan.read_radiograph`, or built from arrays.
    settings
        Tunables; the defaults where None.

    Returns
    -------
    Findings
        Candidates best first; none where the bone mask cannot be believed (`assessed` is False).
    """
    with _one_thread():
        return _find(radiograph, settings or Settings())


def _find(radiograph: Radiograph, s: Settings) -> Findings:
    """Find candidates step by step."""
    grid = WorkingGrid.of(radiograph.shape, long_side_px=s.working_long_side_px)
    pixels, valid = grid.reduce(radiograph.pixels), grid.reduce_mask(radiograph.valid)

    # exposed field
    whole = grey_range(pixels, valid, low_percent=0.5, high_percent=99.5)
    field = find_field(rescale(pixels, whole), valid)

    # normalise
    grey = grey_range(
        pixels, field.usable, low_percent=s.dark_percent, high_percent=s.bright_percent
    )
    image = np.clip(rescale(radiograph.pixels, grey), 0.0, 1.0)
    small = np.clip(rescale(pixels, grey), 0.0, 1.0)

    # bone
    bone = find_bone(small, field.usable)
    assessed = bone.confidence >= s.least_bone_confidence

    # dark regions
    search = bone.search if assessed else np.zeros_like(bone.search)
    inner = fill_outside(small, search)
    radii = np.geomspace(s.smallest_radius, s.largest_radius, s.scales) * max(grid.working)
    radii = np.unique(np.maximum(radii, _LEAST_RADIUS_PX))
    labels = find_dark_regions(small, inner, search, radii_px=radii, most=_MOST_REGIONS)

    # measure
    labels = grid.restore_labels(labels)
    bone_mask, exposed = grid.restore_mask(bone.mask), grid.restore_mask(field.exposed)
    regions = measure_regions(
        labels,
        image,
        bone_mask,
        exposed=exposed,
        opaque=grid.restore_mask(field.opaque),
        spacing=radiograph.spacing,
    )

    # score
    candidates = score_regions(regions, shown_score=s.shown_score, most=s.max_candidates)
    return Findings(
        radiograph=radiograph,
        settings=s,
        image=image,
        exposed=exposed,
        bone=bone_mask,
        bone_confidence=bone.confidence,
        assessed=assessed,
        labels=_numbered_by_candidate(labels, candidates),
        candidates=candidates,
        notices=() if assessed else (_NOT_ASSESSED,),
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep OpenCV to one thread: it rounds sums otherwise with another number of them."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


_MOST_REGIONS = 150
"""Regions measured and scored; more than are listed, since salience is not the score."""
_LEAST_RADIUS_PX = 1.5
"""Smaller spots on the working grid cannot be told from noise."""
_NOT_ASSESSED = Notice(
    code="not_assessed",
    message="no bone could be outlined with confidence, so no candidates were sought; "
    "check that the picture is a bone radiograph with bone bright",
)


def _numbered_by_candidate(labels: LabelImage, candidates: tuple[Candidate, ...]) -> LabelImage:
    """Renumber labels so that a candidate's pixels carry its id."""
    ids = np.zeros(int(labels.max()) + 1, np.int32)
    for candidate in candidates:
        ids[candidate.region.label] = candidate.id
    return ids[labels]
