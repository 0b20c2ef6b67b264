"""Draw random lesions of the usual kinds, at sizes that fit the bone.

For both phantoms and films: a kind draws a `Draft` for a bone of a given half width, in the unit of
that width; `draw_lesions` places drafts in phantoms, `film_lesions` in films.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lesionscan.simulation.body.anatomy import Anatomy
from lesionscan.simulation.body.bones import Bone
from lesionscan.simulation.body.lesions import Lesion

Fractions = np.ndarray[tuple[int], np.dtype[np.float64]]

_STEPS: Fractions = np.linspace(0.04, 0.96, 47)
# a lesion needs two tries on average, and ten if there are five others
_TRIES = 20


@dataclass(frozen=True, slots=True)
class Draft:
    """A lesion without a position along a bone; lengths are in the unit of the bone's width.

    Attributes
    ----------
    kind
        Name of its kind.
    across
        Position of its centre, -1..1 from side to side.
    diameter, elongation, angle_deg, removed, margin, wobble
        As in `Lesion`.
    moth_eaten, rim, septa, shell, one_sided
        As in `Lesion`.
    expansile
        Whether it expands the bone.
    gap
        Bone left between the lesion and the joint surface; None for a lesion anywhere along the
        bone.
    """

    kind: str
    across: float
    diameter: float
    elongation: float
    angle_deg: float
    removed: float
    margin: float
    wobble: float
    moth_eaten: float = 0.0
    rim: float = 0.0
    septa: float = 0.0
    shell: float = 0.8
    one_sided: float = 0.0
    expansile: bool = False
    gap: float | None = None


Kind = Callable[[np.random.Generator, float], Draft]
"""Draws a draft for a bone with a half width in mm, or in nominal mm (see `film_lesions`)."""


def draw_lesions(rng: np.random.Generator, anatomy: Anatomy, *, count: int) -> tuple[Lesion, ...]:
    """Draw up to `count` lesions that do not touch each other and lie in the picture.

    Sizes depend on the bone: 0.15 to 2.1 of its half width inside it, more if expansile. Three or
    more lesions are in one of three cases a cluster of small holes along one bone. Fewer are
    returned if no place is found in `_TRIES` tries per lesion.

    Raises
    ------
    ValueError
        If `count` is negative.
    """
    if count < 0:
        raise ValueError(f"the number of lesions must be 0 or greater, got {count}")
    covers = [_circle(anatomy.bone(name)) for name in anatomy.covers]
    taken: list[tuple[float, float, float]] = []
    drawn: list[Lesion] = []
    cluster = draw_cluster(rng, count)
    bone = anatomy.bone(anatomy.targets[int(rng.integers(len(anatomy.targets)))])
    for _ in range(_TRIES * count):
        if len(drawn) == count:
            break
        if not cluster:
            bone = anatomy.bone(anatomy.targets[int(rng.integers(len(anatomy.targets)))])
        kind = small_hole if cluster else KINDS[int(rng.integers(len(KINDS)))]
        lesion = _placed(rng, kind, bone, anatomy.field_mm)
        if not _fits(lesion, bone):
            continue
        x, y, _ = bone.point_mm(lesion.along, lesion.across)
        radius = 0.5 * lesion.diameter_mm * float(np.sqrt(lesion.elongation)) + lesion.margin_mm
        # a large lesion may extend behind a covering bone, except for its middle
        seen = all(np.hypot(x - a, y - b) >= min(radius, 5.0) + c + 2.0 for a, b, c in covers)
        if seen and all(np.hypot(x - a, y - b) >= radius + c + 2.0 for a, b, c in taken):
            taken.append((x, y, radius))
            drawn.append(lesion)
    return tuple(drawn)


def _fits(lesion: Lesion, bone: Bone) -> bool:
    """Return whether a lesion is not longer than its bone, and not expansile in a skull's vault."""
    long = lesion.diameter_mm * float(np.sqrt(lesion.elongation))
    length = float(np.ptp(bone.reach())) * bone.scale
    return long <= length and not (lesion.expansile and bone.wall is not None)


