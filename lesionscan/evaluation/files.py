"""Write an evaluation: `evaluation.json`, `lesions.csv`, `froc.png` and `froc.svg`.

The files contain no time and no path, and about patients only the names in the truth's index. The
same results and truth give the same bytes.
"""

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lesionscan.evaluation.bootstrap import Floats
from lesionscan.evaluation.evaluate import Evaluation, ProgramOnSet, SetEvaluation, Shown
from lesionscan.evaluation.figure import froc_figure
from lesionscan.evaluation.froc import RATES, Curve
from lesionscan.evaluation.strata import UNKNOWN
from lesionscan.evaluation.summary import ON_HITS, Figure, Headline
from lesionscan.evaluation.wording import DEFINITIONS, notes
from lesionscan.results.csv_text import cell_text, csv_line
from lesionscan.results.own_files import OwnFiles
from lesionscan.results.record import DISCLAIMER

SCHEMA_VERSION = "1.0"
MOST_POINTS = 200
"""Most operating points of a curve in the JSON: more would not change the drawn line."""

LESION_COLUMNS = (
    "set",
    "film",
    "lesion",
    "centroid_row_px",
    "centroid_column_px",
    "area_px",
    "equivalent_diameter_px",
    "lesion_to_bone_width",
    "contrast_to_noise",
    "body_part",
    "subtype",
    "kind",
    "outcome",
    "candidate_id",
    "score",
    "rank",
    "false_positives_per_film",
    "dice",
    "area_error",
    "diameter_error",
    "distance_px",
)


@dataclass(frozen=True, slots=True)
class EvaluationPaths:
    """Paths of an evaluation's files."""

    record: Path
    lesions: Path
    figure_png: Path
    figure_svg: Path

    @classmethod
    def of(cls, out: Path) -> "EvaluationPaths":
        """Return the paths under the output folder."""
        return cls(
            record=out / "evaluation.json",
            lesions=out / "lesions.csv",
            figure_png=out / "froc.png",
            figure_svg=out / "froc.svg",
        )


def own_files(results: Path, out: Path) -> OwnFiles:
    """Return the writer of an evaluation's files, and check that they may be written.

    Parameters
    ----------
    results
        The evaluated results folder; `out` may be inside it.
    out
        The folder of the evaluation.

    Raises
    ------
    lesionscan.results.own_files.NotOwnError
        If a file with one of their names exists that lesionscan has not written.
    lesionscan.results.atomic.OutputError
        If a folder of the path is a link.
    """
    own, paths = OwnFiles(out, below=results), EvaluationPaths.of(out)
    own.check(path.name for path in astuple(paths))
    return own


def write_evaluation(evaluation: Evaluation, own: OwnFiles) -> EvaluationPaths:
    """Write all files, each atomically, and return their paths.

    Parameters
    ----------
    evaluation
        The evaluation.
    own
        From `own_files`.

    Raises
    ------
    lesionscan.results.atomic.OutputError
        If the folder or a file cannot be written.
    """
    paths = EvaluationPaths.of(own.out)
    png, svg = froc_figure(evaluation)
    own.write(paths.figure_png, png)
    own.write(paths.figure_svg, svg)
    own.write(paths.lesions, lesions_csv(evaluation))
    own.write(paths.record, evaluation_json(evaluation))
    return paths


