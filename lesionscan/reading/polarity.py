"""Polarity: which end of the grey scale of a file viewers show bright, and so which is bone.

This module decides it for every format, on plain values and arrays, so that the rules can be read
and tested without a file. A viewer applies the modality transform (PS3.3 C.11.1), then the VOI LUT
(C.11.2), then inverts MONOCHROME1 (C.7.6.3.1.2). Each step may swap dark and bright; an even number
of swaps cancels out. For Processing images are not meant for viewers: if their pixel intensity
relationship is stated, it decides (C.8.11.3.1.2).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionscan.codes import NoticeCode, notice
from lesionscan.radiograph import Notice
from lesionscan.reading.grayscale import Greys, Lut, attenuation, inverted, lut_index
from lesionscan.settings import Polarity

_MIXED = 0.1
"""Share of the steps of a table that may have the other direction: padding entries, rounding."""


@dataclass(frozen=True, slots=True)
class Course:
    """Direction of a transform: whether it rises or falls.

    Attributes
    ----------
    tag
        Keyword of its tag.
    falls
        Whether high values become low.
    mixed
        Whether it does both; `falls` is then the direction for most pixels.
    """

    tag: str
    falls: bool
    mixed: bool = False

    @property
    def step(self) -> str:
        """Its description in the steps of the decision."""
        way = "falls, so that low values become high" if self.falls else "rises"
        return f"{self.tag} {'on the whole ' if self.mixed else ''}{way}"


@dataclass(frozen=True, slots=True)
class RawRelation:
    """Pixel intensity relationship of a For Processing image (PS3.3 C.8.11.3.1.2).

    Attributes
    ----------
    linear
        PixelIntensityRelationship LIN; else LOG.
    bright_is_dense
        PixelIntensityRelationshipSign -1: high stored values mean low intensity, so bone.
    """

    linear: bool
    bright_is_dense: bool


@dataclass(frozen=True, slots=True)
class Claims:
    """Statements of a DICOM file about bright and dark.

    Attributes
    ----------
    photometric
        PhotometricInterpretation; MONOCHROME1 shows high values dark.
    presentation_shape
        PresentationLUTShape in capitals, empty if absent.
    presentation_falls
        Whether the table of a PresentationLUTSequence falls; viewers do not apply it to an image.
    modality, voi
        Direction of the modality transform and of the VOI LUT; None if there is none.
    voi_choice
        Whether the file offers another window or VOI LUT with the opposite direction.
    raw
        Whether the image is For Processing.
    relation
        Its pixel intensity relationship, None if not stated.
    """

    photometric: str
    presentation_shape: str = ""
    presentation_falls: bool = False
    modality: Course | None = None
    voi: Course | None = None
    voi_choice: bool = False
    raw: bool = False
    relation: RawRelation | None = None

    @property
    def dark_is_high(self) -> bool:
        """Whether values are inverted after the VOI LUT."""
        return self.photometric == "MONOCHROME1"


@dataclass(frozen=True, slots=True)
class Decision:
    """How to make bone bright.

    Attributes
    ----------
    turned
        Whether viewers show high values after the modality transform dark, so that values must be
        inverted.
    linear
        Whether to take the logarithm of the values.
    steps
        How it was decided, in the order of a viewer.
    notices
        Contradictions and assumptions.
    """

    turned: bool
    linear: bool
    steps: tuple[str, ...]
    notices: tuple[Notice, ...]


def lut_course(tag: str, lut: Lut, values: NDArray[Any]) -> Course:
    """Return the direction of a look-up table over the values that occur.

    Parameters
    ----------
    tag
        Keyword of its sequence.
    lut
        The table.
    values
        Its input: the values of all valid pixels of the image.
    """
    counts = np.bincount(lut_index(values, lut).ravel(), minlength=lut.entries.size)
    (used,) = np.nonzero(counts)
    if used.size > 4:  # the ends are black borders and clipped values, often with separate entries
        used = used[1:-1]
    counts = counts[used[0] : used[-1] + 1]
    entries = lut.entries[used[0] : used[-1] + 1].astype(np.float64)
    steps = np.diff(entries)
    up, down = float(steps[steps > 0].sum()), float(-steps[steps < 0].sum())
    mixed = min(up, down) > _MIXED * (up + down)
    if not mixed:
        return Course(tag, down > up)
    # The direction for most pixels: the covariance of value and entry over the image.
    weights = counts / counts.sum()
    at = np.arange(entries.size)
    falls = float((weights * (at - weights @ at) * entries).sum()) < 0
    return Course(tag, falls, mixed=True)


def decide(claims: Claims, polarity: Polarity) -> Decision:
    """Decide whether bone is high or low after the modality transform.

    Parameters
    ----------
    claims
        Statements of the file.
    polarity
        How bone looks in a viewer, according to the user.
    """
    relation, voi_falls = claims.relation, claims.voi is not None and claims.voi.falls
    viewer_turns = claims.dark_is_high != voi_falls
    turned, notices = viewer_turns, list(_doubts(claims))
    if relation is not None:
        turned = relation.bright_is_dense == _modality_falls(claims)
        if turned != viewer_turns:
            notices.append(
                notice(
                    NoticeCode.POLARITY_DISAGREEMENT,
                    "PixelIntensityRelationshipSign contradicts PhotometricInterpretation; for raw "
                    "detector values the sign is believed",
                )
            )
    steps = [*_steps(claims)]
    if polarity == "bone-dark":
        steps.append("you say that bone is dark in viewers")
        turned = not turned
    steps.append(f"so bone is {'low' if turned else 'high'} after the modality transform")
    linear = relation is not None and relation.linear
    return Decision(turned, linear, tuple(steps), tuple(notices))


def bone_bright(greys: Greys, decision: Decision) -> Greys:
    """Make bone bright.

    Parameters
    ----------
    greys
        After the modality transform.
    decision
        From `decide`.
    """
    if decision.linear:
        return attenuation(greys, linear=True, bright_is_dense=not decision.turned)
    return inverted(greys) if decision.turned else greys


def raster_steps(photometric: str | None, polarity: Polarity) -> tuple[bool, tuple[str, ...]]:
    """Return whether to invert a PNG, JPEG or TIFF image, and why.

    Parameters
    ----------
    photometric
        "MINISWHITE" if a TIFF states that 0 is white; these formats state nothing else.
    polarity
        How bone looks in a viewer, according to the user.
    """
    turned = photometric == "MINISWHITE"
    steps = ["MINISWHITE: turned round" if turned else "high values are bright to viewers"]
    if polarity == "bone-dark":
        steps.append("you say that bone is dark in viewers")
        turned = not turned
    steps.append(f"so bone is {'low' if turned else 'high'} in the file's values")
    return turned, tuple(steps)


def _modality_falls(claims: Claims) -> bool:
    return claims.modality is not None and claims.modality.falls


def _steps(claims: Claims) -> Iterator[str]:
    """Yield what was read, in the order of a viewer."""
    if claims.modality is not None:
        yield claims.modality.step
    if claims.relation is not None:
        end = "bright" if claims.relation.bright_is_dense else "dark"
        sign = -1 if claims.relation.bright_is_dense else 1
        yield f"PixelIntensityRelationshipSign {sign}: bone is {end} in the stored values"
        return
    if claims.voi is not None:
        yield claims.voi.step
    yield f"{claims.photometric}: {'turned round' if claims.dark_is_high else 'not turned'}"
    if claims.presentation_shape in ("IDENTITY", "INVERSE"):
        agrees = (claims.presentation_shape == "INVERSE") == claims.dark_is_high
        yield "PresentationLUTShape agrees" if agrees else "PresentationLUTShape is not believed"
    if claims.presentation_falls:
        yield "PresentationLUTSequence falls, but viewers do not apply it in a film"


def _doubts(claims: Claims) -> Iterator[Notice]:
    """Yield notices about contradictions, assumptions, and steps that swap dark and bright."""
    if claims.presentation_shape == ("IDENTITY" if claims.dark_is_high else "INVERSE"):
        yield notice(
            NoticeCode.POLARITY_DISAGREEMENT,
            "PresentationLUTShape contradicts PhotometricInterpretation, which is believed",
        )
    if claims.presentation_falls:
        yield notice(
            NoticeCode.POLARITY_DISAGREEMENT,
            "PresentationLUTSequence falls, which would turn the film round; it is not applied, as "
            "viewers do not apply it either (--polarity says otherwise)",
        )
    if claims.raw:
        yield _raw_notice(claims.relation)
    # viewers show the output of a modality LUT; its direction matters only with a relationship
    decisive = (claims.modality,) if claims.relation is not None else (claims.voi,)
    for course in decisive:
        if course is not None and course.mixed:
            way = "falling" if course.falls else "rising"
            yield notice(
                NoticeCode.POLARITY_AMBIGUOUS,
                f"{course.tag} both rises and falls over the picture's values; it was taken as "
                f"{way}, which it is for most pixels (--polarity says otherwise)",
            )
    if claims.voi_choice and claims.relation is None:
        yield notice(
            NoticeCode.POLARITY_AMBIGUOUS,
            "the first table of VOILUTSequence and another, or WindowCenter, show bone at opposite "
            "ends; the first table was taken (--polarity says otherwise)",
        )
    for course in (claims.modality, claims.voi if claims.relation is None else None):
        if course is not None and course.falls:
            yield notice(
                NoticeCode.POLARITY_TURNED,
                f"{course.tag} falls, so low values are the bright ones to viewers unless another "
                "step turns them back; bone was made bright accordingly",
            )


def _raw_notice(relation: RawRelation | None) -> Notice:
    """Return the notice that values are raw, and how they were converted."""
    if relation is None:
        return notice(
            NoticeCode.FOR_PROCESSING,
            "raw detector values without a stated relation to the beam; used as they are",
        )
    treatment = "their logarithm was taken" if relation.linear else "already logarithmic"
    return notice(NoticeCode.FOR_PROCESSING, f"raw detector values; {treatment}")
