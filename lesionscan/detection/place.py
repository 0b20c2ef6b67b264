"""Describe a candidate's location on its bone in radiological terms.

Body part, side and which end is proximal are taken from the header, or left out; the rest is
geometry.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from lesionscan.radiograph import Fact

Third: TypeAlias = Literal["proximal_third", "middle_third", "distal_third", "end_third"]
Position: TypeAlias = Literal["central", "eccentric", "cortical", "surface"]

MOST_PIECES = 2**31 - 1
"""Maximum label; labels are int32."""

_CENTRAL = 1 / 3
"""A region is central if its centre is in the middle third of the bone's width, or if it takes most
of that width."""
_MOST_OF_THE_WIDTH = 0.8
_IN_THE_CORTEX = 0.45
"""A cortical region lies within about the outer quarter of the width and reaches the edge."""
_AT_THE_EDGE = 0.85
_ON_THE_SURFACE = 1 / 3
"""A region with a smaller share on the bone lies on its surface."""

_BODY_PARTS_OF_THE_MIDLINE = """
    BACK COCCYX CSPINE CTSPINE FACE HEAD HEADNECK HEART JAW LSPINE LSSPINE MANDIBLE MAXILLA NECK
    NECKCHEST NOSE SKULL SPINE SSPINE STERNUM TLSPINE TSPINE
"""
_BODY_PARTS_OF_THE_TRUNK = "ABDOMEN ABDOMENPELVIS CHEST CHESTABDOMEN CHESTABDPELVIS PELVIS"
_OTHER_FLAT_OR_SHORT_BONES = """
    BREAST CALCANEUS ILIUM LUNG ORBIT PATELLA RIB SCAPULA SIJOINT TMJOINT ZYGOMA
"""
_MIDLINE = frozenset(_BODY_PARTS_OF_THE_MIDLINE.split())
_TRUNK = frozenset(_BODY_PARTS_OF_THE_TRUNK.split())
"""These films may also show the humeri or the femora."""
_NO_LONG_BONES = _MIDLINE | frozenset(_OTHER_FLAT_OR_SHORT_BONES.split())
"""Body parts (PS3.16 Annex L) without long bones: elongated bone is a rib, a spine or a jaw."""
_ARMS_AND_LEGS = """
    ANKLE ARM CALF ELBOW FEMUR FIBULA FOREARM HIP HUMERUS KNEE LEG LOWERLEG LOWERLIMB RADIUS
    RADIUSULNA SHOULDER THIGH TIBIA TIBIAFIBULA ULNA UPPERARM UPPERLIMB
"""
_LIMBS = frozenset(_ARMS_AND_LEGS.split())
"""Body parts in which distal is towards the feet; not so in hands and feet."""
_SIDES = {"R": "right", "L": "left"}


@dataclass(frozen=True, slots=True)
class Location:
    """Location of a candidate on its bone."""

    bone_id: Annotated[
        int,
        Field(ge=1, le=MOST_PIECES, description="Number of the connected piece of the bone mask."),
    ]
    along_bone: Annotated[
        float | None,
        Field(
            description="Position along the bone's axis, 0 (top or left end) to 1; null without "
            "axis."
        ),
    ]
    across_bone: Annotated[
        float | None,
        Field(
            description="Position across the bone in units of its half width, -1 to 1, 0 on the "
            "axis; null without axis."
        ),
    ]
    long_bone: Annotated[
        bool | None,
        Field(
            description="Whether the bone is a long one: true if its outline is at least four "
            "times as long as it is wide (three times if the film cuts it), false if the file "
            "names a body part without long bones, otherwise null; always null on films of the "
            "trunk."
        ),
    ] = None
    third: Annotated[
        Third | None,
        Field(
            description="Third of the long bone's length; end_third if the file does not say "
            "which end is proximal; null if the film does not show both ends, or if the outline "
            "includes another bone."
        ),
    ] = None
    near_joint: Annotated[
        bool | None,
        Field(
            description="Whether it lies near a joint or growth plate: within the bone's greatest "
            "width of its end (square of Heim: Müller et al., The comprehensive classification of "
            "fractures of long bones, 1990), or where the bone flares to 1.5 times its shaft; "
            "false only if both ends of the bone are seen and it is narrower between them; null if "
            "undetermined."
        ),
    ] = None
    position: Annotated[
        Position | None,
        Field(
            description="Across the bone: central (centre in the middle third of the width, or "
            "0.8 of the width taken), eccentric, cortical (in the outer quarter, at the edge), "
            "surface (under a third of it on the bone); null without axis or "
            "on films of the trunk or of a body part without long bones, where the film cuts the "
            "bone's width, or where the outline joins two bones."
        ),
    ] = None
    text: Annotated[
        str, Field(description="All of this in one line, with body part and side from the file.")
    ] = ""


@dataclass(frozen=True, slots=True)
class FilmWords:
    """Body part, side and orientation from the header.

    Attributes
    ----------
    site
        Side and body part, e.g. "right knee"; "" if unknown. Without a side if the film
        shows both sides or the midline, since the side in the header is then not that of the bone.
    long_bones
        False if the body part has none; None if an elongated bone may be a long bone or a rib.
    feet
        (row, column), unit step towards the patient's feet, which is distal on a limb; None if
        unknown, or if the film does not show a limb.
    """

    site: str = ""
    long_bones: bool | None = True
    feet: tuple[float, float] | None = None

    @classmethod
    def of(cls, acquisition: Mapping[str, Fact]) -> "FilmWords":
        """Read a radiograph's `acquisition`."""
        part = str(acquisition.get("body_part_examined", ""))
        side = acquisition.get("image_laterality") or acquisition.get("laterality")
        words = ("" if part in _MIDLINE | _TRUNK else _SIDES.get(str(side), ""), part.lower())
        return cls(
            site=" ".join(word for word in words if word),
            long_bones=None if part in _TRUNK else part not in _NO_LONG_BONES,
            feet=_feet(str(acquisition.get("patient_orientation", ""))) if part in _LIMBS else None,
        )


