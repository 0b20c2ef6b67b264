"""Cortex of lesions against the truth of phantoms: python scripts/research/check_cortex.py.

Lesions that break the cortex, thin it, spare it or expand the bone are drawn in shafts of phantoms.
The measurements of the candidate are compared with the phantom of the same seed without the lesion.
Prints one line per phantom, the number whose cortex could be followed, and sensitivity and
specificity for these.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lesionscan import Findings, find_candidates
from lesionscan.detection.location import BoneMap, Frame
from lesionscan.detection.measure import Region
from lesionscan.radiograph import BoolImage, Radiograph
from lesionscan.simulation.body.lesions import Lesion
from lesionscan.simulation.fields import generator
from lesionscan.simulation.phantom import BODY_PARTS, Phantom, make_phantom
from lesionscan.simulation.random_lesions import half_width_at, places_along

BONES = (
    ("femur", "femur"),
    ("humerus", "humerus"),
    ("lower_leg", "tibia"),
    ("lower_leg", "fibula"),
    ("forearm", "radius"),
    ("forearm", "ulna"),
)
KINDS = ("break", "expansile", "full", "endosteal", "break", "expansile", "inner")
LEAST_BREAK_PX, EXPANDED, NOT_EXPANDED = 3.0, 1.15, 1.05
"""What counts as a break, as an expanded bone and as one that is not; between is left out."""
SAID_EXPANDED = 1.1
"""From which on the sign is given (`lesionscan.detection.signs`)."""
LEAST_OVERLAP = 0.3
"""Dice of the candidate that stands for a lesion; without one the lesion is missed."""


@dataclass(frozen=True)
class Case:
    """A phantom: its truth, and the candidate on its lesion."""

    kind: str
    break_px: float
    expansion: float
    region: Region | None


def draw(seed: int) -> tuple[str, str, Lesion]:
    """Return body part, kind and lesion of a seed."""
    rng = np.random.default_rng(seed)
    part, name = BONES[seed % len(BONES)]
    kind = KINDS[seed % len(KINDS)]
    anatomy = BODY_PARTS[part](generator(seed, 0))
    bone = anatomy.bone(name)
    along = float(rng.choice(places_along(bone, anatomy.field_mm)[2:-2]))
    half = half_width_at(bone, along)
    side = float(rng.choice([-1, 1]))

    def lesion(across: float, halves: float, shell_mm: float, *, expansile: bool = False) -> Lesion:
        return Lesion(
            name, along, across, max(half * halves, 4.0),
            elongation=rng.uniform(1, 1.6), angle_deg=rng.uniform(-20, 20),
            removed=rng.uniform(0.75, 0.98), margin_mm=rng.uniform(0.3, 1.2), wobble=0.05,
            shell_mm=shell_mm, expansile=expansile,
        )  # fmt: skip

    made = {
        "break": lambda: lesion(side * rng.uniform(0.7, 0.95), rng.uniform(0.8, 1.4), 0.0),
        "endosteal": lambda: lesion(
            side * rng.uniform(0.3, 0.6), rng.uniform(0.8, 1.2), rng.uniform(0.8, 2.0)
        ),
        "inner": lambda: lesion(rng.uniform(-0.15, 0.15), rng.uniform(0.5, 0.8), 1.0),
        "full": lambda: lesion(rng.uniform(-0.1, 0.1), rng.uniform(1.4, 2.0), 1.0),
        "expansile": lambda: lesion(
            rng.uniform(-0.3, 0.3), rng.uniform(2.3, 3.4), rng.uniform(0.5, 1.0), expansile=True
        ),
    }
    return part, kind, made[kind]()


def case_of(seed: int) -> Case | None:
    """Make and search a phantom; None where its lesion has no place on a long bone."""
    part, kind, lesion = draw(seed)
    phantom = make_phantom(part, seed, lesions=(lesion,))
    before = make_phantom(part, seed, lesions=(), film=phantom.film)
    truth = phantom.lesions == 1
    number = phantom.bone_names.index(lesion.bone) + 1
    bone, intact = phantom.bones == number, before.bones == number
    frame = _frame(intact | truth, truth) if truth.any() else None
    if frame is None:
        return None
    touched = truth & bone & ~ndimage.binary_erosion(bone, iterations=2)
    run = (np.argwhere(touched) - frame.centre) @ frame.axis
    broken = float(np.ptp(run)) + 1.0 if len(run) and lesion.shell_mm == 0 else 0.0
    expansion = _expansion(bone | truth, intact, frame) if lesion.expansile else 1.0
    region = _candidate_on(find_candidates(_radiograph(phantom)), truth)
    return Case(kind, broken if broken >= LEAST_BREAK_PX else 0.0, expansion, region)


def _radiograph(phantom: Phantom) -> Radiograph:
    pixels = phantom.stored.astype(np.float32)
    if phantom.film.photometric == "MONOCHROME1":
        pixels = pixels.max() - pixels
    return Radiograph(pixels=pixels, valid=np.ones(pixels.shape, np.bool_))


def _candidate_on(findings: Findings, truth: BoolImage) -> Region | None:
    """Return the candidate that overlaps a lesion best."""
    best, most = None, LEAST_OVERLAP
    for candidate in findings.candidates:
        own = findings.labels == candidate.id
        dice = 2.0 * float((own & truth).sum()) / float(own.sum() + truth.sum())
        if dice > most:
            best, most = candidate.region, dice
    return best


def _frame(bone: BoolImage, lesion: BoolImage) -> Frame | None:
    rows, cols = np.nonzero(lesion)
    box = np.s_[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]
    reach = float(np.sqrt(lesion.sum() / np.pi))
    return BoneMap.of(bone).locate(lesion[box], box, reach_px=reach).frame


def _expansion(bone: BoolImage, intact: BoolImage, frame: Frame) -> float:
    """Return the largest ratio of both bones' widths along the lesion."""
    across = np.arange(-1.5 * frame.width_px, 1.5 * frame.width_px, 0.5)
    ratios = [1.0]
    for along in np.linspace(*frame.reach_px, 41):
        line = frame.centre + along * frame.axis + across[:, None] * frame.across
        at = tuple(np.rint(line).astype(int).T)
        inside = [(one >= 0) & (one < side) for one, side in zip(at, bone.shape, strict=True)]
        seen = tuple(one[inside[0] & inside[1]] for one in at)
        if intact[seen].sum() > 5:
            ratios.append(float(bone[seen].sum() / intact[seen].sum()))
    return max(ratios)


