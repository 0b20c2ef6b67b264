"""Lines of a given width on a window: grooves in bone, metal wires and screws."""

from itertools import pairwise

import numpy as np

from lesionscan.simulation.fields import Field, Window


def stroke_distance_mm(window: Window, line_mm: Field, *, reach_mm: float) -> Field:
    """Compute the distance of each pixel to a polyline, in mm, at most `reach_mm`.

    Parameters
    ----------
    window
        The window.
    line_mm
        (n, 2), x and y of its corners in image mm, at least two.
    reach_mm
        Only nearer pixels are measured, which saves time.
    """
    nearest = np.full(window.shape, float(reach_mm))
    for start, stop in pairwise(np.asarray(line_mm, dtype=np.float64)):
        part = Window.around(window.grid, np.array([start, stop]), margin_mm=reach_mm)
        top, bottom = max(part.top, window.top), min(part.bottom, window.bottom)
        left, right = max(part.left, window.left), min(part.right, window.right)
        if top >= bottom or left >= right:
            continue
        part = Window(window.grid, top, bottom, left, right)
        x, y = part.coordinates_mm()
        step = stop - start
        u, v = x - start[0], y - start[1]
        t = np.clip((u * step[0] + v * step[1]) / max(float(step @ step), 1e-12), 0.0, 1.0)
        seen = nearest[top - window.top : bottom - window.top, left - window.left :][
            :, : right - left
        ]
        np.minimum(seen, np.hypot(u - t * step[0], v - t * step[1]), out=seen)
    return nearest
