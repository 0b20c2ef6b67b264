"""Ablation study of the detection: python scripts/research/ablate.py TRUTH --out DIR.

Every film is scanned as shipped, and with each step removed in turn; all scans are evaluated alike.
The scorer is not retrained without the step: the table shows the contribution of a step to the
shipped program, not how well a program designed without it would do. A removed term of the score is
left out of the sum.

One table per set: simulated, planted and real films are never pooled. The last columns are the
figures minus those of the program as shipped, on the same resamples, so that the variation between
films cancels out as far as it is common to both.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
from figures_table import markdown, tables_of
from numpy.typing import NDArray
from scan_and_judge import every_film, judge_each, truth_films

from lesionscan.detection import pipeline
from lesionscan.detection.bone import Bone
from lesionscan.detection.field import Field
from lesionscan.detection.scorer.network import Network
from lesionscan.detection.scorer.scorer_file import Scorer, shipped_scorer
from lesionscan.evaluation.bootstrap import RESAMPLES
from lesionscan.evaluation.scores import FilmScores
from lesionscan.evaluation.truth import TruthError, TruthFilm
from lesionscan.radiograph import BoolImage, FloatImage, LabelImage, Radiograph

AS_SHIPPED = "as shipped"
BONE_TERMS = {"in_bone", "width"}
"""Terms that are meaningless without a bone mask."""


@dataclass(frozen=True)
class Variant:
    """The detection with one step removed.

    Attributes
    ----------
    steps
        Replacements of functions of `lesionscan.detection.pipeline`, by name.
    scorer
        Returns the scorer to use, given the shipped one.
    """

    steps: Mapping[str, Callable[..., object]] = field(default_factory=dict)
    scorer: Callable[[Scorer], Scorer] = lambda scorer: scorer


def whole_film(_scaled: FloatImage, valid: BoolImage) -> Field:
    """Treat all valid pixels as exposed, and none as covered."""
    return Field(exposed=valid, opaque=np.zeros_like(valid))


def bone_everywhere(_bone_map: FloatImage, _image: FloatImage, usable: BoolImage) -> Bone:
    """Treat the whole usable field as bone."""
    return Bone(mask=usable, search=usable, confidence=1.0)


def no_lucencies(
    lucency: FloatImage, *_images: FloatImage, **_numbers: object
) -> tuple[LabelImage, BoolImage]:
    """Find no peaks on the lucency map."""
    return np.zeros(lucency.shape, np.int32), np.zeros(lucency.shape, np.bool_)


def no_dark_regions(*_images: FloatImage, found: LabelImage, **_numbers: object) -> LabelImage:
    """Find no additional regions."""
    return found


class SinglePass(Network):
    """A network that runs once and uses the mirrored output for the mirror image."""

    def _logits(self, batch: FloatImage) -> NDArray[np.float32]:
        straight = super()._logits(batch[:1])
        return np.concatenate([straight, straight[..., ::-1]])


def without_mirror_image(scorer: Scorer) -> Scorer:
    """Return the scorer with a network that does not run on the mirror image."""
    network = scorer.network
    return replace(
        scorer, network=SinglePass(network.onnx, network.preprocessing, network.long_sides_px)
    )


def with_terms(scorer: Scorer, *, keep: Callable[[str], bool]) -> Scorer:
    """Return the scorer with some of its terms."""
    return replace(scorer, terms=tuple(term for term in scorer.terms if keep(term.name)))


def _is_of_network(term: str) -> bool:
    return term.startswith("lucency")


def _is_not_of_network(term: str) -> bool:
    return not _is_of_network(term)


def _needs_no_bone(term: str) -> bool:
    return term not in BONE_TERMS


VARIANTS = {
    AS_SHIPPED: Variant(),
    "no exposed field": Variant({"find_field": whole_film}),
    "no mirror image": Variant(scorer=without_mirror_image),
    "no lucency regions": Variant({"find_lucencies": no_lucencies}),
    "no dark regions": Variant({"find_dark_regions": no_dark_regions}),
    "no bone mask": Variant(
        {"find_bone": bone_everywhere}, partial(with_terms, keep=_needs_no_bone)
    ),
    "network's terms only": Variant(scorer=partial(with_terms, keep=_is_of_network)),
    "no network terms": Variant(scorer=partial(with_terms, keep=_is_not_of_network)),
}
"""All variants by name. Steps of the training cannot be removed afterwards."""


def scan_without(film: TruthFilm, names: tuple[str, ...]) -> dict[str, FilmScores]:
    """Scan and evaluate a film with each variant; an unreadable film fails in all.

    Parameters
    ----------
    film
        The film and its truth.
    names
        Keys of `VARIANTS`.
    """
    judged = judge_each(film, {name: partial(_found, VARIANTS[name]) for name in names})
    return {name: one.scores for name, one in judged.items()}


def _found(variant: Variant, radiograph: Radiograph) -> pipeline.Findings:
    with ExitStack() as stack:
        for step, stand_in in variant.steps.items():
            stack.enter_context(patch.object(pipeline, step, stand_in))
        return pipeline.find_candidates(radiograph, scorer=variant.scorer(shipped_scorer()))


def main() -> None:
    """Scan, print the tables and write ablation.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("truth", type=Path, help="folder with index.json")
    parser.add_argument("--out", type=Path, required=True, help="folder for ablation.json")
    parser.add_argument("--sets", help="only these sets, separated by commas")
    parser.add_argument(
        "--steps", help=f"only these, separated by commas: {', '.join(list(VARIANTS)[1:])}"
    )
    parser.add_argument("--jobs", type=int, default=2, help="films processed in parallel")
    parser.add_argument("--resamples", type=int, default=RESAMPLES, help="bootstrap resamples")
    options = parser.parse_args()
    names = [AS_SHIPPED, *(options.steps.split(",") if options.steps else list(VARIANTS)[1:])]
    for name in names:
        if name not in VARIANTS:
            parser.error(f"there is no step {name!r}; known are {', '.join(list(VARIANTS)[1:])}")
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--out {options.out} cannot be made ({error.strerror}); give another folder")
    try:
        films = truth_films([options.truth], options.sets)
        work = partial(scan_without, names=tuple(dict.fromkeys(names)))
        outcomes = list(every_film(films, work, jobs=options.jobs))
    except TruthError as error:
        parser.error(str(error))
    tables = tables_of(films, outcomes, baseline=AS_SHIPPED, resamples=options.resamples)
    record = {
        "scorer": {"name": shipped_scorer().name, "sha256": shipped_scorer().sha256},
        "resamples": options.resamples,
        "sets": {name: [row.plain() for row in rows] for name, rows in tables.items()},
    }
    (options.out / "ablation.json").write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    print("\n\n".join(markdown(name, rows, what="step") for name, rows in tables.items()))


if __name__ == "__main__":
    main()
