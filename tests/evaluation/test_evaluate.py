"""Evaluations give the metrics calculated by hand, or a clear error."""

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionscan.evaluation.evaluate import Evaluation, SetEvaluation, evaluate
from lesionscan.evaluation.judge import judge
from lesionscan.evaluation.results import ResultsError, read_result
from lesionscan.evaluation.truth import TruthError, load_truth
from tests.evaluation.made import MadeFilm, make, write_results
from tests.evaluation.paper import FILMS, A, C


def run(folder: Path, films: Sequence[MadeFilm] = FILMS, resamples: int = 40) -> Evaluation:
    """Write the films and evaluate them."""
    return evaluate(*make(folder, films), resamples=resamples)


@pytest.fixture
def one(tmp_path: Path) -> SetEvaluation:
    """Return the set whose metrics are calculated by hand."""
    return run(tmp_path).sets[0]


def test_sets_are_never_pooled(tmp_path: Path) -> None:
    """The false positive at 0.99 in set two does not affect set one."""
    both, alone = run(tmp_path / "both"), run(tmp_path / "alone", FILMS[:-1])
    assert [each.name for each in both.sets] == ["one", "two"]
    assert both.sets[0].program.figures.cpm == alone.sets[0].program.figures.cpm
    assert both.sets[1].program.figures.cpm.value is None


def test_the_set_has_the_figures_on_paper(one: SetEvaluation) -> None:
    """Sensitivity is 1/3 up to 1/2 false positive per film and 2/3 from 1; the AUC is 2/6."""
    figures = one.program.figures
    expected = [1 / 3] * 3 + [2 / 3] * 4
    assert [each.value for each in figures.sensitivity] == pytest.approx(expected)
    assert figures.cpm.value == pytest.approx(11 / 21)
    assert figures.image_auc.value == pytest.approx(2 / 6)
    assert figures.false_positives_on_lesion_films[:3] == (0.0, 0.0, 1.0)


def test_the_outlines_are_those_on_paper(one: SetEvaluation) -> None:
    """Overlaps of 50 of 100 and 9 of 16 pixels give Dice 2/3 and 9/16, and their medians."""
    first, second, _ = one.lesions
    assert first.dice == pytest.approx(2 / 3)
    assert first.area_error == -0.5
    assert first.diameter_error == pytest.approx(math.sqrt(0.5) - 1)
    assert first.distance_px == 2.5
    assert second.dice == pytest.approx(9 / 16)
    assert second.area_error == 0.0
    assert second.diameter_error == pytest.approx(0.0)
    assert second.distance_px == pytest.approx(math.sqrt(2))
    on_hits = one.program.figures.on_hits
    assert on_hits["dice_median"].value == pytest.approx((2 / 3 + 9 / 16) / 2)
    assert on_hits["dice_median_misses_as_zero"].value == pytest.approx(9 / 16)
    assert on_hits["area_error_median"].value == 0.25
    assert on_hits["area_bias_median"].value == -0.25


def test_every_lesion_has_its_outcome(one: SetEvaluation) -> None:
    """A lesion is "shown" above 0.75, "listed" below, or has "no_result"."""
    outcomes = [(each.film, each.facts.number, each.outcome) for each in one.lesions]
    assert outcomes == [("a", 1, "shown"), ("a", 2, "listed"), ("b", 1, "no_result")]
    assert [(each.candidate_id, each.score, each.rank) for each in one.lesions] == [
        (1, 0.9, 1),
        (3, 0.4, 3),
        (None, None, None),
    ]


def test_a_lesion_without_candidate_is_missed(tmp_path: Path) -> None:
    """A lesion without a candidate, on a film with a result, is missed."""
    film = dataclasses.replace(A, candidates=A.candidates[:2])
    assert [each.outcome for each in run(tmp_path, [film]).sets[0].lesions] == ["shown", "missed"]


def test_films_without_result_are_counted_and_named(one: SetEvaluation) -> None:
    """Missing, failed and unassessed films are listed; two of three lesion-free films count."""
    program = one.program
    assert program.missing == ("b",)
    assert program.failed == (("d", "truncated"),)
    assert program.not_assessed == ("e",)
    assert program.figures.lesion_free_films == 3
    assert program.figures.lesion_free_films_with_result == 2
    assert program.figures.groups == 4


def test_a_complete_evaluation_has_every_result(tmp_path: Path) -> None:
    """An evaluation with unassessed films is complete; with missing or failed ones it is not."""
    assert not run(tmp_path / "some").complete
    whole = [film for film in FILMS if film.status == "ok"]
    assert run(tmp_path / "all", whole).complete
    assert not run(tmp_path / "missing", [A, dataclasses.replace(C, status="missing")]).complete


