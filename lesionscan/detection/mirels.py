"""Mirels' bands of the width of a lesion relative to its bone."""

from typing import Literal, TypeAlias

MirelsBand: TypeAlias = Literal["under_one_third", "one_to_two_thirds", "over_two_thirds"]


def mirels_width_band(lesion_to_bone_width: float | None) -> MirelsBand | None:
    """Return the band of a width ratio (no unit); None gives None."""
    if lesion_to_bone_width is None:
        return None
    # Mirels, Clin Orthop 1989;249:256-264, table 1: size under 1/3, 1/3 to 2/3, over 2/3.
    if lesion_to_bone_width < 1 / 3:
        return "under_one_third"
    return "one_to_two_thirds" if lesion_to_bone_width <= 2 / 3 else "over_two_thirds"
