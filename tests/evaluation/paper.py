"""A truth folder and results whose metrics can be calculated by hand."""

from tests.evaluation.made import MadeFilm

A = MadeFilm(
    "a",
    lesions=((10, 10, 20, 20), (40, 40, 44, 44)),
    candidates=(
        (0.9, (10, 10, 20, 15)),  # half of lesion 1
        (0.8, (0, 80, 4, 84)),  # not on a lesion
        (0.4, (41, 41, 45, 45)),  # lesion 2, one pixel down and to the right
    ),
    facts={"set": "one", "patient": 1, "body_part": "femur"},
)
B = MadeFilm(
    "b",
    lesions=((20, 20, 24, 24),),
    status="missing",
    facts={"set": "one", "patient": 1, "body_part": "tibia"},
)
C = MadeFilm(
    "c",
    candidates=((0.85, (5, 5, 9, 9)), (0.4, (30, 30, 34, 34))),
    facts={"set": "one", "patient": 2},
)
D = MadeFilm("d", status="failed", facts={"set": "one", "patient": 3})
E = MadeFilm("e", assessed=False, facts={"set": "one", "patient": 4})
F = MadeFilm("f", candidates=((0.99, (1, 1, 9, 9)),), facts={"set": "two"})
FILMS = (A, B, C, D, E, F)
"""Set one: three lesions on two films (one without result), three lesion-free films (one failed).

Threshold: lesions hit, false positives on two films. 0.9: 1, 0. 0.85: 1, 1. 0.4: 2, 2.
"""