def test_the_programs_own_threshold(one: SetEvaluation) -> None:
    """At 0.75, sensitivity is 1/3, with 0.5 false positives per lesion-free film and Dice 2/3."""
    shown = one.program.shown
    assert shown.dice_median.value == pytest.approx(2 / 3)
    assert shown.sensitivity.value == pytest.approx(1 / 3)
    assert shown.false_positives_per_film.value == 0.5
    assert shown.sensitivity.low is not None
    assert shown.false_positives_per_film.low is not None


def test_strata_use_the_thresholds_of_the_set(one: SetEvaluation) -> None:
    """Strata use the set's thresholds: one femur lesion at 1/8, two at 1, and no tibia lesion."""
    parts = {each.name: each for each in one.strata if each.family == "body_part"}
    assert list(parts) == ["femur", "tibia"]
    femur = parts["femur"]
    assert (femur.lesions, femur.sensitivity) == (2, (0.5, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0))
    assert femur.cpm == pytest.approx((1.5 + 4) / 7)
    assert femur.dice_median == pytest.approx((2 / 3 + 9 / 16) / 2)
    assert femur.sensitivity_all_listed == 1.0
    tibia = parts["tibia"]
    assert (tibia.lesions, tibia.cpm, tibia.dice_median) == (1, 0.0, None)
    small = next(each for each in one.strata if each.name == "< 8 px")
    assert small.lesions == 2


def test_strata_without_lesion_free_films_have_no_rates(tmp_path: Path) -> None:
    """Without lesion-free films, a stratum has only the sensitivity of all listed candidates."""
    part = run(tmp_path, [A]).sets[0].strata[0]
    assert (set(part.sensitivity), part.cpm, part.sensitivity_all_listed) == ({None}, None, 1.0)


def test_random_points_fall_in_the_best_known_bone(tmp_path: Path) -> None:
    """Chance uses the program's bone mask, else the truth's, else the whole film."""
    lesion = ((10, 10, 20, 20),)
    films = [
        MadeFilm("k", lesion, tool_bone=(0, 0, 60, 25), truth_bone=(0, 0, 60, 30)),
        MadeFilm("l", lesion, truth_bone=(0, 0, 60, 30)),
        MadeFilm("m", lesion, tool_bone=(0, 0, 0, 0)),
        MadeFilm("n", lesion, status="missing", truth_bone=(0, 0, 60, 30)),
    ]
    results, truth = make(tmp_path, films)
    judged = [judge(film, read_result(results, film)) for film in load_truth(truth)]
    assert [each.search_area for each in judged] == [
        "tool_bone",
        "truth_bone",
        "whole_film",
        "truth_bone",
    ]
    # no other pixels are within 0.8 px of a square
    shares = [float(each.scores.chance_shares[0]) for each in judged]
    assert shares == [100 / 1500, 100 / 1800, 100 / 6000, 100 / 1800]
    areas = evaluate(results, truth, resamples=0).sets[0].program.search_areas
    assert areas == {"tool_bone": 1, "truth_bone": 2, "whole_film": 1}


def test_lesion_widths_are_of_the_truths_bone_first(tmp_path: Path) -> None:
    """Lesion width is relative to the truth's bone (10/30), else to the program's (10/25)."""
    lesion = ((10, 10, 20, 20),)
    films = [
        MadeFilm("k", lesion, tool_bone=(0, 4, 60, 29), truth_bone=(0, 4, 60, 34)),
        MadeFilm("l", lesion, tool_bone=(0, 4, 60, 29)),
        MadeFilm("m", lesion),
    ]
    widths = [each.facts.lesion_to_bone_width for each in run(tmp_path, films).sets[0].lesions]
    assert widths == [pytest.approx(10 / 30, abs=0.02), pytest.approx(10 / 25, abs=0.02), None]


def test_two_programs_are_compared_on_the_same_films(tmp_path: Path) -> None:
    """A program that also finds the lesion of film b gains 1/3 in CPM and 2/6 in AUC."""
    results, truth = make(tmp_path, FILMS)
    box = (20, 20, 24, 24)
    better = [
        dataclasses.replace(film, status="ok", candidates=((0.95, box),)) if film.name == "b"
        else film
        for film in FILMS
    ]  # fmt: skip
    other = write_results(tmp_path / "other", truth, better)
    evaluation = evaluate(other, truth, against=results, resamples=40)
    one = evaluation.sets[0]
    assert one.difference is not None
    assert one.other is not None
    assert one.difference.cpm.value == pytest.approx(1 / 3)
    assert one.difference.image_auc.value == pytest.approx(2 / 6)
    assert one.other.figures.cpm.value == pytest.approx(11 / 21)
    assert one.other.missing == ("b",)
    assert evaluation.other_tool == evaluation.tool
    assert not evaluation.complete


