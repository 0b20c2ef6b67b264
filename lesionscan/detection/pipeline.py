"""The detection pipeline: find candidates in a radiograph."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lesionscan.codes import NoticeCode, notice
from lesionscan.detection.bone import BONE_FROM, Bone, find_bone
from lesionscan.detection.dataframe import candidates_frame
from lesionscan.detection.field import Field, find_field
from lesionscan.detection.grid import Footprint, WorkingGrid
from lesionscan.detection.lucencies import find_lucencies
from lesionscan.detection.measure import measure_regions
from lesionscan.detection.multiscale import compute_maps
from lesionscan.detection.normalise import grey_range, rescale, to_unit
from lesionscan.detection.place import FilmWords
from lesionscan.detection.polarity import looks_inverted
from lesionscan.detection.regions import fill_outside, find_dark_regions
from lesionscan.detection.score import Candidate, score_regions
from lesionscan.detection.scorer.network import Maps
from lesionscan.detection.scorer.scorer_file import Scorer, shipped_scorer
from lesionscan.radiograph import BoolImage, FloatImage, LabelImage, Notice, Radiograph, read_only
from lesionscan.settings import Settings

if TYPE_CHECKING:
    from pandas import DataFrame


PIPELINE = 7
"""Version of the detection pipeline. Results made by another version are not reused. Increase it
whenever the same film, settings and scorer yield different candidates or measurements."""


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """Results of a search. All arrays are (rows, cols) of the stored matrix.

    Attributes
    ----------
    radiograph
        The film.
    settings
        Settings of the search.
    scorer_sha256
        SHA-256 of the scorer's file, hexadecimal.
    image
        float32 in [0, 1], bone bright; scaled by percentiles of the exposed field and clipped.
    exposed
        bool; the exposed field, markers and metal included.
    lucency
        float32 in [0, 1]; lucency map: output of the network per pixel.
    bone
        bool; the bone mask.
    bone_confidence
        0 to 1; confidence of the bone mask.
    assessed
        False if that confidence is too low; then there are no candidates.
    labels
        int32; 0 = background, otherwise the id of the candidate.
    candidates
        Best first.
    notices
        Warnings of the detection; those of the reader are in `radiograph`.
    """

    radiograph: Radiograph
    settings: Settings
    scorer_sha256: str
    image: FloatImage
    exposed: BoolImage
    lucency: FloatImage
    bone: BoolImage
    bone_confidence: float
    assessed: bool
    labels: LabelImage
    candidates: tuple[Candidate, ...]
    notices: tuple[Notice, ...] = ()

    def __post_init__(self) -> None:
        for name in ("image", "exposed", "lucency", "bone", "labels"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    def to_dataframe(self) -> "DataFrame":
        """Return a pandas DataFrame, one row per candidate, with the columns of candidates.csv.

        Raises
        ------
        ModuleNotFoundError
            If pandas is not installed.
        """
        return candidates_frame(self.candidates)


@dataclass(frozen=True, slots=True, eq=False)
class NormalisedFilm:
    """A radiograph with normalised grey values.

    Attributes
    ----------
    grid
        The stored and the working grid.
    valid
        bool; the pixels with image data, on the working grid.
    field
        The exposed field, on the working grid.
    image
        float32 in [0, 1], bone bright, on the stored grid.
    small
        The same on the working grid.
    """

    grid: WorkingGrid
    valid: BoolImage
    field: Field
    image: FloatImage
    small: FloatImage


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Intermediate results of a search, on the working grid.

    Attributes
    ----------
    film
        The normalised film, with the exposed field as first found.
    maps
        Output of the network.
    field
        The exposed field, extended by the bone that the network found outside it.
    bone
        The bone mask and the area searched.
    labels
        int32 (rows, cols), 0 = background; the measured regions, those of the lucency map first.
    network_regions
        Number of regions of the lucency map.
    assessed, inverted
        Whether the bone mask is reliable, and whether bone seems to be dark.
    """

    film: NormalisedFilm
    maps: Maps
    field: Field
    bone: Bone
    labels: LabelImage
    network_regions: int
    assessed: bool
    inverted: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", read_only(self.labels))


def find_candidates(
    radiograph: Radiograph, settings: Settings | None = None, scorer: Scorer | None = None
) -> Findings:
    """Find candidate lytic lesions in a radiograph.

    Parameters
    ----------
    radiograph
        From `lesionscan.read_radiograph`, or created from arrays.
    settings
        The defaults if None.
    scorer
        From `Scorer.from_file`; the shipped one if None.

    Returns
    -------
    Findings
        Candidates, best first; none if the bone mask is not reliable (`assessed` is False).

    Raises
    ------
    lesionscan.detection.scorer.errors.ScorerError
        If the network fails on this radiograph or its output is not finite.
    """
    return find_in_steps(radiograph, settings, scorer)[1]


def find_in_steps(
    radiograph: Radiograph, settings: Settings | None = None, scorer: Scorer | None = None
) -> tuple[Steps, Findings]:
    """Find candidates as `find_candidates` does, and return the intermediate results too.

    Parameters
    ----------
    radiograph, settings, scorer
        As in `find_candidates`.

    Returns
    -------
    steps : Steps
        Intermediate results.
    findings : Findings
        Results.
    """
    s, scorer = settings or Settings(), scorer or shipped_scorer()
    steps = _search(radiograph, s, scorer)
    return steps, _findings(radiograph, steps, s, scorer)


