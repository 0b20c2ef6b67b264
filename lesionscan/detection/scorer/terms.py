"""The terms of the score: each a measured number of a region, with its description."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from lesionscan.detection.bone_loss import density_words
from lesionscan.detection.margin import RIMLESS
from lesionscan.detection.measure import Region
from lesionscan.detection.measurements import Flag


@dataclass(frozen=True, slots=True)
class Term:
    """A property of a region that a score may depend on.

    Attributes
    ----------
    name
        Stable name, as in the scorer file and in the JSON.
    value
        Function of a region that returns the argument of the scorer's table; always finite.
    text
        Function of a region that describes the value in a radiologist's words, ASCII.
    """

    name: str
    value: Callable[[Region], float]
    text: Callable[[Region], str]


_AT_BORDER = {Flag.TOUCHES_IMAGE_BORDER, Flag.TOUCHES_FIELD_BORDER, Flag.NEAR_METAL}
_NOT_DARKER = "not darker than around it"
_MARGIN_TEXTS = {
    "sharp_with_rim": "a sharp margin with a bright rim",
    "sharp": "a sharp margin without a rim",
    "ill_defined": "an ill-defined margin",
    "permeative": "a permeative margin",
}


def _share_of_contrast(region: Region, step: float) -> float:
    """Return a step in units of the contrast, which is at least 1e-4 here."""
    return step / max(region.contrast, 1e-4)


def _clear(region: Region) -> float:
    return region.contrast / max(region.inside_spread, 0.005)


def _even(region: Region) -> float:
    return region.inside_spread / max(region.ring_spread, 1e-3)


def _weakest_side(region: Region) -> float:
    return _share_of_contrast(region, region.weakest_side_contrast)


def _margin(region: Region) -> float:
    return _share_of_contrast(region, region.weakest_edge_step)


def _rim(region: Region) -> float:
    return _share_of_contrast(region, region.rim_contrast) if region.contrast > 0 else 0.0


def _at_border(region: Region) -> bool:
    return bool(_AT_BORDER & set(region.flags))


def _conspicuous_text(region: Region) -> str:
    if region.contrast <= 0:
        return _NOT_DARKER
    return (
        f"darker than around it by {region.contrast_to_noise:.1f} noise levels over "
        f"{100 * region.size:.1f} % of the film's length"
    )


def _clear_text(region: Region) -> str:
    if region.contrast <= 0:
        return _NOT_DARKER
    return f"darker than around it by {_clear(region):.1f} times its own variation"


def _contrast_text(region: Region) -> str:
    if region.contrast <= 0:
        return _NOT_DARKER
    if region.bone_loss is not None:
        return density_words(region.bone_loss)
    return f"darker than around it by {100 * region.contrast:.0f} % of the film's range"


def _margin_text(region: Region) -> str:
    if region.margin is not None:
        return _MARGIN_TEXTS[region.margin]
    return "a margin on all sides" if _margin(region) > 0.2 else "fades out on some sides"


def _enclosed_text(region: Region) -> str:
    if region.enclosure > 0.95:
        return "enclosed on all sides"
    return f"not enclosed on {100 * (1 - region.enclosure):.0f} % of its sides"


def _elongated_text(region: Region) -> str:
    if region.eccentricity < 0.6:
        return "round"
    return "oval" if region.eccentricity < 0.9 else "long and narrow"


def _width_text(region: Region) -> str:
    if region.lesion_to_bone_width is None:
        return "the width of its bone is not known"
    return f"{100 * region.lesion_to_bone_width:.0f} % as wide as its bone"


TERMS = (
    Term(
        "conspicuous",
        lambda region: region.size * math.sqrt(max(region.contrast_to_noise, 0.0)),
        _conspicuous_text,
    ),
    Term("clear", _clear, _clear_text),
    Term(
        "even",
        _even,
        lambda region: (
            "more even than the bone around it"
            if _even(region) < 1.0
            else "as uneven as the bone around"
        ),
    ),
    Term("enclosed", lambda region: region.enclosure, _enclosed_text),
    Term(
        "weakest_side",
        _weakest_side,
        lambda region: (
            "no open end"
            if _weakest_side(region) > 0.4
            else "open at an end, like a canal or a joint gap"
        ),
    ),
    Term(
        "margin",
        _margin,
        _margin_text,
    ),
    Term(
        "rim",
        _rim,
        lambda region: (
            f"a bright rim on {100 * region.margin_rim:.0f} % of its margin"
            if region.margin_rim > RIMLESS
            else "no bright rim"
        ),
    ),
    Term(
        "edge",
        lambda region: region.edge_alignment,
        lambda region: (
            "its edge can be followed" if region.edge_alignment > 0.6 else "no clear edge"
        ),
    ),
    Term(
        "in_bone",
        lambda region: region.bone_fraction,
        lambda region: "inside bone" if region.bone_fraction > 0.9 else "partly outside bone",
    ),
    Term(
        "borders",
        lambda region: float(_at_border(region)),
        lambda region: (
            "at the edge of the film or field, or near metal"
            if _at_border(region)
            else "clear of film edges and metal"
        ),
    ),
    Term(
        "size",
        lambda region: region.size,
        lambda region: f"{100 * region.size:.1f} % of the film's length across",
    ),
    Term("contrast", lambda region: region.contrast, _contrast_text),
    Term(
        "lucency",
        lambda region: region.lucency,
        lambda region: f"the network rates it {100 * region.lucency:.0f} % lucent",
    ),
    Term(
        "lucency_peak",
        lambda region: region.lucency_peak,
        lambda region: f"the network rates its core {100 * region.lucency_peak:.0f} % lucent",
    ),
    Term(
        "lucency_contrast",
        lambda region: region.lucency_contrast,
        lambda region: (
            f"the network rates it {abs(100 * region.lucency_contrast):.0f} % "
            f"{'above' if region.lucency_contrast >= 0 else 'below'} its surroundings"
        ),
    ),
    Term("elongated", lambda region: region.eccentricity, _elongated_text),
    Term(
        "solid",
        lambda region: region.solidity,
        lambda region: "a compact outline" if region.solidity > 0.9 else "a ragged or bent outline",
    ),
    Term(
        "width",
        lambda region: -1.0 if region.lesion_to_bone_width is None else region.lesion_to_bone_width,
        _width_text,
    ),
)
"""All terms. Values: conspicuous is size x square root of the contrast-to-noise ratio; clear,
contrast / spread inside; even, spread inside / spread around; weakest_side, margin and rim are
shares of the contrast; borders is 1 at the edge of film or field or near metal, else 0; width is -1
if unknown. The others are measurements of the region."""

TERM_BY_NAME = {term.name: term for term in TERMS}
