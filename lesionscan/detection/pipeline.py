"""The product in one function: a radiograph in, candidates out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lesionscan.codes import NoticeCode, notice
from lesionscan.detection.bone import BONE_FROM, Bone, find_bone
from lesionscan.detection.dataframe import candidates_frame
from lesionscan.detection.field import Field, find_field
from lesionscan.detection.grid import Footprint, WorkingGrid
from lesionscan.detection.look import look
from lesionscan.detection.lucencies import find_lucencies
from lesionscan.detection.measure import measure_regions
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


PIPELINE = 3
"""Number of this program's way from film to candidates: results of another are searched again. It
rises whenever the same film, settings and scorer give other candidates or other numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """Everything found in one radiograph. All arrays have the stored matrix's rows and columns.

    Attributes
    ----------
    radiograph
        What was read.
    settings
        What it was searched with.
    scorer_sha256
        Hash of the scorer's file, hexadecimal.
    image
        float32 (rows, cols) in [0, 1], bone bright; the range of the exposed field is stretched to
        it, and what lies outside the field is stretched alike.
    exposed
        bool; inside the collimated field (markers and metal in it included).
    lucency
        float32 (rows, cols) in [0, 1]; how much each pixel looks lucent to the scorer's network.
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
        """Return a pandas DataFrame: a row a candidate, best first, columns as in candidates.csv.

        Raises
        ------
        ModuleNotFoundError
            When pandas is not installed.
        """
        return candidates_frame(self.candidates)


@dataclass(frozen=True, slots=True, eq=False)
class NormalisedFilm:
    """A radiograph on a grey scale that all films share.

    Attributes
    ----------
    grid
        Its stored and its working grid.
    valid
        Where the file has image data, on the working grid.
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
    """What the search made of a radiograph on the way, on the working grid.

    Attributes
    ----------
    film
        The normalised film; its field is the one found first.
    maps
        What the trained network makes of it.
    field
        The exposed field that was searched: with the bone that the network saw beyond it.
    bone
        The bone mask, and where a lesion may lie that has taken the bone's edge with it.
    labels
        int32 (rows, cols), 0 = background; the dark regions that were measured. Those that the
        network sees come first.
    seen
        Number of the last region that the network sees; 0 where it sees none.
    assessed, inverted
        Whether the bone mask can be believed, and whether bone looks dark.
    """

    film: NormalisedFilm
    maps: Maps
    field: Field
    bone: Bone
    labels: LabelImage
    seen: int
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
        From `lesionscan.read_radiograph`, or built from arrays.
    settings
        Tunables; the defaults where None.
    scorer
        From `Scorer.from_file`; the shipped one where None.

    Returns
    -------
    Findings
        Candidates best first; none where the bone mask cannot be believed (`assessed` is False).

    Raises
    ------
    lesionscan.detection.scorer.errors.ScorerError
        When the scorer's network fails on this radiograph, or makes numbers that are not finite.
    """
    return find_in_steps(radiograph, settings, scorer)[1]


def find_in_steps(
    radiograph: Radiograph, settings: Settings | None = None, scorer: Scorer | None = None
) -> tuple[Steps, Findings]:
    """Find candidates as `find_candidates` does, and say what was made on the way.

    Parameters
    ----------
    radiograph, settings, scorer
        As there.

    Returns
    -------
    steps : Steps
        What the search made of the film.
    findings : Findings
        What came out.
    """
    s, scorer = settings or Settings(), scorer or shipped_scorer()
    steps = _search(radiograph, s, scorer)
    return steps, _findings(radiograph, steps, s, scorer)


def _search(radiograph: Radiograph, s: Settings, scorer: Scorer) -> Steps:
    """Find the regions, step by step."""
    # exposed field, normalise
    film = normalise_film(radiograph, s)
    grid, field, small = film.grid, film.field, film.small

    # look with the trained network
    network = scorer.network
    maps = look(small, network, once=s.search == "quick")
    inverted = looks_inverted(
        maps.bone, small, lambda image: network.look(image, network.long_sides_px[0]).bone
    )

    # bone
    field = field.extended_by((maps.bone >= BONE_FROM) & film.valid)
    bone = find_bone(maps.bone, small, field.usable)
    assessed = bone.confidence >= s.least_bone_confidence

    # dark regions: those that the network sees, then whatever else is dark inside bone
    search = bone.search if assessed else np.zeros_like(bone.search)
    allowed = field.usable if assessed else search
    most = max(s.max_candidates, _FEWEST_REGIONS)
    seen, slopes = find_lucencies(maps.lucency, small, allowed, most=most)
    inner = fill_outside(small, search)
    radii = np.geomspace(s.smallest_radius, s.largest_radius, s.scales) * max(grid.working)
    radii = np.unique(np.maximum(radii, _LEAST_RADIUS_PX))
    labels = find_dark_regions(
        small,
        inner,
        maps.lucency,
        search & ~slopes,
        found=seen,
        radii_px=radii,
        most=most,
    )
    return Steps(
        film=film,
        maps=maps,
        field=field,
        bone=bone,
        labels=labels,
        seen=int(seen.max()),
        assessed=assessed,
        inverted=inverted,
    )


def _findings(radiograph: Radiograph, steps: Steps, s: Settings, scorer: Scorer) -> Findings:
    """Bring the regions to the stored matrix, measure and score them."""
    film, grid, field = steps.film, steps.film.grid, steps.field

    # measure
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
    )

    # score
    candidates = score_regions(
        regions, scorer=scorer, shown_score=s.shown_score, most=s.max_candidates
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
    """Find the exposed field of a radiograph and bring its grey values to a common scale.

    Parameters
    ----------
    radiograph
        As read.
    settings
        Give the working grid and the percentiles.
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


_FEWEST_REGIONS = 50
"""At least so many regions are measured and scored where they are found, so that the best of a
shorter list are the best of these."""
_LEAST_RADIUS_PX = 1.5
"""Smaller spots on the working grid are indistinguishable from noise."""
_POLARITY_DOUBTFUL = notice(
    NoticeCode.POLARITY_DOUBTFUL,
    "the film looks as if bone were dark in it; look at it (lesionscan inspect --picture), "
    "and say how it is where the file is wrong (--polarity)",
)
_NOT_ASSESSED = notice(
    NoticeCode.NOT_ASSESSED,
    "no bone could be outlined with confidence, so no candidates were sought; "
    "check that the picture is a bone radiograph with bone bright",
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
    """Draw the label image in which a candidate's pixels carry its id."""
    labels: LabelImage = np.zeros(shape, np.int32)
    by_label = {footprint.label: footprint for footprint in footprints}
    for candidate in candidates:
        footprint = by_label[candidate.region.label]
        labels[footprint.box][footprint.mask] = candidate.id
    return labels
