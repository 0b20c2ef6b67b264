"""list_errors.py lists missed lesions and false positives, the worst first."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import list_errors
import numpy as np
import pytest
from numpy.typing import NDArray

from lesionscan import read_radiograph
from lesionscan.evaluation.judge import JudgedFilm, judge
from lesionscan.evaluation.results import find_results, read_result
from lesionscan.evaluation.truth import load_truth
from lesionscan.reporting.drawing import AMBER
from tests.evaluation.made import Box, MadeFilm, make

SMALL: Box = (10, 10, 16, 16)
LARGE: Box = (30, 60, 50, 80)
BESIDE: Box = (11, 11, 17, 17)
ELSEWHERE: Box = (2, 40, 8, 46)
SET: Mapping[str, Any] = {"set": "one"}
FILMS = (
    MadeFilm(
        "both", lesions=(SMALL, LARGE), candidates=((0.3, BESIDE), (0.5, ELSEWHERE)), facts=SET
    ),
    MadeFilm("clear", lesions=(SMALL,), candidates=((0.9, SMALL),), facts=SET),
    MadeFilm("broken", lesions=(SMALL,), status="failed", facts=SET),
    MadeFilm("free", candidates=((0.8, LARGE), (0.3, SMALL)), facts=SET),
    MadeFilm("quiet", candidates=((0.4, ELSEWHERE),), facts=SET),
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return results and truth of five films; the best candidate of "free" has four reasons."""
    results, truth = make(tmp_path_factory.mktemp("errors"), FILMS)
    record = results / "free.png.json"
    entries = json.loads(record.read_text("utf-8"))
    entries["candidates"][0]["reasons"] = [
        {"term": f"t{n}", "value": 1.0, "effect": effect, "text": f"reason {n}"}
        for n, effect in enumerate((2.0, -1.0, 0.5, 0.1))
    ]
    record.write_text(json.dumps(entries), encoding="utf-8")
    return results, truth


@pytest.fixture(scope="module")
def judged(folders: tuple[Path, Path]) -> list[JudgedFilm]:
    """Return all films, evaluated."""
    results, truth = folders
    films = load_truth(truth)
    return [judge(film, read_result(find_results(results, films), film)) for film in films]


