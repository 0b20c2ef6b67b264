"""Lines of a skull from the side: sutures, vascular grooves, and bone seen edge-on.

Points are (x, y) in a picture of 230 x 250 mm.
"""

import numpy as np

from lesionscan.simulation.body.lucencies import Groove
from lesionscan.simulation.body.outlines import Points
from lesionscan.simulation.fields import Field


def still_line(points: Points) -> Points:
    """Convert image points (x, y) to local ones (along, across) of a bone in image coordinates."""
    return tuple((y, x) for x, y in points)


def _along(points: Points, step_mm: float) -> Field:
    """Return points (x, y) at equal steps along a polyline."""
    corners = np.array(points, dtype=np.float64)
    run = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(corners, axis=0).T))])
    at = np.linspace(0.0, run[-1], max(int(run[-1] / step_mm), 2))
    return np.column_stack([np.interp(at, run, corners[:, k]) for k in (0, 1)])


def _wavy(rng: np.random.Generator, points: Points, *, step_mm: float, swing_mm: float) -> Points:
    """Return a polyline that oscillates about another, increasingly away from its first point."""
    line = _along(points, step_mm)
    line[1:] += swing_mm * rng.standard_normal((len(line) - 1, 2))
    return tuple((float(x), float(y)) for x, y in line)


def sutures(rng: np.random.Generator) -> tuple[Groove, ...]:
    """Return coronal, lambdoid and squamous sutures of both sides, jagged and hardly lucent."""
    courses: tuple[tuple[Points, float], ...] = (
        (((99, 18), (97, 40), (92, 66), (88, 92), (84, 108)), 1.3),
        (((199, 62), (186, 78), (174, 98), (164, 120), (158, 134)), 1.6),
        (((86, 106), (98, 95), (118, 89), (138, 94), (152, 108), (158, 122)), 0.7),
    )
    old = float(rng.uniform(0.0, 0.10))
    depth = float(rng.uniform(0.10, 0.24)) * (1.0 - 5.0 * old)
    lines = []
    for points, swing in courses:
        for side in (0.0, 1.0):
            shift = side * rng.normal(0.0, 2.5, 2)
            course = tuple((x + float(shift[0]), y + float(shift[1])) for x, y in points)
            jagged = _wavy(rng, course, step_mm=2.2, swing_mm=swing)
            lines.append(Groove(still_line(jagged), 0.55, max(depth, 0.05), lips=old))
    return tuple(lines)


def vessels(rng: np.random.Generator) -> tuple[Groove, ...]:
    """Return the grooves of the middle meningeal artery, diploic veins and venous lakes."""
    depth, width = float(rng.uniform(0.09, 0.17)), float(rng.uniform(0.6, 0.95))
    artery: tuple[Points, ...] = (
        ((106, 124), (101, 112), (99, 96)),
        ((99, 96), (101, 76), (108, 52), (116, 30)),
        ((100, 86), (92, 70), (84, 50)),
        ((99, 96), (118, 84), (142, 72), (166, 58), (180, 46)),
        ((130, 78), (148, 86), (166, 90)),
    )  # fmt: skip
    lines = [
        Groove(
            still_line(_wavy(rng, course, step_mm=9.0, swing_mm=1.6)), width * taper, depth * taper
        )
        for course, taper in zip(artery, (1.15, 0.9, 0.75, 0.9, 0.7), strict=True)
    ]
    # diploic veins radiate from a parietal star, wider and fainter than an artery
    x, y = float(rng.uniform(125, 160)), float(rng.uniform(45, 75))
    for _ in range(int(rng.integers(2, 6))):
        angle, reach = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(18, 42))
        end = (x + reach * float(np.cos(angle)), y + 0.7 * reach * float(np.sin(angle)))
        course = _wavy(rng, ((x, y), end), step_mm=5.0, swing_mm=2.0)
        lines.append(
            Groove(still_line(course), float(rng.uniform(0.9, 1.6)), float(rng.uniform(0.04, 0.10)))
        )
    # lakes and arachnoid granulations: round lucencies of 3 to 8 mm near the vertex, both normal
    for _ in range(int(rng.integers(0, 5))):
        at = (float(rng.uniform(70, 180)), float(rng.uniform(32, 66)))
        near = (at[0] + float(rng.normal(0, 1.2)), at[1] + float(rng.normal(0, 1.0)))
        lines.append(
            Groove(
                still_line((at, near)), float(rng.uniform(1.4, 3.4)), float(rng.uniform(0.08, 0.22))
            )
        )
    return tuple(lines)


def base_lines(rng: np.random.Generator) -> tuple[Groove, ...]:
    """Return the parts of the base seen edge-on: orbital roofs, sella, clivus, petrous ridge."""
    lines: tuple[tuple[Points, float, float], ...] = (
        # planum, tuberculum, floor and back of the sella, clivus
        (((60, 116), (84, 117), (96, 116.5), (99, 119), (100.5, 124), (105, 127.5), (110, 126),
          (112.5, 121), (113, 115.5)), 0.7, -0.8),
        (((96, 116.5), (98.5, 114.5), (100.5, 114.8)), 0.7, -0.7),
        (((113, 117), (116, 124), (121, 135), (127, 148)), 1.1, -0.5),
        (((98, 115), (84, 108), (66, 103.5), (50, 103), (38, 106)), 0.8, -0.75),
        (((88, 95), (84, 104), (83, 114), (86, 123)), 0.8, -0.5),
        (((114, 128), (130, 119), (148, 115), (162, 122)), 1.4, -0.35),
        (((205, 118), (190, 121), (172, 124)), 1.6, -0.10),
    )  # fmt: skip
    out = []
    for points, width, loss in lines:
        for side in range(2):
            shift = rng.normal(0.0, 1.8, 2) if side and loss < -0.3 else rng.normal(0.0, 0.8, 2)
            course = tuple((x + float(shift[0]), y + float(shift[1])) for x, y in points)
            out.append(Groove(still_line(smooth(course)), width, loss * (0.6 if side else 1.0)))
    # the base is thin and less even than the vault, so its edge is not a bright band
    floor = ((38, 110), (64, 116), (88, 123), (108, 131), (122, 142), (134, 152))
    out.append(Groove(still_line(floor), 4.5, float(rng.uniform(0.5, 0.65))))
    out.append(
        Groove(still_line(((134, 152), (150, 153), (166, 151))), 5.0, float(rng.uniform(0.3, 0.5)))
    )
    # thin temporal bone, and the frontal sinus
    out.append(Groove(still_line(((104, 104), (132, 104))), 17.0, float(rng.uniform(0.2, 0.38))))
    out.append(Groove(still_line(((34, 92), (36, 104))), 4.0, float(rng.uniform(0.2, 0.5))))
    return tuple(out)


def smooth(points: Points) -> Points:
    """Return a polyline with its corners cut twice (Chaikin)."""
    line = np.array(points, dtype=np.float64)
    for _ in range(2):
        near, far = 0.75 * line[:-1] + 0.25 * line[1:], 0.25 * line[:-1] + 0.75 * line[1:]
        line = np.vstack([line[:1], np.stack([near, far], axis=1).reshape(-1, 2), line[-1:]])
    return tuple((float(x), float(y)) for x, y in line)
