"""The explanation picture shows each step of a search, with its legend and the disclaimer."""

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lesionscan.detection.bone import Bone
from lesionscan.detection.field import Field
from lesionscan.detection.grid import WorkingGrid
from lesionscan.detection.measurements import Flag
from lesionscan.detection.pipeline import Findings, NormalisedFilm, Steps
from lesionscan.detection.scorer.network import Maps
from lesionscan.radiograph import Notice
from lesionscan.reporting.drawing import AMBER, BLUE, INK, text_size
from lesionscan.reporting.explanation import explanation_png
from lesionscan.reporting.overlay import draw_candidates
from tests.reporting.made import Disk, Film, make_findings
from tests.reporting.test_overlay import decode

TITLE = 65
"""Height of a tile's two lines of text; a frame of 1 px is at the other three sides."""


def steps_of(findings: Findings, *, seen: int = 1) -> Steps:
    """Return steps that could have led to the findings, on the stored grid."""
    image, shape = findings.image, findings.radiograph.shape
    exposed = np.ones(shape, np.bool_)
    exposed[:20] = False
    field = Field(exposed=exposed, opaque=np.zeros(shape, np.bool_))
    valid = np.ones(shape, np.bool_)
    return Steps(
        film=NormalisedFilm(WorkingGrid(shape, shape), valid, field, image, image),
        maps=Maps(findings.lucency, findings.bone.astype(np.float32)),
        field=field,
        bone=Bone(findings.bone, findings.bone, findings.bone_confidence),
        labels=findings.labels,
        network_regions=min(seen, int(findings.labels.max())),
        assessed=findings.assessed,
        inverted=False,
    )


