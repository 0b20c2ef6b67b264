"""Sizes and stacking of vertebrae, in millimetres.

The sizes are those of an adult, rounded to half millimetres, near published morphometry (Panjabi et
al., Spine 16:888, 1991, thoracic; Spine 17:299, 1992, lumbar).
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from lesionscan.simulation.body.person import Person, Pose
from lesionscan.simulation.fields import Field


@dataclass(frozen=True, slots=True)
class Vertebra:
    """Sizes of one vertebra, in mm.

    Attributes
    ----------
    name
        Name of its body as a bone.
    width, depth
        Of the body at its endplates, from side to side and from front to back.
    front, back
        Height of the body at its front and back.
    disc
        Height of the disc below it.
    canal
        Distance between its pedicles.
    pedicle, pedicle_height
        Width and height of a pedicle.
    spread
        Distance between the tips of its transverse processes.
    """

    name: str
    width: float
    depth: float
    front: float
    back: float
    disc: float
    canal: float
    pedicle: float
    pedicle_height: float
    spread: float

    @property
    def height(self) -> float:
        """Height in the middle, in mm."""
        return 0.5 * (self.front + self.back)


THORACIC: tuple[Vertebra, ...] = (
    Vertebra("T1", 28.0, 17.0, 14.0, 14.5, 4.0, 20.0, 7.5, 9.5, 74.0),
    Vertebra("T2", 27.5, 18.0, 15.0, 15.5, 3.5, 18.0, 7.0, 11.0, 70.0),
    Vertebra("T3", 27.0, 20.0, 15.5, 16.0, 3.5, 17.0, 5.5, 11.5, 64.0),
    Vertebra("T4", 27.5, 22.0, 16.0, 16.5, 3.5, 17.0, 5.0, 11.5, 62.0),
    Vertebra("T5", 28.5, 24.0, 16.5, 17.0, 3.5, 17.0, 5.5, 11.5, 61.0),
    Vertebra("T6", 29.5, 26.0, 17.0, 18.0, 4.0, 17.0, 5.5, 11.5, 61.0),
    Vertebra("T7", 30.5, 27.5, 17.5, 18.5, 4.0, 17.0, 5.5, 12.0, 60.0),
    Vertebra("T8", 32.0, 28.5, 18.5, 19.5, 4.5, 17.0, 6.0, 12.5, 59.0),
    Vertebra("T9", 34.0, 29.5, 19.5, 20.5, 4.5, 17.0, 6.5, 13.5, 58.0),
    Vertebra("T10", 36.0, 30.0, 20.5, 21.5, 5.0, 17.5, 7.0, 14.5, 57.0),
    Vertebra("T11", 38.0, 31.0, 21.5, 23.0, 5.5, 19.0, 8.5, 16.5, 52.0),
    Vertebra("T12", 40.0, 32.5, 23.5, 25.5, 6.5, 22.0, 8.0, 16.0, 47.0),
)
LUMBAR: tuple[Vertebra, ...] = (
    Vertebra("L1", 42.0, 34.0, 25.5, 27.0, 8.0, 23.0, 8.0, 15.5, 72.0),
    Vertebra("L2", 44.0, 35.0, 26.5, 27.5, 9.5, 23.5, 8.5, 15.0, 78.0),
    Vertebra("L3", 46.0, 35.5, 27.5, 27.5, 10.5, 24.0, 10.0, 14.5, 88.0),
    Vertebra("L4", 49.0, 35.5, 28.0, 26.5, 11.0, 25.5, 12.5, 15.0, 84.0),
    Vertebra("L5", 51.0, 35.0, 29.5, 25.5, 10.0, 28.0, 15.5, 16.0, 92.0),
)


def worn(rng: np.random.Generator, vertebrae: tuple[Vertebra, ...]) -> tuple[Vertebra, ...]:
    """Vary the height of discs, and sometimes narrow a low disc as with age."""
    shares = rng.uniform(0.8, 1.02, len(vertebrae))
    if rng.random() < 0.3:
        shares[-1 - int(rng.integers(min(3, len(vertebrae))))] = float(rng.uniform(0.4, 0.65))
    return tuple(
        replace(vertebra, disc=vertebra.disc * float(share))
        for vertebra, share in zip(vertebrae, shares, strict=True)
    )


def stacked(
    person: Person,
    vertebrae: tuple[Vertebra, ...],
    tilts_deg: tuple[float, ...],
    anchor: int,
    at_mm: tuple[float, float],
) -> tuple[Pose, ...]:
    """Return the pose of each vertebra of a column, with discs between them.

    Parameters
    ----------
    person
        The person.
    vertebrae
        From the top.
    tilts_deg
        Rotation of each, clockwise on the screen; a disc has the mean of its neighbours.
    anchor
        Index of the vertebra whose middle is at `at_mm`.
    at_mm
        Position (x, y) in image mm.
    """
    middle = [np.zeros(2)]
    for (upper, lower), (one, other) in zip(pairwise(vertebrae), pairwise(tilts_deg), strict=True):
        step = (
            0.5 * upper.height * _down(one) + upper.disc * _down(0.5 * (one + other))
            + 0.5 * lower.height * _down(other)
        )  # fmt: skip
        middle.append(middle[-1] + person.size * step)
    shift = np.array(at_mm) - middle[anchor]
    return tuple(
        Pose(person, (float(x), float(y)), tilt)
        for (x, y), tilt in zip(np.array(middle) + shift, tilts_deg, strict=True)
    )


def _down(tilt_deg: float) -> Field:
    """Return the unit vector (x, y) down the axis of a vertebra."""
    turn = np.deg2rad(tilt_deg)
    return np.array([-np.sin(turn), np.cos(turn)])