def draw_cluster(rng: np.random.Generator, count: int) -> bool:
    """Draw whether `count` lesions are a cluster of small holes: a third of three or more are."""
    return bool(rng.random() < 1.0 / 3.0) and count >= 3


def _placed(
    rng: np.random.Generator, kind: Kind, bone: Bone, field_mm: tuple[float, float]
) -> Lesion:
    """Draw a lesion of a kind, and its position along a bone."""
    places = places_along(bone, field_mm)
    along = float(places[int(rng.integers(places.size))])
    ends = [end for end in (0.0, 1.0) if abs(float(places[int(-end)]) - end) < 0.05]
    draft = kind(rng, half_width_at(bone, along))
    if draft.gap is not None and not ends:
        draft = geographic(rng, half_width_at(bone, along))
    elif draft.gap is not None:
        end = ends[int(rng.integers(len(ends)))]
        length = float(np.ptp(bone.reach())) * bone.scale
        draft = kind(rng, half_width_at(bone, abs(end - 0.08)))
        reach = 0.5 * draft.diameter * float(np.sqrt(draft.elongation)) + (draft.gap or 0.0)
        along = abs(end - min(reach / length, 0.5))
    return Lesion(
        bone.name, along, draft.across,
        diameter_mm=float(np.clip(draft.diameter, 1.6, 200.0)), elongation=draft.elongation,
        angle_deg=draft.angle_deg, removed=draft.removed, margin_mm=max(draft.margin, 0.1),
        wobble=draft.wobble, moth_eaten=draft.moth_eaten, rim_mm=draft.rim, septa=draft.septa,
        shell_mm=draft.shell, expansile=draft.expansile, one_sided=draft.one_sided,
        kind=draft.kind,
    )  # fmt: skip


def _circle(bone: Bone) -> tuple[float, float, float]:
    """Return the middle (x, y) of a bone and 0.6 of its greatest reach from there, in mm."""
    x, y = (float(v) for v in bone.outline_mm.mean(axis=0))
    far = np.hypot(bone.outline_mm[:, 0] - x, bone.outline_mm[:, 1] - y)
    return x, y, 0.6 * float(far.max())


def places_along(bone: Bone, field_mm: tuple[float, float]) -> Fractions:
    """Return the fractions along a bone at which its middle is well inside the picture."""
    inset = 0.06 * max(field_mm)
    seen = [
        float(step)
        for step in _STEPS
        for x, y, _ in (bone.point_mm(float(step), 0.0),)
        if inset < x < field_mm[0] - inset and inset < y < field_mm[1] - inset
    ]
    return np.array(seen or [0.5], dtype=np.float64)


def half_width_at(bone: Bone, along: float) -> float:
    """Return the bone's half width in mm, at most 26 (if two parts of a bone are crossed)."""
    return min(bone.point_mm(along, 0.0)[2], 26.0)


def punched_out(rng: np.random.Generator, half: float) -> Draft:
    """Return a sharp hole without a rim, as in multiple myeloma."""
    return Draft(
        "punched_out", float(rng.uniform(-0.6, 0.6)), half * float(rng.uniform(0.25, 0.75)),
        elongation=float(rng.uniform(1.0, 1.4)), angle_deg=float(rng.uniform(-90, 90)),
        removed=float(rng.uniform(0.4, 0.9)), margin=float(rng.uniform(0.3, 0.6)),
        wobble=float(rng.uniform(0.04, 0.12)), shell=float(rng.uniform(0.0, 0.6)),
        one_sided=float(rng.uniform(0.0, 0.5)),
    )  # fmt: skip


def small_hole(rng: np.random.Generator, half: float) -> Draft:
    """Return one of many small holes."""
    return Draft(
        "cluster", float(rng.uniform(-0.7, 0.7)), half * float(rng.uniform(0.15, 0.5)),
        elongation=float(rng.uniform(1.0, 1.4)), angle_deg=float(rng.uniform(-90, 90)),
        removed=float(rng.uniform(0.35, 0.9)), margin=float(rng.uniform(0.3, 0.8)),
        wobble=float(rng.uniform(0.04, 0.12)), shell=float(rng.uniform(0.0, 0.6)),
        one_sided=float(rng.uniform(0.0, 0.8)),
    )  # fmt: skip