def drawn(film: Film | None = None, **changes: Any) -> list[NDArray[np.uint8]]:  # noqa: ANN401
    """Return the six tiles of the picture, without their titles."""
    findings = replace(make_findings(film), **changes)
    picture = decode(explanation_png(steps_of(findings), findings, None))
    factor = 640 / max(findings.radiograph.shape)
    rows, columns = (round(side * factor) for side in findings.radiograph.shape)
    across = picture.shape[1] // (max(columns, 330) + 2)
    tiles = []
    for number in range(6):
        top = (number // across) * (rows + TITLE + 1) + TITLE
        left = (number % across) * (max(columns, 330) + 2) + 1
        left += max(0, 330 - columns) // 2
        tiles.append(picture[top : top + rows, left : left + columns])
    return tiles


def close_to(tile: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Return a mask of the pixels of about this colour."""
    return np.asarray(np.abs(tile.astype(int) - colour).sum(axis=2) < 60)


def words_of(monkeypatch: pytest.MonkeyPatch, film: Film | None = None, **changes: Any) -> str:  # noqa: ANN401
    """Return all text written into the picture, one string per line."""
    written: list[str] = []
    for module in ("lesionscan.reporting.explanation", "lesionscan.reporting.drawing"):
        monkeypatch.setattr(
            f"{module}.write_text", lambda _canvas, text, *_: written.append(str(text))
        )
    findings = replace(make_findings(film), **changes)
    explanation_png(steps_of(findings), findings, None)
    return "\n".join(written)


def test_six_tiles_show_the_same_film() -> None:
    """Where nothing is drawn, all tiles after the first are equal, but the network's is dimmed."""
    tiles = drawn()
    assert {tile.shape for tile in tiles} == {(640, 427, 3)}
    corner = [tile[600:630, 5:30].astype(int) for tile in tiles]
    for other in (1, 2, 4, 5):
        np.testing.assert_array_equal(corner[other], corner[1])
    # the network's tile is the film dimmed, so that its amber stands out
    np.testing.assert_allclose(corner[3], 0.6 * corner[1], atol=1.1)


def test_what_is_left_out_is_blue() -> None:
    """In the second tile, exactly the excluded top 20 rows are blue; later tiles darken them."""
    tiles = [tile.astype(int) for tile in drawn()]
    bone = np.s_[:38, 200:230]
    assert [tile[bone].mean() < 0.6 * tiles[0][bone].mean() for tile in tiles[2:]] == [True] * 4
    tile = tiles[1]
    blue = tile[..., 0] > tile[..., 2] + 20
    assert blue[:41].all()
    assert not blue[45:].any()


def test_bone_is_tinted_and_outlined() -> None:
    """The tint covers the bone mask, whose edge has a blue line; nothing outside is coloured."""
    findings, tile = make_findings(), drawn()[2].astype(int)
    bone = cv2.resize(findings.bone.astype(np.uint8), (427, 640)) > 0
    tint = tile[..., 0] > tile[..., 2] + 8
    inside = cv2.erode(bone.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    outside = cv2.dilate(bone.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
    assert tint[inside].mean() > 0.95
    assert not tint[outside].any()
    line = tile[..., 0] > tile[..., 2] + 60
    edge = cv2.morphologyEx(bone.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3))) > 0
    assert cv2.dilate(line.astype(np.uint8), np.ones((3, 3), np.uint8))[edge].all()
    assert line.mean() < 0.01


def test_the_network_is_amber_where_it_sees_a_lucency() -> None:
    """Only the disks, where the lucency map is 1, are amber."""
    amber = close_to(drawn()[3], AMBER)
    scale = 640 / 300
    for row, column in ((150, 100), (60, 110)):
        assert amber[round(row * scale), round(column * scale)]
    assert amber.mean() < 0.05


def test_regions_have_the_colour_of_who_found_them() -> None:
    """Regions of the network are amber, other dark regions blue; the inside stays grey."""
    tile = drawn()[4]
    scale = 640 / 300
    for row, column, radius, colour, other in (
        (150, 100, 14, AMBER, BLUE),
        (60, 110, 7, BLUE, AMBER),
    ):
        reach = round((radius + 3) * scale)
        top, left = round(row * scale), round(column * scale)
        near = tile[top - reach : top + reach, left - reach : left + reach]
        assert close_to(near, colour).sum() > 2 * reach
        assert not close_to(near, other).any()
        assert near[reach, reach].std() < 1  # grey


def test_only_shown_candidates_are_outlined() -> None:
    """The first candidate has an amber outline; the second, below the threshold, has none."""
    amber = close_to(drawn()[5], AMBER)
    scale = 640 / 300
    rows, columns = np.nonzero(amber)
    away = np.hypot(rows / scale - 150, columns / scale - 100)
    assert amber.any()
    assert away.max() < 60
    assert away.min() > 13


def test_every_step_has_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Titles, legends, scores, counts, signs, doubts and the disclaimer are written."""
    words = words_of(monkeypatch)
    for line in (
        "1  The film",
        "2  Exposed field, contrast adjusted",
        "blue: left out (collimator, markers, metal)",
        "3  Bone",
        "blue: bone; confidence 0.90",
        "4  What the network sees",
        "amber: looks lucent; highest 1.00",
        "5  Dark regions in bone",
        "amber: the network's (1); blue: other dark spots (1)",
        "6  Candidates",
        "amber: shown, with number and score (from 0.50 on)",
        "2 candidates (1 shown)   |   research use only, not a diagnosis",
    ):
        assert line in words.splitlines()
    said = "   ".join(words.splitlines())
    for number in ("1  (score 0.90)", "2  (score 0.20, not shown)"):
        assert f"{number}:   + network: clearly suggests a lesion (mean 0.70)" in said
    assert "- beside a marker or metal" in said
    assert "place: middle third of a long bone" in said
    assert "doubts: touches bone edge" in said
    assert Flag.TOUCHES_BONE_EDGE not in words  # in words, not in code


def test_the_best_of_a_film_without_shown_ones_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """If no candidate reaches the threshold, the best three are grey, and a line says so."""
    disks = tuple(Disk(40 + 50 * number, 100, 9, 0.4) for number in range(5))
    counted: list[int] = []

    def noted(canvas: Any, candidates: Any, *more: Any) -> None:  # noqa: ANN401
        counted.append(len(candidates))
        draw_candidates(canvas, candidates, *more)

    monkeypatch.setattr("lesionscan.reporting.explanation.draw_candidates", noted)
    words = words_of(monkeypatch, Film(disks=disks))
    assert counted == [0, 3]
    assert "none reaches 0.50; grey: the best below it" in words
    assert words.count("not shown") == 3  # in the strip; the tags are drawn elsewhere
    tile = drawn(Film(disks=disks))[5]
    outline = tile[round(90 * 640 / 300), : round(100 * 640 / 300)]
    assert close_to(outline[None], INK).any()
    assert not close_to(outline[None], AMBER).any()


def test_a_film_without_candidates_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture says that none was found, not that the film was not searched."""
    words = words_of(monkeypatch, Film(disks=()))
    assert "none found" in words
    assert "amber: the network's (0); blue: other dark spots (0)" in words
    assert "not searched" not in words
    assert "Signs of the best" not in words


def test_a_film_that_is_not_assessed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tile of the bone, the later tiles and the strip below say so, with the remedy."""
    notice = Notice("not_assessed", "no bone could be outlined; check the picture")
    words = words_of(monkeypatch, Film(assessed=False), notices=(notice,))
    assert "confidence 0.10, too little to search" in words
    assert words.count("not searched: no bone was outlined with confidence") == 2
    assert "not assessed: bone mask confidence low   |   research use only" in words
    assert "! no bone could be outlined; check the picture" in words
    assert "Signs of the best" not in words


def test_what_viewers_show_is_the_first_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first tile is the film as viewers show it; if that is unknown, all its grey values."""
    findings = make_findings()
    viewed = np.full(findings.radiograph.shape, 90, np.uint8)
    picture = decode(explanation_png(steps_of(findings), findings, viewed))
    assert (picture[TITLE + 5 : TITLE + 600, 5:400] == 90).all()
    assert "all its grey values, bone bright" in words_of(monkeypatch)


@pytest.mark.parametrize(
    ("shape", "beside"), [((900, 200), 6), ((300, 200), 3), ((300, 300), 3), ((200, 900), 2)]
)
def test_tiles_are_arranged_to_fit_a_screen(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int], beside: int
) -> None:
    """Tiles of tall films are in one row, those of wide films in pairs; no text is cut off."""

    def written(
        canvas: NDArray[np.uint8], text: str, origin: tuple[int, int], height: int, *_: object
    ) -> None:
        assert origin[0] + text_size(text, height)[0] <= canvas.shape[1], text

    for module in ("lesionscan.reporting.explanation", "lesionscan.reporting.drawing"):
        monkeypatch.setattr(f"{module}.write_text", written)
    findings = make_findings(Film(*shape, disks=()))
    picture = decode(explanation_png(steps_of(findings), findings, None))
    tile = max(330, round(shape[1] * 640 / max(shape))) + 2
    assert picture.shape[1] == beside * tile


@pytest.mark.parametrize("shape", [(600, 30), (30, 600), (8, 8), (1, 900)])
def test_odd_shapes_are_drawn(shape: tuple[int, int]) -> None:
    """Very narrow and very small films can be drawn."""
    rows, columns = shape
    findings = make_findings(Film(rows, columns, (Disk(rows // 2, columns // 2, 0, 0.9),)))
    assert decode(explanation_png(steps_of(findings), findings, None)).ndim == 3


def test_the_same_search_gives_the_same_picture() -> None:
    """The bytes depend only on steps and findings."""
    findings = make_findings()
    one, two = (explanation_png(steps_of(findings), findings, None) for _ in range(2))
    assert one == two