def test_the_same_films_give_the_same_figures(tmp_path: Path) -> None:
    """Figures do not depend on the order of index.json; another seed changes only the intervals."""
    results, truth = make(tmp_path, FILMS)
    first = evaluate(results, truth, resamples=60).sets[0]
    assert first.name == "one"
    index = truth / "index.json"
    entries = json.loads(index.read_text(encoding="utf-8"))
    index.write_text(json.dumps(entries[::-1]), encoding="utf-8")
    again = evaluate(results, truth, resamples=60).sets[1]
    for figure in ("cpm", "sensitivity", "image_auc", "on_hits"):
        assert getattr(again.program.figures, figure) == getattr(first.program.figures, figure)
    other = evaluate(results, truth, resamples=60, seed=1).sets[1].program.figures
    assert other.cpm.value == first.program.figures.cpm.value
    assert (other.cpm.low, other.cpm.high) != (
        first.program.figures.cpm.low,
        first.program.figures.cpm.high,
    ) or other.left_out != first.program.figures.left_out


def test_films_pass_by_one_by_one(tmp_path: Path) -> None:
    """The progress callback receives the films one by one."""
    seen: list[str] = []
    results, truth = make(tmp_path, FILMS)
    evaluate(
        results,
        truth,
        resamples=0,
        progress=lambda films: (seen.append(film.name) or film for film in films),  # type: ignore[func-returns-value]
    )
    assert seen == ["a", "b", "c", "d", "e", "f"]


@pytest.mark.parametrize("key", ["settings_sha256", "scorer_sha256"])
def test_results_of_two_settings_are_refused(tmp_path: Path, key: str) -> None:
    """Results of different settings or scorers are refused."""
    results, truth = make(tmp_path, FILMS)
    path = results / "c.png.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    record["tool"][key] = "1" * 64
    path.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(
        ResultsError,
        match=r"mixes results of two versions, settings or scorers .*00000000 and .* 1111",
    ):
        evaluate(results, truth)


def test_a_candidate_without_region_is_refused(tmp_path: Path) -> None:
    """A candidate that hits a lesion but has no pixel in the label image is refused."""
    results, truth = make(tmp_path, [A])
    Image.fromarray(np.zeros(A.shape, np.uint16)).save(results / "a.png.labels.png")
    with pytest.raises(ResultsError, match=r"beside .*a\.png\.json has no pixel of candidate 1"):
        evaluate(results, truth)


def test_labels_are_needed_where_a_candidate_hits_only(tmp_path: Path) -> None:
    """A label image is required only if a candidate of the film hits a lesion."""
    results, truth = make(tmp_path, FILMS)
    (results / "c.png.labels.png").unlink()
    assert evaluate(results, truth, resamples=0).sets[0].program.figures.cpm.value is not None
    (results / "a.png.labels.png").unlink()
    with pytest.raises(ResultsError, match=r"a\.png\.labels\.png is not there"):
        evaluate(results, truth)


def test_a_mask_on_a_lesion_free_film_must_be_empty(tmp_path: Path) -> None:
    """A mask with a lesion on a film that the index calls lesion-free is refused."""
    results, truth = make(tmp_path, FILMS)
    mask = np.zeros(C.shape, np.uint8)
    Image.fromarray(mask).save(truth / "masks" / "c.lesions.png")
    assert evaluate(results, truth, resamples=0).sets[0].program.figures.lesions == 3
    mask[3, 3] = 1
    Image.fromarray(mask).save(truth / "masks" / "c.lesions.png")
    with pytest.raises(TruthError, match=r"c\.lesions\.png shows 1 and index\.json says 0 lesions"):
        evaluate(results, truth)


def test_a_mask_of_another_size_than_the_result_is_refused(tmp_path: Path) -> None:
    """A mask whose size differs from the film's is refused."""
    results, truth = make(tmp_path, [A, C])
    Image.fromarray(np.ones((30, 50), np.uint8)).save(truth / "masks" / "a.lesions.png")
    with pytest.raises(TruthError, match=r"a\.lesions\.png has 30 x 50 pixels and its film 60 x"):
        evaluate(results, truth)


def test_results_of_the_whole_truth_folder_are_read(tmp_path: Path) -> None:
    """Results in the subfolder `images` give the same metrics."""
    results, truth = make(tmp_path, FILMS)
    expected = evaluate(results, truth, resamples=0).sets[0].program.figures.cpm
    (tmp_path / "whole").mkdir()
    results.rename(tmp_path / "whole" / "images")
    found = evaluate(tmp_path / "whole", truth, resamples=0).sets[0].program.figures.cpm
    assert found == expected
