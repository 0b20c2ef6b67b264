"""Definitions and notes that are written with the figures."""

from collections.abc import Iterator

from lesionscan.evaluation.evaluate import ProgramOnSet
from lesionscan.evaluation.matching import TOLERANCE

_FEW = 10
"""With fewer films, percentile bootstrap intervals are too narrow."""

DEFINITIONS = {
    "hit": f"A candidate can hit a lesion if its centroid lies within {TOLERANCE:.1%} of the "
    "film's long side (at least half a pixel's diagonal) of the lesion's nearest pixel centre. "
    "One hit per lesion, one lesion per candidate: a maximum matching with the highest scores, "
    "then the smallest distances. Further candidates on a lesion are neither hits nor false "
    "positives.",
    "sets": "Every figure is of one set; simulated, planted and real films are never pooled.",
    "sensitivity": "Lesions hit / lesions, at the operating point of highest sensitivity among "
    "those with at most this many false positives per lesion-free film; operating points are at "
    "distinct scores, without interpolation.",
    "false_positives": "Candidates on no lesion, per lesion-free film with a result; those on "
    "lesion films are reported separately.",
    "cpm": "Mean of the seven sensitivities.",
    "score_must_exceed": "Threshold of each rate: a candidate counts if its score is higher; "
    "null if every listed candidate counts.",
    "sensitivity_all_listed": "Lesions hit by any listed candidate / lesions.",
    "image_auc": "Share of pairs of a lesion film and a lesion-free film in which the best score "
    "of the lesion film is higher, ties half; a film without candidates ranks below every score.",
    "no_result": "Films that are missing or failed are not dropped: their lesions count as missed. "
    "Lesion-free ones are left out of the films that false positives are counted on. In the image "
    "AUC such a lesion film ranks below all others, and such a lesion-free film above all others.",
    "not_assessed": "Films whose bone the program could not find; they have no candidates.",
    "chance": "Sensitivity of random points in the same area, on average r per film: mean over "
    "lesions of 1 - exp(-p r), where p is the fraction of the area near enough to hit. The area "
    "is the program's bone mask (tool_bone), else the truth's (truth_bone), else the whole film.",
    "dice": "2 |A and B| / (|A| + |B|) of the lesion and the region of the candidate that hit it; "
    "medians over hits at any score; dice_median_misses_as_zero is over all lesions.",
    "errors": "Area and equivalent diameter of the candidate / those of the lesion - 1: error is "
    "the median of absolute values, bias of signed ones. distance_px is between the centroids.",
    "shown": "Figures from the candidates that the program shows at its own threshold.",
    "intervals": "95 % percentile bootstrap of groups of films: patient, else case of the set, "
    "else source film, else film. Resamples that cannot give a figure are left out and counted.",
    "strata": "Lesions by kind, at the thresholds of their whole set. lesion_to_bone_width is from "
    "the index, else the width across the bone's axis / width of the bone there (the truth's bone "
    "mask, else the program's); size is equivalent diameter / long side of the film.",
    "against": "Another program on the same films; difference is the first program's figure minus "
    "the other's, with intervals from the same resamples for both.",
    "outcome": "shown: hit by a shown candidate; listed: hit by one below the program's threshold; "
    "missed: not hit; no_result: the film is missing or failed.",
}


def notes(program: ProgramOnSet) -> Iterator[str]:
    """Yield notes on the reliability of a set's figures, one sentence each."""
    figures = program.figures
    if not figures.lesions:
        yield "No lesions: sensitivity, CPM, image AUC and outlines are not known."
    if not figures.lesion_free_films:
        yield (
            "No lesion-free films: false positives, sensitivity at a rate, CPM and image AUC are "
            "not known."
        )
    elif not figures.lesion_free_films_with_result:
        yield (
            "No lesion-free film has a result: false positives, sensitivity at a rate and CPM are "
            "not known."
        )
    if figures.groups < 2:
        yield "One group of films only: intervals are not known."
    if program.missing or program.failed:
        yield (
            f"Films without result: {len(program.missing)} missing, {len(program.failed)} failed. "
            "Their lesions count as missed; false positives are not counted on them."
        )
    if program.not_assessed:
        yield (
            f"Films not assessed: {len(program.not_assessed)}. They count as films without "
            "candidates."
        )
    for films, kind in ((figures.lesion_films, "with"), (figures.lesion_free_films, "without")):
        if figures.resamples and 0 < films < _FEW:
            yield f"Only {films} films {kind} lesions: intervals are narrower than the truth."