def geographic(rng: np.random.Generator, half: float) -> Draft:
    """Return a well-defined lesion of the canal or metaphysis, often with a rim."""
    return Draft(
        "geographic", float(rng.uniform(-0.35, 0.35)), half * float(rng.uniform(0.8, 1.7)),
        elongation=float(rng.uniform(1.0, 2.0)), angle_deg=float(rng.uniform(-20, 20)),
        removed=float(rng.uniform(0.35, 0.8)), margin=float(rng.uniform(0.5, 1.5)),
        wobble=float(rng.uniform(0.08, 0.2)), rim=float(max(0.0, rng.uniform(-1.5, 2.2))),
        septa=float(max(0.0, rng.uniform(-0.3, 0.5))), shell=float(rng.uniform(0.4, 1.0)),
        one_sided=float(rng.uniform(0.0, 1.0)),
    )  # fmt: skip


def faint(rng: np.random.Generator, half: float) -> Draft:
    """Return a lesion that removes little bone and is hard to see."""
    return Draft(
        "faint", float(rng.uniform(-0.5, 0.5)), half * float(rng.uniform(0.5, 1.6)),
        elongation=float(rng.uniform(1.0, 1.8)), angle_deg=float(rng.uniform(-30, 30)),
        removed=float(rng.uniform(0.1, 0.35)), margin=float(rng.uniform(0.6, 2.2)),
        wobble=float(rng.uniform(0.06, 0.18)), shell=float(rng.uniform(0.2, 1.0)),
        one_sided=float(rng.uniform(0.0, 0.8)),
    )  # fmt: skip


def permeative(rng: np.random.Generator, half: float) -> Draft:
    """Return an aggressive lesion with a wide moth-eaten margin."""
    return Draft(
        "permeative", float(rng.uniform(-0.3, 0.3)), half * float(rng.uniform(1.0, 1.9)),
        elongation=float(rng.uniform(1.2, 2.2)), angle_deg=float(rng.uniform(-15, 15)),
        removed=float(rng.uniform(0.45, 0.8)), margin=half * float(rng.uniform(0.12, 0.22)),
        wobble=float(rng.uniform(0.08, 0.18)), moth_eaten=float(rng.uniform(0.5, 1.0)),
        shell=float(rng.uniform(0.0, 0.4)),
    )  # fmt: skip


def cortical(rng: np.random.Generator, half: float) -> Draft:
    """Return an eccentric lesion that scallops or breaches one cortex."""
    side = -1.0 if rng.random() < 0.5 else 1.0
    return Draft(
        "cortical", side * float(rng.uniform(0.62, 0.85)), half * float(rng.uniform(0.6, 1.2)),
        elongation=float(rng.uniform(1.3, 2.4)), angle_deg=float(rng.uniform(-12, 12)),
        removed=float(rng.uniform(0.5, 0.95)), margin=float(rng.uniform(0.4, 1.2)),
        wobble=float(rng.uniform(0.08, 0.18)), rim=float(max(0.0, rng.uniform(-2.0, 2.5))),
        septa=float(max(0.0, rng.uniform(-0.6, 0.5))), shell=float(rng.uniform(0.0, 0.9)),
        one_sided=float(rng.uniform(0.0, 0.5)),
    )  # fmt: skip


def whole_width(rng: np.random.Generator, half: float) -> Draft:
    """Return a lesion that fills a tubular bone from cortex to cortex.

    Like an enchondroma or, if several times as long as wide, a bone cyst with septa.
    """
    elongation = float(rng.uniform(1.2, 2.4) if rng.random() < 0.6 else rng.uniform(2.4, 4.0))
    return Draft(
        "whole_width", float(rng.uniform(-0.08, 0.08)),
        2.0 * half * float(rng.uniform(0.8, 1.0)) * float(np.sqrt(elongation)),
        elongation=elongation, angle_deg=float(rng.uniform(-5, 5)),
        removed=float(rng.uniform(0.35, 0.8)), margin=float(rng.uniform(0.5, 1.8)),
        wobble=float(rng.uniform(0.06, 0.14)), rim=float(max(0.0, rng.uniform(-2.0, 1.5))),
        septa=float(max(0.0, rng.uniform(-0.3, 0.8))), shell=float(rng.uniform(0.4, 1.5)),
        one_sided=float(rng.uniform(0.0, 0.8)),
    )  # fmt: skip