def evaluation_json(evaluation: Evaluation) -> bytes:
    """Return `evaluation.json`: every figure with its interval, and the definitions."""
    record = {
        "schema_version": SCHEMA_VERSION,
        "tool": asdict(evaluation.tool),
        "against_tool": None if evaluation.other_tool is None else asdict(evaluation.other_tool),
        "truth": {"index_sha256": evaluation.index_sha256},
        "bootstrap": {"resamples": evaluation.resamples, "seed": evaluation.seed},
        "sets": {one.name: _set(one) for one in evaluation.sets},
        "definitions": DEFINITIONS,
        "disclaimer": DISCLAIMER,
    }
    text = json.dumps(_rounded(record), indent=1, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode("utf-8")


def lesions_csv(evaluation: Evaluation) -> bytes:
    """Return `lesions.csv`: the outcome of every lesion; unknown values are empty cells."""
    rows = (row for one in evaluation.sets for row in _lesion_rows(one))
    return "".join(map(csv_line, (LESION_COLUMNS, *rows))).encode("utf-8")


def _lesion_rows(one: SetEvaluation) -> Iterator[list[str]]:
    curve = one.program.figures.curve
    # the thresholds include the score of every hit, since sensitivity rises there
    rates = (
        {}
        if curve is None
        else dict(zip(curve.thresholds, curve.false_positives_per_film, strict=True))
    )
    for lesion in one.lesions:
        facts = lesion.facts
        cells = (
            one.name,
            lesion.film,
            facts.number,
            round(facts.centroid_px[0], 2),
            round(facts.centroid_px[1], 2),
            facts.area_px,
            facts.equivalent_diameter_px,
            facts.lesion_to_bone_width,
            facts.contrast_to_noise,
            *(None if word == UNKNOWN else word for word in _words(facts)),
            lesion.outcome,
            lesion.candidate_id,
            lesion.score,
            lesion.rank,
            None if lesion.score is None else rates.get(np.float64(lesion.score)),
            lesion.dice,
            lesion.area_error,
            lesion.diameter_error,
            lesion.distance_px,
        )
        yield [_cell(cell) for cell in cells]


def _words(facts: Any) -> Iterable[str]:  # noqa: ANN401
    return facts.body_part, facts.subtype, facts.kind


def _set(one: SetEvaluation) -> dict[str, Any]:
    strata: dict[str, dict[str, Any]] = {}
    for stratum in one.strata:
        strata.setdefault(stratum.family, {})[stratum.name] = {
            "n": stratum.lesions,
            "sensitivity": _by_rate(stratum.sensitivity),
            "cpm": stratum.cpm,
            "sensitivity_all_listed": stratum.sensitivity_all_listed,
            "chance": _by_rate(stratum.chance),
            "dice_median": stratum.dice_median,
        }
    record = _program(one.program) | {"strata": strata, "against": None}
    if one.other is not None and one.difference is not None:
        record["against"] = _program(one.other) | {"difference": _headline(one.difference)}
    return record


def _program(program: ProgramOnSet) -> dict[str, Any]:
    figures = program.figures
    headline = Headline(
        figures.sensitivity,
        figures.cpm,
        figures.image_auc,
        figures.sensitivity_all_listed,
        figures.on_hits,
    )
    return {
        "counts": {
            "films": figures.films,
            "lesion_films": figures.lesion_films,
            "lesion_free_films": figures.lesion_free_films,
            "lesion_free_films_with_result": figures.lesion_free_films_with_result,
            "lesions": figures.lesions,
            "groups": figures.groups,
            "missing": len(program.missing),
            "failed": len(program.failed),
            "not_assessed": len(program.not_assessed),
        },
        **_headline(headline),
        "resamples_left_out": dict(figures.left_out),
        "chance": {
            "sensitivity": _by_rate(figures.chance),
            "cpm": figures.chance_cpm,
            "search_areas": dict(sorted(program.search_areas.items())),
        },
        "score_must_exceed": _by_rate(figures.cutoffs),
        "false_positives_on_lesion_films": _by_rate(figures.false_positives_on_lesion_films),
        "shown": _shown(program.shown),
        "froc": _curve(figures.curve),
        "band": {
            "false_positives_per_film": list(figures.band.rates),
            "sensitivity": figures.band.sensitivity.tolist(),
            "low": figures.band.low.tolist(),
            "high": figures.band.high.tolist(),
            "chance": figures.band.chance.tolist(),
        },
        "films": {
            "missing": list(program.missing),
            "failed": [{"name": name, "code": code} for name, code in program.failed],
            "not_assessed": list(program.not_assessed),
        },
        "notes": list(notes(program)),
    }


def _headline(headline: Headline) -> dict[str, Any]:
    single = {
        "cpm": headline.cpm,
        "image_auc": headline.image_auc,
        "sensitivity_all_listed": headline.sensitivity_all_listed,
        **{name: headline.on_hits[name] for name in ON_HITS},
    }
    return {
        "sensitivity": _by_rate([one.value for one in headline.sensitivity]),
        **{name: one.value for name, one in single.items()},
        "intervals": {
            "sensitivity": _by_rate([_ends(one) for one in headline.sensitivity]),
            **{name: _ends(one) for name, one in single.items()},
        },
    }


def _shown(shown: Shown) -> dict[str, Any]:
    figures = {
        "sensitivity": shown.sensitivity,
        "false_positives_per_film": shown.false_positives_per_film,
        "dice_median": shown.dice_median,
    }
    return {
        **{name: one.value for name, one in figures.items()},
        "intervals": {name: _ends(one) for name, one in figures.items()},
    }


def _curve(curve: Curve | None) -> dict[str, list[float]] | None:
    if curve is None:
        return None
    size = curve.thresholds.size
    kept = np.unique(np.linspace(0, max(size - 1, 0), min(size, MOST_POINTS)).round().astype(int))

    def thinned(values: Floats) -> list[float]:
        return [float(value) for value in values[kept]]

    return {
        "threshold": thinned(curve.thresholds),
        "false_positives_per_film": thinned(curve.false_positives_per_film),
        "sensitivity": thinned(curve.sensitivity),
    }


def _by_rate(values: Iterable[Any]) -> dict[str, Any]:
    return {f"{rate:g}": value for rate, value in zip(RATES, values, strict=True)}


def _ends(one: Figure) -> list[float] | None:
    return None if one.low is None or one.high is None else [one.low, one.high]


def _rounded(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Round floats to 9 digits, so that machines agree; replace NaN and infinity by None."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.9g}") if math.isfinite(value) else None
    return value


def _cell(value: str | float | None) -> str:
    return f"{value:.6g}" if isinstance(value, float) else cell_text(value)