def _search(radiograph: Radiograph, s: Settings, scorer: Scorer) -> Steps:
    """Find the regions on the working grid."""
    film = normalise_film(radiograph, s)
    grid, field, small = film.grid, film.field, film.small

    network = scorer.network
    maps = compute_maps(small, network, coarsest_only=s.search == "quick")
    inverted = looks_inverted(
        maps.bone, small, lambda image: network.run(image, network.long_sides_px[0]).bone
    )

    field = field.extended_by((maps.bone >= BONE_FROM) & film.valid)
    bone = find_bone(maps.bone, small, field.usable)
    assessed = bone.confidence >= s.least_bone_confidence

    # the regions of the lucency map, then other dark regions in bone
    search = bone.search if assessed else np.zeros_like(bone.search)
    allowed = field.usable if assessed else search
    max_regions = max(s.max_candidates, _MIN_REGIONS)
    lucencies, slopes = find_lucencies(maps.lucency, small, allowed, max_regions=max_regions)
    inner = fill_outside(small, search)
    radii = np.geomspace(s.smallest_radius, s.largest_radius, s.scales) * max(grid.working)
    radii = np.unique(np.maximum(radii, _MIN_RADIUS_PX))
    labels = find_dark_regions(
        small,
        inner,
        maps.lucency,
        search & ~slopes,
        found=lucencies,
        radii_px=radii,
        max_regions=max_regions,
    )
    return Steps(
        film=film,
        maps=maps,
        field=field,
        bone=bone,
        labels=labels,
        network_regions=int(lucencies.max()),
        assessed=assessed,
        inverted=inverted,
    )


def _findings(radiograph: Radiograph, steps: Steps, s: Settings, scorer: Scorer) -> Findings:
    """Restore the regions to the stored matrix, measure and score them."""
    film, grid, field = steps.film, steps.film.grid, steps.field

    footprints = grid.restore_regions(steps.labels)
    lucency = grid.restore(steps.maps.lucency)
    bone_mask, exposed = grid.restore_mask(steps.bone.mask), grid.restore_mask(field.exposed)
    regions = measure_regions(
        footprints,
        film.image,
        bone_mask,
        exposed=exposed,
        opaque=grid.restore_mask(field.opaque),
        lucency=lucency,
        spacing=radiograph.spacing,
        pixel_aspect=radiograph.pixel_aspect,
        words=FilmWords.of(radiograph.acquisition),
        bone_likelihood=steps.maps.bone,
    )

    candidates = score_regions(
        regions, scorer=scorer, shown_score=s.shown_score, max_candidates=s.max_candidates
    )
    return Findings(
        radiograph=radiograph,
        settings=s,
        scorer_sha256=scorer.sha256,
        image=film.image,
        exposed=exposed,
        lucency=lucency,
        bone=bone_mask,
        bone_confidence=steps.bone.confidence,
        assessed=steps.assessed,
        labels=_numbered_by_candidate(grid.stored, footprints, candidates),
        candidates=candidates,
        notices=tuple(_doubts(assessed=steps.assessed, inverted=steps.inverted)),
    )


def normalise_film(radiograph: Radiograph, settings: Settings) -> NormalisedFilm:
    """Find the exposed field of a radiograph and normalise its grey values.

    Parameters
    ----------
    radiograph
        The film.
    settings
        Used for the working grid and the percentiles.
    """
    grid = WorkingGrid.of(
        radiograph.shape,
        long_side_px=settings.grid_long_side_px,
        pixel_aspect=radiograph.pixel_aspect,
    )
    pixels, valid = grid.reduce(radiograph.pixels), grid.reduce_mask(radiograph.valid)
    whole = grey_range(pixels, valid, low_percent=0.5, high_percent=99.5)
    field = find_field(rescale(pixels, whole), valid)
    grey = grey_range(
        pixels,
        field.usable,
        low_percent=settings.dark_percent,
        high_percent=settings.bright_percent,
    )
    return NormalisedFilm(
        grid=grid,
        valid=valid,
        field=field,
        image=to_unit(radiograph.pixels, grey),
        small=to_unit(pixels, grey),
    )


_MIN_REGIONS = 50
"""Regions to measure and score even if fewer candidates are listed, so that a shorter list holds
the first entries of the longer one."""
_MIN_RADIUS_PX = 1.5
"""Smaller spots on the working grid are indistinguishable from noise."""
_POLARITY_DOUBTFUL = notice(
    NoticeCode.POLARITY_DOUBTFUL,
    "bone seems to be dark in this film; check it with lesionscan inspect --picture, and set "
    "--polarity if the file is wrong",
)
_NOT_ASSESSED = notice(
    NoticeCode.NOT_ASSESSED,
    "no bone could be outlined with confidence, so the film was not searched; "
    "check that it is a bone radiograph with bright bone",
)


def _doubts(*, assessed: bool, inverted: bool) -> Iterator[Notice]:
    if inverted:
        yield _POLARITY_DOUBTFUL
    if not assessed:
        yield _NOT_ASSESSED


def _numbered_by_candidate(
    shape: tuple[int, int],
    footprints: tuple[Footprint, ...],
    candidates: tuple[Candidate, ...],
) -> LabelImage:
    """Return the label image in which the pixels of each candidate have its id."""
    labels: LabelImage = np.zeros(shape, np.int32)
    by_label = {footprint.label: footprint for footprint in footprints}
    for candidate in candidates:
        footprint = by_label[candidate.region.label]
        labels[footprint.box][footprint.mask] = candidate.id
    return labels