def expansile(rng: np.random.Generator, half: float) -> Draft:
    """Return an expansile lesion, wider than a thin bone, else up to 1.7 times its width."""
    # bones of hand and foot may be expanded to more than twice their width
    widening = float(rng.uniform(1.15, 2.3)) if half < 12.0 else float(rng.uniform(1.05, 1.6))
    elongation = float(rng.uniform(1.0, 2.6))
    return Draft(
        "expansile", float(rng.uniform(-0.15, 0.15)),
        2.17 * half * widening * float(np.sqrt(elongation)),
        elongation=elongation, angle_deg=float(rng.uniform(-6, 6)),
        removed=float(rng.uniform(0.45, 0.9)), margin=float(rng.uniform(0.4, 1.5)),
        wobble=float(rng.uniform(0.04, 0.1)), septa=float(max(0.0, rng.uniform(-0.3, 0.5))),
        shell=float(rng.uniform(0.5, 0.9)), one_sided=float(rng.uniform(0.0, 0.6)),
        expansile=True,
    )  # fmt: skip


def condylar(rng: np.random.Generator, half: float) -> Draft:
    """Return an eccentric lesion that fills the end of a bone up to the joint, without a rim.

    Like a giant cell tumour, sometimes through one cortex.
    """
    side = -1.0 if rng.random() < 0.5 else 1.0
    size = float(rng.uniform(0.9, 2.1))
    return Draft(
        "condylar", side * float(rng.uniform(0.1, 0.5)), half * size,
        elongation=float(rng.uniform(1.0, 1.6)), angle_deg=float(rng.uniform(-35, 35)),
        removed=float(rng.uniform(0.35, 0.85)), margin=float(rng.uniform(0.5, 2.2)),
        wobble=float(rng.uniform(0.08, 0.2)), septa=float(max(0.0, rng.uniform(-0.3, 0.5))),
        shell=float(max(0.0, rng.uniform(-0.3, 0.8))), one_sided=float(rng.uniform(0.0, 1.0)),
        gap=float(rng.uniform(0.5, 3.0)),
    )  # fmt: skip


def rimmed(rng: np.random.Generator, half: float) -> Draft:
    """Return a lesion whose sclerotic rim is easier to see than the bone that it removes.

    The least aggressive type (IA) of Lodwick et al. (Radiology 1980;134:577), as a quiescent bone
    cyst or fibrous dysplasia; walls inside it are seen as lines.
    """
    return Draft(
        "rimmed", float(rng.uniform(-0.5, 0.5)), half * float(rng.uniform(0.5, 1.9)),
        elongation=float(rng.uniform(1.0, 2.2)), angle_deg=float(rng.uniform(-30, 30)),
        removed=float(rng.uniform(0.08, 0.35)), margin=float(rng.uniform(0.3, 0.9)),
        wobble=float(rng.uniform(0.06, 0.2)), rim=float(rng.uniform(0.8, 3.2)),
        septa=float(max(0.0, rng.uniform(-0.4, 0.7))), shell=float(rng.uniform(0.3, 1.0)),
        one_sided=float(rng.uniform(0.0, 0.6)),
    )  # fmt: skip


KINDS: tuple[Kind, ...] = (
    punched_out, geographic, faint, permeative, cortical, whole_width, expansile, condylar, rimmed,
)  # fmt: skip
"""The kinds of single lesions; `small_hole` is used in clusters."""

SIZED_KINDS: tuple[Kind, ...] = (punched_out, small_hole, geographic, cortical, rimmed)
"""The kinds that occur at any size, even much smaller than their bone."""
