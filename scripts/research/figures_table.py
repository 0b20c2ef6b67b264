"""Tables and JSON of several ways to scan the same films, compared with a baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scan_and_judge import in_words

from lesionscan.evaluation.bootstrap import SEED
from lesionscan.evaluation.froc import RATE_NAMES, RATES
from lesionscan.evaluation.scores import FilmScores
from lesionscan.evaluation.summary import Figure, Headline, SetFigures, compare, summarise
from lesionscan.evaluation.truth import TruthFilm


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes
    ----------
    name
        The way to scan.
    figures
        Its figures on one set.
    minus_baseline
        Its figures minus those of the table's baseline on the same resamples, so that the variation
        between films cancels out as far as it is common to both; None in the baseline's row.
    """

    name: str
    figures: SetFigures
    minus_baseline: Headline | None

    def plain(self) -> dict[str, object]:
        """Return the row for JSON: value, low and high end of every figure."""
        figures, minus = self.figures, self.minus_baseline
        single = {
            "cpm": figures.cpm,
            "image_auc": figures.image_auc,
            "listed": figures.sensitivity_all_listed,
            "dice_median": figures.on_hits["dice_median"],
        }
        return {
            "name": self.name,
            "films": figures.films,
            "lesions": figures.lesions,
            "sensitivity": {
                f"{rate:g}": _ends(one)
                for rate, one in zip(RATES, figures.sensitivity, strict=True)
            },
            **{name: _ends(one) for name, one in single.items()},
            **({} if minus is None else {"cpm_minus_baseline": _ends(minus.cpm)}),
        }


def rows_of(
    outcomes: Sequence[Mapping[str, FilmScores]], *, baseline: str, resamples: int
) -> list[Row]:
    """Return the figures of one set for each way to scan it.

    Parameters
    ----------
    outcomes
        For each film, the outcome by name of the way, with the same names in the same order.
    baseline
        The name of the way that the others are compared with.
    resamples
        Number of bootstrap resamples.
    """
    columns = {name: [outcome[name] for outcome in outcomes] for name in outcomes[0]}
    return [
        Row(
            name,
            summarise(films, resamples=resamples, seed=SEED),
            None if name == baseline else compare(films, columns[baseline], resamples=resamples),
        )
        for name, films in columns.items()
    ]


def tables_of(
    films: Sequence[TruthFilm],
    outcomes: Sequence[Mapping[str, FilmScores]],
    *,
    baseline: str,
    resamples: int,
) -> dict[str, list[Row]]:
    """Return every set's rows, as in `rows_of`; `outcomes` has the films' order."""
    return {
        name: rows_of(
            [one for film, one in zip(films, outcomes, strict=True) if film.set_name == name],
            baseline=baseline,
            resamples=resamples,
        )
        for name in dict.fromkeys(film.set_name for film in films)
    }


def markdown(name: str, rows: Sequence[Row], *, what: str) -> str:
    """Return the table of one set; `what` heads the column of names."""
    first = rows[0].figures
    baseline = next(row.name for row in rows if row.minus_baseline is None)
    rates = " | ".join(f"@{rate}" for rate in RATE_NAMES)
    head = (
        f"| {what} | {rates} | CPM | image AUC | listed | Dice of hits | @1 minus {baseline} "
        f"| CPM minus {baseline} |"
    )
    films = f"{first.lesion_films} films, {first.lesion_free_films} films without"
    lines = [
        f"## {name}: {first.lesions} lesions in {films}",
        "",
        head,
        "|" + " --- |" * (head.count("|") - 1),
    ]
    for row in rows:
        figures, minus = row.figures, row.minus_baseline
        cells = [
            row.name,
            *map(_value, figures.sensitivity),
            in_words(figures.cpm),
            in_words(figures.image_auc),
            _value(figures.sensitivity_all_listed),
            _value(figures.on_hits["dice_median"]),
            "" if minus is None else in_words(minus.sensitivity[RATES.index(1)]),
            "" if minus is None else in_words(minus.cpm),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _value(figure: Figure) -> str:
    return "-" if figure.value is None else f"{figure.value:.2f}"


def _ends(figure: Figure) -> dict[str, float | None]:
    return {"value": figure.value, "low": figure.low, "high": figure.high}