def shares(cases: Sequence[Case]) -> list[str]:
    """Return the summary lines of all cases."""
    found = [case for case in cases if case.region is not None]
    breaks: tuple[list[bool], list[bool]] = ([], [])
    expansions: tuple[list[bool], list[bool]] = ([], [])
    for case in found:
        region = case.region
        if region is None or region.cortex_break_px is None or region.bone_expansion is None:
            continue
        breaks[case.break_px == 0].append(region.cortex_break_px > 0)
        if case.expansion >= EXPANDED or case.expansion < NOT_EXPANDED:
            said = region.bone_expansion >= SAID_EXPANDED
            expansions[case.expansion < NOT_EXPANDED].append(said)
    followed = sum(map(len, breaks))
    lines = [f"{len(cases)} lesions, {len(found)} found, cortex followed at {followed}"]
    for name, (there, absent) in (("break", breaks), ("expansion", expansions)):
        lines.append(
            f"{name}: sensitivity {sum(there)} of {len(there)}, "
            f"specificity {len(absent) - sum(absent)} of {len(absent)}"
        )
    return lines


def main() -> None:
    """Print one line for every phantom and the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=2000, help="first seed")
    parser.add_argument("--count", type=int, default=120, help="number of phantoms")
    options = parser.parse_args()
    cases = []
    for seed in range(options.seed, options.seed + options.count):
        case = case_of(seed)
        if case is None:
            continue
        cases.append(case)
        said = case.region and (
            case.region.cortex_break_px, case.region.bone_expansion,
            case.region.endosteal_scalloping, case.region.cortex_unknown,
        )  # fmt: skip
        print(seed, case.kind, round(case.break_px, 1), round(case.expansion, 2), said, flush=True)
    print(*shares(cases), sep="\n")


if __name__ == "__main__":
    main()
