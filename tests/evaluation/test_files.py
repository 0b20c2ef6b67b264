"""The files of an evaluation contain its metrics and their definitions, and nothing else."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lesionscan.evaluation.bootstrap import Floats
from lesionscan.evaluation.evaluate import Evaluation, evaluate
from lesionscan.evaluation.files import (
    LESION_COLUMNS,
    MOST_POINTS,
    EvaluationPaths,
    _curve,
    evaluation_json,
    lesions_csv,
    own_files,
    write_evaluation,
)
from lesionscan.evaluation.froc import Curve
from lesionscan.evaluation.wording import notes
from lesionscan.results.atomic import OutputError
from tests.evaluation.made import MadeFilm, make
from tests.evaluation.paper import FILMS, A

RATES = ["0.125", "0.25", "0.5", "1", "2", "4", "8"]


def run(folder: Path, *films: MadeFilm, **options: Any) -> Evaluation:  # noqa: ANN401
    """Write the films and evaluate them."""
    return evaluate(*make(folder, films or FILMS), resamples=40, **options)


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """Return the parsed JSON."""
    record: dict[str, Any] = json.loads(evaluation_json(evaluation))
    return record


def test_the_json_holds_the_figures_on_paper(tmp_path: Path) -> None:
    """The JSON has sensitivities by rate, CPM, AUC, Dice, intervals and counts for each set."""
    record = as_json(run(tmp_path))
    one = record["sets"]["one"]
    assert list(one["sensitivity"]) == RATES
    assert list(one["intervals"]["sensitivity"]) == RATES
    assert one["sensitivity"]["0.5"] == pytest.approx(1 / 3)
    assert one["cpm"] == pytest.approx(11 / 21)
    assert one["image_auc"] == pytest.approx(1 / 3)
    assert one["dice_median"] == pytest.approx((2 / 3 + 9 / 16) / 2)
    low, high = one["intervals"]["cpm"]
    assert low <= one["cpm"] <= high
    assert one["counts"] == {
        "films": 5,
        "lesion_films": 2,
        "lesion_free_films": 3,
        "lesion_free_films_with_result": 2,
        "lesions": 3,
        "groups": 4,
        "missing": 1,
        "failed": 1,
        "not_assessed": 1,
    }
    assert one["films"] == {
        "missing": ["b"],
        "failed": [{"name": "d", "code": "truncated"}],
        "not_assessed": ["e"],
    }


def test_the_json_says_how_figures_were_counted(tmp_path: Path) -> None:
    """The JSON has definitions, tool, truth, bootstrap parameters and disclaimer."""
    record = as_json(run(tmp_path, seed=5))
    assert "0.8%" in record["definitions"]["hit"]
    assert record["tool"] == {
        "name": "made",
        "version": "1",
        "settings_sha256": "0" * 64,
        "scorer_sha256": None,
    }
    assert len(record["truth"]["index_sha256"]) == 64
    assert record["bootstrap"] == {"resamples": 40, "seed": 5}
    assert record["disclaimer"] == "Research use only; not a diagnosis."
    assert record["against_tool"] is None


def test_what_is_not_known_is_null_and_said(tmp_path: Path) -> None:
    """Metrics that need lesions or lesion-free films are null without them, with a note."""
    record = as_json(run(tmp_path))
    two = record["sets"]["two"]
    assert set(two["sensitivity"].values()) == {None}
    assert (two["cpm"], two["froc"], two["intervals"]["cpm"]) == (None, None, None)
    assert two["notes"][0].startswith("No lesions:")
    assert two["notes"][1].startswith("One group of films only")
    assert two["score_must_exceed"] == dict.fromkeys(RATES[:3], 0.99) | dict.fromkeys(RATES[3:])
    alone = as_json(run(tmp_path / "lesions", A))["sets"]["one"]
    assert alone["notes"][0].startswith("No lesion-free films:")
    assert alone["sensitivity_all_listed"] == 1.0


def test_films_without_result_are_said(tmp_path: Path) -> None:
    """Missing, failed and unassessed films are also described in notes."""
    said = list(notes(run(tmp_path).sets[0].program))
    assert said[0].startswith("Films without result: 1 missing, 1 failed.")
    assert said[1].startswith("Films not assessed: 1.")
    failed = MadeFilm("n", status="failed", facts={"set": "one"})
    said = list(notes(run(tmp_path / "failed", A, failed).sets[0].program))
    assert said[0].startswith("No lesion-free film has a result:")


def test_chance_thresholds_and_strata_stand_beside(tmp_path: Path) -> None:
    """Each set has a chance curve, scores to exceed, its own threshold and strata."""
    one = as_json(run(tmp_path))["sets"]["one"]
    # 100, 16 and 16 of 6000 pixels (0.8 px around a square adds none), 8 points per film
    expected = np.mean([1 - np.exp(-8 * area / 6000) for area in (100, 16, 16)])
    assert one["chance"]["sensitivity"]["8"] == pytest.approx(expected)
    assert one["chance"]["search_areas"] == {"whole_film": 2}
    assert one["score_must_exceed"] == dict.fromkeys(RATES[:2], 0.85) | {
        "0.5": 0.4
    } | dict.fromkeys(RATES[3:])
    assert one["false_positives_on_lesion_films"]["1"] == 1.0
    assert one["shown"]["sensitivity"] == pytest.approx(1 / 3)
    assert one["shown"]["false_positives_per_film"] == 0.5
    assert one["strata"]["body_part"]["femur"]["n"] == 2
    assert one["strata"]["body_part"]["femur"]["sensitivity"]["1"] == 1.0
    assert one["froc"] == {
        "threshold": [0.9, 0.4],
        "false_positives_per_film": [0.0, 1.0],
        "sensitivity": [pytest.approx(1 / 3), pytest.approx(2 / 3)],
    }
    assert one["resamples_left_out"].keys() == {"without_lesion", "without_lesion_free_film"}


def test_a_comparison_stands_in_its_set(tmp_path: Path) -> None:
    """Each set contains the other program's metrics, and differences with intervals."""
    results, truth = make(tmp_path, FILMS)
    record = as_json(evaluate(results, truth, against=results, resamples=40))
    against = record["sets"]["one"]["against"]
    assert against["cpm"] == record["sets"]["one"]["cpm"]
    assert against["difference"]["cpm"] == 0.0
    assert against["difference"]["intervals"]["sensitivity"]["1"] == [0.0, 0.0]
    assert record["against_tool"]["name"] == "made"


