"""Properties of a person that all bones share, and the pose of a bone."""

from dataclasses import dataclass, replace

import numpy as np

from lesionscan.simulation.body.anatomy import Profiles, draw_bone
from lesionscan.simulation.body.bones import Bone
from lesionscan.simulation.body.outlines import Points


@dataclass(frozen=True, slots=True)
class Person:
    """Properties that all bones of a phantom share.

    Attributes
    ----------
    size
        Image mm per textbook mm: stature times the enlargement before the detector.
    mass
        Trabecular bone / that of a healthy adult of 40 years.
    sway_mm
        Shift of the vertebral arches against the bodies (from the front) or of the far arch against
        the near one (from the side) in a slightly rotated trunk, in textbook mm.
    """

    size: float
    mass: float
    sway_mm: float = 0.0

    def filled(self, profiles: Profiles) -> Profiles:
        """Return profiles with this person's amount of trabecular bone."""
        share = tuple((at, value * self.mass) for at, value in profiles.trabecular)
        return replace(profiles, trabecular=share)


def draw_person(rng: np.random.Generator) -> Person:
    """Draw an adult, magnified by 1.05 to 1.2, since a spine is 15 cm in front of the detector."""
    return Person(
        size=1.13 * float(rng.uniform(0.93, 1.06)),
        mass=float(rng.uniform(0.7, 1.2)),
        sway_mm=float(rng.uniform(-2.2, 2.2)),
    )


@dataclass(frozen=True, slots=True)
class Pose:
    """Position and rotation of a bone in the picture.

    Attributes
    ----------
    person
        The person.
    at_mm
        Image x and y of local (0, 0), in mm.
    tilt_deg
        Rotation, clockwise on the screen.
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
        """Create a bone of this person from control points (along, across) in textbook mm."""
        return draw_bone(
            rng, name, points, self.person.filled(profiles), origin_mm=self.at_mm,
            angle_deg=self.tilt_deg, scale=self.person.size, jitter_mm=jitter_mm, grain=grain,
        )  # fmt: skip


def even(depth: float, rounding: float, cortex: float, trabecular: float) -> Profiles:
    """Return constant profiles of a bone, in mm and as a fraction."""
    return Profiles(((0.0, depth),), ((0.0, rounding),), ((0.0, cortex),), ((0.0, trabecular),))


def side_sign(word: str) -> float:
    """Return 1 for the person's left, which is on the right of the picture, else -1."""
    return 1.0 if word == "left" else -1.0


def flipped(points: Points, word: str) -> Points:
    """Return (along, across) points of the left side, mirrored if `word` is "right"."""
    return tuple((along, side_sign(word) * across) for along, across in points)