def _drawn(tile: NDArray[Any], colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Return a mask of the pixels of a colour."""
    return np.asarray((tile == np.array(colour)).all(axis=2))


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["list_errors.py", *map(str, arguments)])
    list_errors.main()


def test_lesions_that_were_not_listed_come_first_then_the_lowest_scores(
    judged: list[JudgedFilm],
) -> None:
    """Unlisted lesions come first, the largest first, then hits with rising score."""
    misses = list_errors.worst_misses(judged, count=10)

    assert [(miss.lesion.film, miss.lesion.facts.number) for miss in misses] == [
        *(("both", 2), ("broken", 1), ("both", 1), ("clear", 1)),
    ]
    assert len(list_errors.worst_misses(judged, count=3)) == 3


def test_a_hit_is_weighed_against_the_alarms_of_lesion_free_films(judged: list[JudgedFilm]) -> None:
    """A hit has the false positives per lesion-free film at its score, if both exist.

    At score 0.3 there are three on two films, at 0.9 none.
    """
    rates = [miss.false_positives for miss in list_errors.worst_misses(judged, count=10)]
    alone = list_errors.worst_misses(judged[:2], count=10)

    assert rates == [None, None, 1.5, 0.0]
    assert [miss.false_positives for miss in alone] == [None, None, None]


def test_false_positives_are_those_of_lesion_free_films(judged: list[JudgedFilm]) -> None:
    """Only candidates in films without lesions are listed."""
    alarms = list_errors.worst_false_positives(judged, count=2)

    assert [(alarm.judged.film.name, alarm.candidate.score) for alarm in alarms] == [
        *(("free", 0.8), ("quiet", 0.4)),
    ]


def test_the_tables_leave_the_cause_to_a_person(judged: list[JudgedFilm]) -> None:
    """Each error has one line with an empty cause; false positives have three reasons."""
    misses = list_errors.miss_table(list_errors.worst_misses(judged, count=3)).splitlines()
    alarms = list_errors.false_positive_table(
        list_errors.worst_false_positives(judged, count=2)
    ).splitlines()

    assert misses[0].endswith("| rank | cause |")
    assert misses[2:] == [
        "| both | 2 | 22.6 | not listed | - | - |  |",
        "| broken | 1 | 6.8 | no result | - | - |  |",
        "| both | 1 | 6.8 | 0.300 | 1.50 | 2 |  |",
    ]
    assert alarms[2:] == [
        "| free | 40, 70 | 22.6 | 0.800 | + reason 0; - reason 1; + reason 2 |  |",
        "| quiet | 4, 42 | 6.8 | 0.400 |  |  |",
    ]


def test_the_sheet_shows_each_error_with_its_outlines(
    folders: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The tiles of the misses have the truth in blue, and candidates are amber."""
    sheet = tmp_path / "sheet.png"

    _run(monkeypatch, *folders, "--count", 3, "--sheet", sheet)

    printed = capsys.readouterr().out
    assert printed.index("### Worst misses") < printed.index("### Worst false positives")
    picture = cv2.imdecode(np.frombuffer(sheet.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    tiles = np.split(picture, 6, axis=1)
    blue, amber = (
        [bool(_drawn(tile, colour).any()) for tile in tiles] for colour in (list_errors.BLUE, AMBER)
    )
    assert blue == [True, True, True, False, False, False]
    assert amber == [False, False, True, True, True, True]


def test_an_outline_lies_where_its_region_does(judged: list[JudgedFilm]) -> None:
    """An outline is in the middle of the tile and to scale."""
    (miss,) = (m for m in list_errors.worst_misses(judged, count=9) if m.lesion.film == "clear")

    tile = list_errors._miss_tile(miss)[: list_errors.TILE_PX]

    places = np.argwhere(_drawn(tile, AMBER))
    middle = (list_errors.TILE_PX - 1) / 2
    scale = list_errors.TILE_PX / 25.0  # a crop is at least a quarter of the film's 100 pixels
    assert places.mean(axis=0) == pytest.approx((middle, middle), abs=2.0)
    assert np.ptp(places, axis=0) + 1 == pytest.approx((6 * scale, 6 * scale), abs=2.0)


def test_a_film_that_cannot_be_read_has_a_black_tile(
    judged: list[JudgedFilm], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error on an unreadable film is on the sheet, as a black tile with its line of text."""
    broken = tmp_path / "x.png"
    broken.write_bytes(b"half a picture")
    misses = list_errors.worst_misses(judged[1:2], count=1)
    monkeypatch.setattr(list_errors, "read_radiograph", lambda _: read_radiograph(broken))

    sheet = list_errors.error_sheet(misses, [])

    assert sheet is not None
    assert not sheet[: list_errors.TILE_PX].any()
    assert sheet[list_errors.TILE_PX :].max() > 200  # light text on a dark strip


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("{results}", "nowhere"), "nowhere/index.json cannot be read"),
        (("nowhere", "{truth}"), "results folder nowhere does not exist"),
        (("{results}", "{truth}", "--set", "two"), "there is no set 'two'; known are one"),
        (("{results}", "{truth}", "--sheet", "no/s.png"), "--sheet no/s.png cannot be written"),
    ],
)
def test_wrong_usage_is_one_line(
    folders: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    arguments: tuple[str, ...],
    line: str,
) -> None:
    """Wrong arguments exit with status 2 and one line that names the mistake."""
    monkeypatch.chdir(tmp_path)
    named = dict(zip(("results", "truth"), folders, strict=True))
    with pytest.raises(SystemExit) as stopped:
        _run(monkeypatch, *(argument.format(**named) for argument in arguments))
    assert stopped.value.code == 2
    assert line in capsys.readouterr().err.splitlines()[-1]


def test_two_sets_are_not_pooled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With two sets, one must be chosen, and only that one is listed."""
    other = MadeFilm("other", lesions=(LARGE,), facts={"set": "two"})
    folders = make(tmp_path, (*FILMS, other))
    with pytest.raises(SystemExit):
        _run(monkeypatch, *folders)
    assert "the truth has the sets one, two; choose one with --set" in capsys.readouterr().err

    _run(monkeypatch, *folders, "--set", "two")

    printed = capsys.readouterr().out
    assert "| other | 1 |" in printed
    assert "both" not in printed
