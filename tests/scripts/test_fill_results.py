"""README, docs and model card show the figures measured in docs/results.json, and no others."""

import json
import re
from pathlib import Path

import fill_results
import pytest

ROOT = Path(__file__).resolve().parents[2]
NOT_MEASURED = {
    "docs/compare.md": {"0.75", "1.33", "1.15"},  # ranges of sizes
    "docs/evaluation.md": {"0.005"},  # thresholds of the stock detectors
    "docs/faq.md": {"0.143"},  # a pixel spacing
    # rules, tolerances of tests, and a square's circularity
    "docs/measures.md": {"0.785", "0.05", "0.07", "0.08", "0.25", "0.03", "1.35", "0.15"},
    "docs/own-films.md": {"0.143"},
    "docs/report.md": {"0.05"},  # the lowest score that the page shows
    "docs/training.md": {"0.25"},  # shares that were tried
}
"""Numbers with two or three decimals that are settings or mathematics."""
UNGUARDED = {"docs/reference.md", "docs/reading.md"}
"""Pages that are not checked: made from the code, and with tolerances of file formats."""
EVALUATION = {
    "sets": {
        "real": {
            "counts": {"lesions": 3},
            "sensitivity": {"1": 0.5},
            "cpm": 0.25,
            "image_auc": 0.75,
            "sensitivity_all_listed": 1.0,
            "dice_median": 0.8,
            "shown": {"sensitivity": 0.5, "intervals": {"sensitivity": [0.1, 0.9]}},
            "intervals": {"sensitivity": {"1": [0.25, 0.75]}, "cpm": [0.125, 0.375]},
            "froc": "is not taken",
        }
    }
}
RESULTS = {
    "evaluations": {"ours": {"about": "the command"}},
    "tables": {
        "sizes": {"columns": ["size", "found"], "rows": [["small", "1"], ["large", "2"]]},
        "rates": {
            "rates_of": [
                {"label": "a", "evaluation": "full", "bold": True},
                {"label": "b", "evaluation": "full", "interval": True},
            ]
        },
    },
    "values": {"time": "3 s"},
    "samples": {"a.dcm": [{"score": 0.997, "centroid_px": [1.5, 2.0]}]},
}