def _feet(orientation: str) -> tuple[float, float] | None:
    """Return the step towards the feet that a Patient Orientation gives, as (row, column)."""
    # PS3.3 C.7.6.1.1.1: the direction of the rows, then that of the columns, each with the most
    # important letter first
    along_row, _, along_column = orientation.partition("\\")
    steps = {"F": 1.0, "H": -1.0}
    if along_column[:1] in steps:
        return steps[along_column[0]], 0.0
    if along_row[:1] in steps:
        return 0.0, steps[along_row[0]]
    return None


def third_of(along: float, axis: tuple[float, float], feet: tuple[float, float] | None) -> Third:
    """Name the third of a bone.

    Parameters
    ----------
    along
        0 to 1 from end to end.
    axis
        (row, column): unit vector in which `along` rises.
    feet
        As in `FilmWords`.
    """
    if 1 / 3 <= along <= 2 / 3:
        return "middle_third"
    towards = 0.0 if feet is None else axis[0] * feet[0] + axis[1] * feet[1]
    if abs(towards) < 0.5:  # more across than along
        return "end_third"
    return "distal_third" if (along > 0.5) == (towards > 0) else "proximal_third"


def position_of(across: float, width_ratio: float, on_bone: float) -> Position:
    """Classify the position of a region across its bone.

    Parameters
    ----------
    across
        Its centre, -1 to 1 in half widths of the bone.
    width_ratio
        Its width / the bone's.
    on_bone
        Share of it that lies on the bone mask.

    References
    ----------
    Miller TT. Bone tumors and tumorlike conditions: analysis with conventional radiography.
    Radiology 2008;246:662-674, for the four words.
    """
    off = abs(across)
    if on_bone < _ON_THE_SURFACE and off > 0.5:
        return "surface"
    if off <= _CENTRAL or width_ratio >= _MOST_OF_THE_WIDTH:
        return "central"
    if off + width_ratio >= _AT_THE_EDGE and off - width_ratio >= _IN_THE_CORTEX:
        return "cortical"
    return "eccentric"


def place_text(location: Location, width_ratio: float | None, words: FilmWords) -> str:
    """Describe a location, e.g. "right femur: end third of a long bone, eccentric, ..."."""
    if location.long_bone is None:
        unknown = "axis" if location.across_bone is None else "kind"
        parts = [f"{unknown} of the bone not determined"]
    elif not location.long_bone:
        parts = ["not a long bone"]
    elif location.third is None:
        parts = ["long bone, third not determined"]
    else:
        parts = [f"{location.third.replace('_', ' ')} of a long bone"]
    if location.near_joint:
        parts.append("near a joint or growth plate")
    if location.position is not None:
        parts.append("on the surface" if location.position == "surface" else location.position)
    if width_ratio is not None:
        parts.append(f"{100 * width_ratio:.0f} % of its width")
    line = ", ".join(parts)
    return f"{words.site}: {line}" if words.site else line


LOCATION_COLUMNS = {
    {"text": "location_text"}.get(field.name, field.name): field.name for field in fields(Location)
}
"""Column names in tables, and the attributes of `Location` that they hold."""
