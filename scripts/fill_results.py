"""Fill the measured figures into README, docs and model card: python scripts/fill_results.py.

All measured figures are in docs/results.json. Pages refer to them with HTML comments:
`<!-- table NAME -->` ... `<!-- end -->` around a table, and `<!-- = NAME:key:key -->` ...
`<!-- / -->` around a figure, optionally with `as percent`, `with interval` or `interval` after the
keys. A test compares the pages with the output of this script.

    python scripts/fill_results.py --record NAME SCORES/evaluation.json --set SET

first records the figures of an evaluation from the output of `lesionscan evaluate`.
"""

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from lesionscan.evaluation.froc import RATE_NAMES, RATES

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results.json"
SAMPLES = ROOT / "sample_images" / "expected.json"
PAGES = (
    "README.md",
    "CITATION.cff",
    "lesionscan/detection/scorer/MODEL_CARD.md",
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")),
)

KEPT = ("counts", "sensitivity", "cpm", "image_auc", "sensitivity_all_listed", "dice_median")
"""Keys copied from a set in `evaluation.json`, in addition to `shown` and the intervals."""

TABLE = re.compile(r"(<!-- table (?P<name>[\w.-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
FIGURE = re.compile(
    r"(<!-- = (?P<keys>[^<>]+?)(?P<form> as percent| with interval| interval)? -->)"
    r".*?(<!-- / -->)",
    re.DOTALL,
)

Results: TypeAlias = dict[str, Any]


def main() -> None:
    """Record an evaluation if requested, and fill every page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--record", nargs=2, metavar=("NAME", "FILE"))
    parser.add_argument("--set", default="all", help="which set of the file to record")
    options = parser.parse_args()
    if options.record:
        name, file = options.record
        evaluation = json.loads(Path(file).read_text(encoding="utf-8"))
        results = json.loads(RESULTS.read_text(encoding="utf-8"))
        recorded = record(results, name, evaluation, options.set)
        RESULTS.write_text(as_text(recorded), encoding="utf-8")
    results = load_results()
    for page in PAGES:
        path = ROOT / page
        before = path.read_text(encoding="utf-8")
        try:
            after = fill(before, results)
        except (KeyError, ValueError) as error:
            raise SystemExit(f"{page}: docs/results.json does not hold {error}") from None
        if after != before:
            path.write_text(after, encoding="utf-8")
            print(page)


def load_results() -> Results:
    """Read docs/results.json, and the frozen results of the sample images as `samples`."""
    results: Results = json.loads(RESULTS.read_text(encoding="utf-8"))
    return results | {"samples": json.loads(SAMPLES.read_text(encoding="utf-8"))}


def as_text(results: Results) -> str:
    """Return docs/results.json with the cells of a row on one line."""
    text = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
    return re.sub(r"\[\n\s+([^\[\]{}]*?)\n\s+\]", _on_one_line, text)


def _on_one_line(match: re.Match[str]) -> str:
    return f"[{' '.join(match[1].split())}]"


def record(results: Results, name: str, evaluation: Any, set_name: str) -> Results:  # noqa: ANN401
    """Return the results with the figures of a set of an `evaluation.json` added as `name`."""
    if set_name not in evaluation["sets"]:
        raise SystemExit(f"there is no set {set_name!r}; there are {', '.join(evaluation['sets'])}")
    one = evaluation["sets"][set_name]
    taken = {key: one[key] for key in KEPT} | {
        "shown": one["shown"],
        "intervals": {key: one["intervals"][key] for key in KEPT if key in one["intervals"]},
    }
    about = results["evaluations"].get(name, {}).get("about", "")
    evaluations = results["evaluations"] | {name: {"about": about, **taken}}
    return results | {"evaluations": evaluations}


def fill(text: str, results: Results) -> str:
    """Return a page with all marked tables and figures filled in.

    Raises
    ------
    KeyError
        If a mark names a figure that is not in the results.
    """
    text = TABLE.sub(lambda m: f"{m[1]}\n{table(results, m['name'])}\n\n{m[3]}", text)
    return FIGURE.sub(lambda m: f"{m[1]}{figure(results, m['keys'], m['form'] or '')}{m[4]}", text)


def table(results: Results, name: str) -> str:
    """Return a table as Markdown: a stored one, or rows of evaluations at each rate."""
    said = results["tables"][name]
    rows = list(_rates(results, said)) if "rates_of" in said else [said["columns"], *said["rows"]]
    head, *body = (f"| {' | '.join(cells)} |" for cells in rows)
    return "\n".join([head, "|" + " --- |" * len(rows[0]), *body])


def _rates(results: Results, said: Results) -> Iterator[list[str]]:
    yield ["", *RATE_NAMES, "CPM", "image AUC"]
    keys = [*(f"sensitivity:{rate:g}" for rate in RATES), "cpm", "image_auc"]
    for row in said["rates_of"]:
        form = " interval" if row.get("interval") else ""
        cells = [
            row["label"],
            *(figure(results, f"{row['evaluation']}:{key}", form) for key in keys),
        ]
        yield [f"**{cell}**" for cell in cells] if row.get("bold") else cells


def figure(results: Results, keys: str, form: str) -> str:
    """Return a figure as text.

    Parameters
    ----------
    results
        Content of docs/results.json.
    keys
        Joined with colons: an evaluation and the keys of its figure; `value` and a name; `sample`,
        a film, the index of a candidate and a field; or a table, the first cell of a row, and a
        column.
    form
        The format; if empty, two digits, or the unchanged cell.
    """
    name, *path = keys.split(":")
    if name == "value":
        return str(results["values"][path[0]])
    if name == "sample":
        film, index, field = path
        value = results["samples"][film][int(index)][field]
        return f"({value[0]}, {value[1]})" if field == "centroid_px" else f"{value:g}"
    if name not in results["evaluations"]:
        said = results["tables"][name]
        (row,) = (row for row in said["rows"] if row[0] == path[0])
        return str(row[said["columns"].index(path[1])])
    evaluation = results["evaluations"][name]
    value = _at(evaluation, path)
    if form == " as percent":
        return f"{100 * value:.0f} %"
    if not form:
        return str(value) if isinstance(value, int) else f"{value:.2f}"
    at = int(path[0] == "shown")  # in evaluation.json, `shown` has its own intervals
    low, high = _at(evaluation, [*path[:at], "intervals", *path[at:]])
    ends = f"{low:.2f} to {high:.2f}"
    return ends if form == " interval" else f"{value:.2f} ({ends})"


def _at(node: Any, path: list[str]) -> Any:  # noqa: ANN401 - any JSON value
    for key in path:
        node = node[key]
    return node


if __name__ == "__main__":
    main()
