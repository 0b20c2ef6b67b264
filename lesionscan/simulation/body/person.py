"""One person: what all bones of a trunk share, and where a bone of theirs is put."""

from dataclasses import dataclass, replace

import numpy as np

from lesionscan.simulation.body.anatomy import Profiles, draw_bone
from lesionscan.simulation.body.bones import Bone
from lesionscan.simulation.body.outlines import Points


@dataclass(frozen=True, slots=True)
class Person:
    """What all bones of one phantom share.

    Attributes
    ----------
    size
        Image mm per textbook mm: stature times the enlargement before the detector.
    mass
        Trabecular bone over that of a healthy adult of 40 years.
    sway_mm
        How far a slightly turned trunk shows the arches of its spine beside the bodies (from the
        front) or the far arch above the near one (from the side), in textbook mm.
    """

    size: float
    mass: float
    sway_mm: float = 0.0

    def filled(self, profiles: Profiles) -> Profiles:
        """Return profiles with this person's share of trabecular bone."""
        share = tuple((at, value * self.mass) for at, value in profiles.trabecular)
        return replace(profiles, trabecular=share)


def draw_person(rng: np.random.Generator) -> Person:
    """Return an adult, enlarged by 1.05 to 1.2: a spine lies 15 cm before the detector."""
    return Person(
        size=1.13 * float(rng.uniform(0.93, 1.06)),
        mass=float(rng.uniform(0.7, 1.2)),
        sway_mm=float(rng.uniform(-2.2, 2.2)),
    )


@dataclass(frozen=True, slots=True)
class Pose:
    """Where local (0, 0) of a bone lies in the picture and how far its axis is turned.

    Attributes
    ----------
    person
        Whose bone it is.
    at_mm
        Image x and y of local (0, 0), in mm.
    tilt_deg
        Turn, clockwise on the screen.
    """

    person: Person
    at_mm: tuple[float, float]
    tilt_deg: float = 0.0

    def draw(
        self,
        rng: np.random.Generator,
        name: str,
        points: Points,
        profiles: Profiles,
        *,
        jitter_mm: float = 0.5,
        grain: float = 0.7,
    ) -> Bone:
        """Return a bone of this person, its control points (along, across) in textbook mm."""
        return draw_bone(
            rng, name, points, self.person.filled(profiles), origin_mm=self.at_mm,
            angle_deg=self.tilt_deg, scale=self.person.size, jitter_mm=jitter_mm, grain=grain,
        )  # fmt: skip


def even(depth: float, rounding: float, cortex: float, trabecular: float) -> Profiles:
    """Return the profiles of a bone that is the same all along, in mm and as a fraction."""
    return Profiles(((0.0, depth),), ((0.0, rounding),), ((0.0, cortex),), ((0.0, trabecular),))


def side_sign(word: str) -> float:
    """Return 1 for the person's left, which is the right of the picture, and -1 for the right."""
    return 1.0 if word == "left" else -1.0


def flipped(points: Points, word: str) -> Points:
    """Return (along, across) points that are drawn for the left, for the side asked for."""
    return tuple((along, side_sign(word) * across) for along, across in points)