def typed_by_hand(page: str, text: str) -> list[str]:
    """Return the figures of a page that are outside code and outside marks."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    text = fill_results.FIGURE.sub("", fill_results.TABLE.sub("", text))
    text = re.sub(r"`[^`]*`|\]\([^)]*\)", "", text)
    figures = re.findall(
        r"(?<![\d.])[01]\.\d{2,3}(?![\d.])|\d+ % of the (?:lesions|films|candidates)", text
    )
    return [one for one in figures if one not in NOT_MEASURED.get(page, set())]


@pytest.mark.parametrize("page", fill_results.PAGES)
def test_a_page_shows_the_results_as_they_are(page: str) -> None:
    """The pages are up to date with docs/results.json and the sample images."""
    text = (ROOT / page).read_text(encoding="utf-8")
    filled = fill_results.fill(text, fill_results.load_results())
    assert text == filled, "run: python scripts/fill_results.py"


@pytest.mark.parametrize("page", sorted({*fill_results.PAGES} - UNGUARDED))
def test_no_figure_is_typed_by_hand(page: str) -> None:
    """All figures are in docs/results.json and marked, as `scripts/fill_results.py` describes."""
    assert typed_by_hand(page, (ROOT / page).read_text(encoding="utf-8")) == []


def test_a_typed_figure_is_noticed() -> None:
    """Unmarked figures are found in text and tables, but not in code, links or marks."""
    text = "A Dice of 0.75, 89 % of the lesions.\n| 0.123 |\n"
    assert typed_by_hand("page", text) == ["0.75", "89 % of the lesions", "0.123"]
    rest = "`0.75` 1.2.3 <!-- = a:b -->0.75<!-- / -->\n```\n0.75\n```\n[x](y#0.75)"
    assert typed_by_hand("page", rest) == []


@pytest.mark.parametrize("page", fill_results.PAGES)
def test_no_line_begins_with_a_mark(page: str) -> None:
    """No line begins with a mark, since Markdown would parse that line as HTML."""
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.lstrip().startswith("<!-- =")] == []


def test_every_result_is_shown_somewhere() -> None:
    """Everything in docs/results.json is shown on some page."""
    text = "".join((ROOT / page).read_text(encoding="utf-8") for page in fill_results.PAGES)
    results = fill_results.load_results()
    named = [f"value:{name} " for name in results["values"]]
    named += [f"table {name} " for name in results["tables"]]
    shown = text + json.dumps(results["tables"])
    named += [name for name in results["evaluations"] if f'"evaluation": "{name}"' not in shown]
    assert [name for name in named if name not in text] == []


def test_an_evaluation_is_recorded() -> None:
    """A new evaluation replaces the earlier one, with intervals, and keeps its description."""
    recorded = fill_results.record(RESULTS, "ours", EVALUATION, "real")["evaluations"]["ours"]
    assert recorded["about"] == "the command"
    assert recorded["cpm"] == 0.25
    assert recorded["intervals"] == EVALUATION["sets"]["real"]["intervals"]
    assert "froc" not in recorded


def test_a_set_that_is_not_there_is_named() -> None:
    """An unknown set gives one line with the known ones."""
    with pytest.raises(SystemExit, match="there is no set 'all'; there are real"):
        fill_results.record(RESULTS, "ours", EVALUATION, "all")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("ours:cpm", "0.25"),
        ("ours:counts:lesions", "3"),
        ("ours:cpm as percent", "25 %"),
        ("ours:cpm with interval", "0.25 (0.12 to 0.38)"),
        ("ours:sensitivity:1 interval", "0.25 to 0.75"),
        ("ours:shown:sensitivity with interval", "0.50 (0.10 to 0.90)"),
        ("value:time", "3 s"),
        ("sizes:large:found", "2"),
        ("sample:a.dcm:0:score", "0.997"),
        ("sample:a.dcm:0:centroid_px", "(1.5, 2.0)"),
    ],
)
def test_a_figure_is_filled_in(keys: str, said: str) -> None:
    """A figure replaces the text between its marks."""
    results = fill_results.record(RESULTS, "ours", EVALUATION, "real")
    assert fill_results.fill(f"a <!-- = {keys} -->old<!-- / --> b", results) == (
        f"a <!-- = {keys} -->{said}<!-- / --> b"
    )


def test_tables_are_filled_in() -> None:
    """Stored rows are unchanged; evaluations have every rate, CPM and image AUC."""
    mark = "<!-- table sizes -->\nold\n<!-- end -->"
    assert fill_results.fill(mark, RESULTS) == (
        "<!-- table sizes -->\n\n| size | found |\n| --- | --- |\n| small | 1 |\n| large | 2 |\n\n"
        "<!-- end -->"
    )
    rates = dict.fromkeys(("0.125", "0.25", "0.5", "1", "2", "4", "8"), 0.5)
    ends = {rate: [0.4, 0.6] for rate in rates}
    full = {"sensitivity": rates, "cpm": 0.5, "image_auc": 0.75}
    full["intervals"] = {"sensitivity": ends, "cpm": [0.1, 0.2], "image_auc": [0.7, 0.8]}
    table = fill_results.table(RESULTS | {"evaluations": {"full": full}}, "rates").splitlines()
    assert table[0] == "|  | 1/8 | 1/4 | 1/2 | 1 | 2 | 4 | 8 | CPM | image AUC |"
    assert table[2] == f"| **a** {'| **0.50** ' * 8}| **0.75** |"
    assert table[3] == f"| b {'| 0.40 to 0.60 ' * 7}| 0.10 to 0.20 | 0.70 to 0.80 |"


def test_the_file_is_written_as_it_is_kept() -> None:
    """Each row is written on one line, so that a diff shows it as one change."""
    kept = fill_results.RESULTS.read_text(encoding="utf-8")
    assert fill_results.as_text(json.loads(kept)) == kept
