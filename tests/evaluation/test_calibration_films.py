"""Films for calibration come from truth, a whole run, a list, or a review."""

import json
from pathlib import Path

import numpy as np
import pytest

from lesionscan.evaluation.calibrate import CalibrationError
from lesionscan.evaluation.calibration_films import (
    CalibrationFilms,
    KnownLesions,
    films_of_run,
    films_of_truth,
)
from lesionscan.evaluation.results import ResultsError
from lesionscan.results.run import RunError
from lesionscan.results.sealed import sealed_json
from tests.evaluation.made import MadeFilm, make
from tests.review.made import HIDDEN, SHOWN, scanned

LESION = (10, 10, 20, 20)
FILMS = [
    MadeFilm("a", (LESION,), ((0.8, LESION), (0.9, (40, 40, 44, 44)))),
    MadeFilm("b", (), ((0.7, LESION),), {"patient": 1, "body_part": "HAND"}),
    MadeFilm("c", (), (), {"patient": 1}, assessed=False),
    MadeFilm("d", status="failed"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the results of two films with two candidates each."""
    films = {"a/knee.png": SHOWN, "foot.png": HIDDEN}
    return scanned(tmp_path_factory.mktemp("run"), films)[1]


def scores(found: CalibrationFilms) -> list[tuple[list[float], list[float]]]:
    """Return for each film the scores on lesions and those elsewhere."""
    return [
        (film.scores.hits.tolist(), film.scores.false_positives.tolist()) for film in found.films
    ]


def test_truth_gives_lesions_groups_and_body_parts(tmp_path: Path) -> None:
    """Truth gives the hits and false positives of `evaluate`; a failed film has no result."""
    found = films_of_truth(*make(tmp_path, FILMS))
    assert scores(found) == [([0.8], [0.9]), ([], [0.7]), ([], []), ([], [])]
    assert [film.scores.group for film in found.films] == [
        "film a",
        "patient 1",
        "patient 1",
        "film d",
    ]
    assert [film.body_part for film in found.films] == [None, "HAND", None, None]
    assert [film.assessed for film in found.films] == [True, True, False, True]
    assert [film.scores.has_result for film in found.films] == [True, True, True, False]
    assert found.tool.name == "made"


def test_sets_are_not_pooled(tmp_path: Path) -> None:
    """If there are two sets, one must be named, and an unknown set is refused."""
    films = [MadeFilm("a", facts={"set": "real"}), MadeFilm("b", facts={"set": "phantom"})]
    results, truth = make(tmp_path, films)
    with pytest.raises(CalibrationError, match=r"2 sets, .*name one with --set: phantom, real"):
        films_of_truth(results, truth)
    with pytest.raises(CalibrationError, match="there is no set x; the truth has phantom, real"):
        films_of_truth(results, truth, set_name="x")
    assert len(films_of_truth(results, truth, set_name="real").films) == 1


def test_a_run_of_normal_films(run: Path) -> None:
    """Without truth, every candidate of a run counts as a false positive."""
    found = films_of_run(run)
    assert sorted(scores(found)) == [([], [round(HIDDEN / 255, 3), 0.1]), ([], [0.902, 0.1])]
    assert [film.scores.group for film in found.films] == ["film a/knee.png", "film foot.png"]
    assert found.tool.name == "lesionscan"


def test_a_list_of_normal_films(run: Path) -> None:
    """Only the listed films are used, and a name that is not in the run is refused."""
    assert scores(films_of_run(run, normal={"a/knee.png"})) == [([], [0.902, 0.1])]
    with pytest.raises(CalibrationError, match=r"names 1 films that .* such as hand\.png; name"):
        films_of_run(run, normal={"a/knee.png", "hand.png"})


def test_decisions_about_a_run(run: Path) -> None:
    """Accepted candidates are hits, drawn lesions misses, and other candidates false positives."""
    known = {"a/knee.png": KnownLesions(frozenset({1}), missed=1), "foot.png": KnownLesions()}
    assert scores(films_of_run(run, known=known))[0] == ([0.902, -np.inf], [0.1])
    assert len(films_of_run(run, known={"foot.png": KnownLesions()}).films) == 1
    with pytest.raises(CalibrationError, match="has no film to calibrate on; scan or review"):
        films_of_run(run, known={})


def test_a_changed_result_is_refused(run: Path, tmp_path: Path) -> None:
    """Results that were edited, mixed or removed are refused."""
    results = tmp_path / "results"
    results.mkdir()
    (results / "images.csv").write_text((run / "images.csv").read_text("utf-8"), "utf-8")
    for name in ("a/knee.png", "foot.png"):
        (results / name).parent.mkdir(exist_ok=True)
        (results / f"{name}.json").write_bytes((run / f"{name}.json").read_bytes())
    assert len(films_of_run(results).films) == 2
    record = results / "foot.png.json"
    text = record.read_text("utf-8")
    record.write_text(text.replace("0.235", "0.935"), "utf-8")
    words = r"foot\.png\.json is missing or was changed after the scan; scan again"
    with pytest.raises(RunError, match=words):
        films_of_run(results)
    other = json.loads(text) | {"seal_sha256": ""}
    other["tool"]["settings_sha256"] = "1" * 64
    record.write_bytes(sealed_json(other))
    with pytest.raises(ResultsError, match="mixes results of two versions, settings or scorers"):
        films_of_run(results)
    record.unlink()
    with pytest.raises(RunError, match=words):
        films_of_run(results)
