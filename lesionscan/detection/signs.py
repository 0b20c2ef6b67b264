"""Signs of a candidate: findings in words that a reader can check on the film.

The output of the network comes first, then the findings for and against a lytic lesion, each only
if it is clear. Signs do not contribute to the score; `reasons` do.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from lesionscan.detection.bone_loss import CLEAR_LOSS, density_words
from lesionscan.detection.margin import MarginWord
from lesionscan.detection.measure import Region
from lesionscan.detection.measurements import Flag

Speaks: TypeAlias = Literal["for", "against", "neither"]

_ENCLOSED = 0.9
"""Enclosure, and share of the ring in bone, from which brighter bone is on all sides: a bright edge
of soft tissue or of another bone also counts in the enclosure."""

_PLAINLY_DARKER = 0.05
"""Minimum contrast of a region that is called much darker, as a share of the grey range: on a film
with little noise, even an invisible contrast has a high ratio to the noise."""


@dataclass(frozen=True, slots=True)
class Sign:
    """One line about a candidate."""

    name: Annotated[str, Field(description="Stable name; `network` is always the first.")]
    speaks: Annotated[
        Speaks, Field(description="Whether it speaks for a lytic lesion, against one, or neither.")
    ]
    text: Annotated[str, Field(description="What is seen, in words; ASCII.")]


@dataclass(frozen=True, slots=True)
class Rule:
    """Rule for one sign.

    Attributes
    ----------
    name
        Name of the sign.
    meaning
        When the sign is given, for the reference page.
    sign
        Returns for or against, and the text; None if there is no such sign.
    """

    name: str
    meaning: str
    sign: Callable[[Region], tuple[Speaks, str] | None]


def signs_of(region: Region) -> tuple[Sign, ...]:
    """Return the signs of a region: the network, then for, against and neither."""
    signs = list(_all_signs(region))
    order = ("for", "against", "neither")
    return (signs[0], *sorted(signs[1:], key=lambda sign: order.index(sign.speaks)))


def _all_signs(region: Region) -> Iterator[Sign]:
    for rule in RULES:
        found = rule.sign(region)
        if found is not None:
            yield Sign(rule.name, *found)


def _network(region: Region) -> tuple[Speaks, str]:
    mean = f"(mean {region.lucency:.2f})"
    if region.lucency >= 0.5:
        strength = "strongly" if region.lucency >= 0.75 else "clearly"
        return "for", f"network: {strength} suggests a lesion {mean}"
    if region.lucency >= 0.2:
        return "for", f"network: weakly suggests a lesion {mean}"
    sign = "hardly any sign of a lesion" if region.lucency >= 0.05 else "no sign of a lesion"
    return "against", f"network: {sign} {mean}"


def _on_bone(region: Region) -> bool:
    return region.bone_fraction >= 0.5


def _brighter_all_around(region: Region) -> bool:
    return min(region.enclosure, region.ring_in_bone) >= _ENCLOSED


def _darkness(region: Region) -> tuple[Speaks, str] | None:
    if region.bone_loss is not None and region.bone_loss >= CLEAR_LOSS and _on_bone(region):
        return "for", density_words(region.bone_loss)
    bone_around = _on_bone(region) and Flag.LITTLE_BONE_AROUND not in region.flags
    around = "the surrounding bone" if bone_around else "its surroundings"
    if region.contrast_to_noise >= 1.0:
        visible = region.contrast_to_noise >= 3.0 and region.contrast >= _PLAINLY_DARKER
        much = "much darker" if visible else "darker"
        return "for", f"{much} than {around} (contrast-to-noise {region.contrast_to_noise:.1f})"
    # the ring of a large or expanded lesion may be thinned itself
    if region.contrast_to_noise >= 0.5 or region.lucency >= 0.5:
        return None
    return "against", f"hardly darker than {around}"


def _break(region: Region) -> tuple[Speaks, str] | None:
    if not region.cortex_break_px or _brighter_all_around(region):
        return None
    if region.cortex_break_mm is None:
        return "for", f"cortex broken over {region.cortex_break_px:.0f} px"
    return "for", f"cortex broken over {region.cortex_break_mm:.0f} mm"


def _expansion(region: Region) -> tuple[Speaks, str] | None:
    if region.bone_expansion is None or region.bone_expansion < 1.1:
        return None
    return "for", f"bone expanded to {region.bone_expansion:.1f} times its width"


def _scalloping(region: Region) -> tuple[Speaks, str] | None:
    if region.scalloping_band in (None, "none") or region.cortex_break_px:
        return None
    share = "over half" if region.scalloping_band == "over_half" else "less than half"
    return "for", f"cortex thinned from the inside by {share} of its thickness"


_MARGINS: Mapping[MarginWord, tuple[Speaks, str]] = {
    "sharp_with_rim": ("for", "a sharp margin with a bright rim"),
    "sharp": ("for", "a sharp margin"),
    "ill_defined": ("neither", "an ill-defined margin"),
    "permeative": ("neither", "a permeative margin"),
}


def _margin(region: Region) -> tuple[Speaks, str] | None:
    return None if region.margin is None else _MARGINS[region.margin]


def _enclosed(region: Region) -> tuple[Speaks, str] | None:
    if _brighter_all_around(region) and _on_bone(region) and not region.cortex_break_px:
        return "for", "brighter bone on all sides"
    if region.enclosure < 0.5 and region.contrast_to_noise >= 0.5 and region.lucency < 0.5:
        return "against", f"no brighter bone on {100 * (1 - region.enclosure):.0f} % of its sides"
    return None


def _shape(region: Region) -> tuple[Speaks, str] | None:
    if Flag.TOO_SMALL_TO_SHAPE in region.flags:
        return None
    if region.eccentricity > 0.97:
        return "against", "long and narrow, as canals, gaps and grooves are"
    if region.solidity > 0.9 and region.eccentricity < 0.9:
        return "for", "a compact round or oval outline"
    return None


def _border(region: Region) -> tuple[Speaks, str] | None:
    flags = set(region.flags)
    if flags & {Flag.TOUCHES_IMAGE_BORDER, Flag.TOUCHES_FIELD_BORDER}:
        return "against", "at the edge of the film or of the exposed field"
    if Flag.NEAR_METAL in flags:
        return "against", "beside a marker or metal"
    return None


def _outside(region: Region) -> tuple[Speaks, str] | None:
    if _on_bone(region):
        return None
    return (
        "against",
        f"{100 * (1 - region.bone_fraction):.0f} % of it and its surroundings outside bone",
    )


def _place(region: Region) -> tuple[Speaks, str] | None:
    if region.location is None or not _on_bone(region):
        return None
    return "neither", f"place: {region.location.text}"


RULES = (
    Rule(
        "network",
        "Mean of the lucency map inside. For: strongly from 0.75, clearly from 0.5, weakly from "
        "0.2. Against: hardly any sign from 0.05, no sign below.",
        _network,
    ),
    Rule(
        "cortex_break",
        "For: `cortex_break_px` over 0, unless `enclosure` and `ring_in_bone` are 0.9 and more: "
        "brighter bone on all sides contradicts a break.",
        _break,
    ),
    Rule("expansion", "For: `bone_expansion` of 1.1 and more.", _expansion),
    Rule(
        "scalloping",
        "For: `scalloping_band` under or over half, and no break.",
        _scalloping,
    ),
    Rule(
        "darkness",
        "For: `bone_loss` of 0.2 and more, much from 0.5 on, with a `bone_fraction` of 0.5 and "
        "more, else "
        "`contrast_to_noise` of 1 and more, much from 3 on if `contrast` is 0.05 or more. Against: "
        "`contrast_to_noise` under 0.5 and `lucency` under 0.5.",
        _darkness,
    ),
    Rule(
        "margin",
        "For: `margin` sharp, with rim or without. Neither: ill-defined, permeative.",
        _margin,
    ),
    Rule(
        "enclosure",
        "For: `enclosure` and `ring_in_bone` of 0.9 and more, with a `bone_fraction` of 0.5 and "
        "more, and no break. Against: `enclosure` under 0.5, at a `contrast_to_noise` of 0.5 and "
        "more and a `lucency` under 0.5.",
        _enclosed,
    ),
    Rule(
        "shape",
        "For: `solidity` over 0.9 and `eccentricity` under 0.9. Against: `eccentricity` over 0.97. "
        "Nothing with the flag `too_small_to_shape`.",
        _shape,
    ),
    Rule("outside_bone", "Against: `bone_fraction` under 0.5.", _outside),
    Rule("border", "Against: a flag of the border, the field or metal.", _border),
    Rule("place", "Neither: `location.text`, with a `bone_fraction` of 0.5 and more.", _place),
)
"""All signs, in their order within for, against and neither."""