def rows(evaluation: Evaluation) -> list[dict[str, str]]:
    """Return the rows of lesions.csv."""
    return list(csv.DictReader(lesions_csv(evaluation).decode("utf-8").splitlines()))


def test_the_table_has_a_row_for_every_lesion(tmp_path: Path) -> None:
    """Each lesion has a row with its description, its outcome and its false-positive rate."""
    table = rows(run(tmp_path))
    assert list(table[0]) == list(LESION_COLUMNS)
    assert [(row["film"], row["lesion"], row["outcome"]) for row in table] == [
        ("a", "1", "shown"),
        ("a", "2", "listed"),
        ("b", "1", "no_result"),
    ]
    first, second, last = table
    assert (first["set"], first["centroid_row_px"], first["centroid_column_px"]) == (
        "one",
        "14.5",
        "14.5",
    )
    assert (first["area_px"], first["body_part"], first["subtype"]) == ("100", "femur", "")
    assert (first["score"], first["rank"], first["false_positives_per_film"]) == ("0.9", "1", "0")
    assert (second["score"], second["rank"], second["false_positives_per_film"]) == (
        "0.4",
        "3",
        "1",
    )
    assert float(first["dice"]) == pytest.approx(2 / 3, abs=1e-5)
    assert {last[name] for name in LESION_COLUMNS[13:]} == {""}


def test_a_film_named_like_a_formula_stays_a_name(tmp_path: Path) -> None:
    """A name like "=1+1" gets the prefix "./", so that no spreadsheet evaluates it."""
    film = MadeFilm("=1+1", lesions=((10, 10, 20, 20),))
    assert rows(run(tmp_path, film))[0]["film"] == "./=1+1"


def test_without_lesion_free_films_no_rate_stands_in_the_table(tmp_path: Path) -> None:
    """Without lesion-free films, the false-positive rate of a lesion is empty."""
    row = rows(run(tmp_path, A))[0]
    assert (row["outcome"], row["false_positives_per_film"]) == ("shown", "")


def test_a_long_curve_is_thinned_with_its_ends() -> None:
    """A curve of more than 200 points is thinned, keeping both ends; shorter ones are unchanged."""

    def line(size: int) -> Floats:
        return np.linspace(0, 1, size)

    thinned = _curve(Curve(line(1000)[::-1], line(1000), line(1000)))
    assert thinned is not None
    assert len(thinned["threshold"]) == MOST_POINTS
    assert (thinned["threshold"][0], thinned["threshold"][-1]) == (1.0, 0.0)
    whole = _curve(Curve(line(7), line(7), line(7)))
    assert whole is not None
    assert len(whole["sensitivity"]) == 7
    assert _curve(Curve(line(0), line(0), line(0))) == {
        "threshold": [],
        "false_positives_per_film": [],
        "sensitivity": [],
    }


def test_the_files_are_written_the_same_each_time(tmp_path: Path) -> None:
    """Evaluations of two copies of the data write the same bytes."""
    written: list[dict[str, bytes]] = []
    for name in ("first", "second"):
        evaluation = run(tmp_path / name)
        paths = write_evaluation(evaluation, own_files(tmp_path, tmp_path / name / "out"))
        assert paths == EvaluationPaths.of(tmp_path / name / "out")
        written.append(
            {path.name: path.read_bytes() for path in (tmp_path / name / "out").glob("[!.]*")}
        )
    assert set(written[0]) == {"evaluation.json", "lesions.csv", "froc.png", "froc.svg"}
    assert written[0] == written[1]


def test_no_path_and_no_clock_stand_in_the_files(tmp_path: Path) -> None:
    """The files contain no absolute path and no date."""
    evaluation = run(tmp_path)
    paths = write_evaluation(evaluation, own_files(tmp_path, tmp_path / "out"))
    for path in (paths.record, paths.lesions, paths.figure_svg):
        text = path.read_text(encoding="utf-8")
        assert str(tmp_path) not in text
        assert "dc:date" not in text


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A file at the path of the output folder is an error with a remedy."""
    evaluation = run(tmp_path)
    (tmp_path / "out").write_text("x")
    with pytest.raises(OutputError, match=r"cannot write .*choose another output folder"):
        write_evaluation(evaluation, own_files(tmp_path, tmp_path / "out"))
