"""Refuse pairs of films that do not show the same bones in the same view."""

from collections.abc import Mapping

from lesionscan.codes import RefusalCode
from lesionscan.comparison.registration import Registration
from lesionscan.radiograph import Fact

MIN_COMMON_BONE = 0.3
"""Share of the smaller bone mask that the other film must show."""
MIN_MATCHED = 0.5
"""Share of the blocks of common bone that must match."""
MIN_CORRELATION = 0.55
"""Minimum correlation of the two films in their common bone."""

_FACTS = (
    ("body_part_examined", RefusalCode.OTHER_BODY_PART, "body parts"),
    ("view_position", RefusalCode.OTHER_VIEW, "views"),
    ("laterality", RefusalCode.OTHER_SIDE, "sides"),
)
_REMEDY = "compare films of the same part, view and side, or use --ignore-headers if they are wrong"


class RefusedPairError(Exception):
    """Two films that are not compared.

    Parameters
    ----------
    code
        Why.
    message
        Cause and remedy in one line; never repeats text found in a file.
    """

    def __init__(self, code: RefusalCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def check_headers(before: Mapping[str, Fact], after: Mapping[str, Fact]) -> None:
    """Refuse films whose headers name different body parts, views or sides.

    Parameters
    ----------
    before, after
        Facts of the allow-list (`lesionscan.reading.acquisition`).

    Raises
    ------
    RefusedPairError
        When both state a body part, a view or a side, and not the same.
    """
    for name, code, words in _FACTS:
        said = {_fact(facts, name) for facts in (before, after)} - {None}
        if len(said) > 1:
            raise RefusedPairError(code, f"the headers name different {words}; {_REMEDY}")


def _fact(facts: Mapping[str, Fact], name: str) -> Fact | None:
    if name == "laterality":
        side = facts.get("image_laterality", facts.get("laterality"))
        return side if side in ("R", "L") else None
    return facts.get(name)


def check_fit(found: Registration | None) -> Registration:
    """Return the registration if it is good enough.

    Parameters
    ----------
    found
        The best registration; None if there was too little bone.

    Raises
    ------
    RefusedPairError
        If it is not good enough.
    """
    if found is None:
        raise RefusedPairError(
            RefusalCode.LITTLE_COMMON_BONE,
            "the films have too little bone in common; compare films of the same place",
        )
    fit = found.fit
    if fit.common_bone < MIN_COMMON_BONE:
        raise RefusedPairError(
            RefusalCode.LITTLE_COMMON_BONE,
            f"the films have {fit.common_bone:.0%} of the bone in common, at least "
            f"{MIN_COMMON_BONE:.0%} are needed; compare films of the same place",
        )
    if fit.matched_blocks < MIN_MATCHED or fit.correlation < MIN_CORRELATION:
        raise RefusedPairError(
            RefusalCode.POOR_FIT,
            f"the bones do not fit ({fit.matched_blocks:.0%} of them agree, correlation "
            f"{fit.correlation:.2f}); compare films of one person in the same position",
        )
    return found
