"""Measure the speed of the report page with many films: measure_page.py [--films 20000].

Makes a report of that many results (copies of a few under other names), opens it from disk in
Chromium, and measures the time from an action to the second frame after it: filtering by each
letter of a word, by score, sorting, scrolling by page and to the end, and opening the next film.
Needs the packages of the tests, and the program chromium.
"""

import argparse
import shutil
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from lesionscan.batch.pool import Limits
from lesionscan.batch.run import Options, local_workers, make_plan, run_scan
from lesionscan.reporting.page.index import RunFacts, index_head, index_line
from lesionscan.results.folder import read_result
from lesionscan.results.paths import INDEX, PAGE_NAME, ResultPaths
from lesionscan.settings import Settings

SAMPLES = Path(__file__).resolve().parents[2] / "sample_images" / "images"
ACTION = """(act) => new Promise((resolve) => {
  const started = performance.now();
  new Function(act)();
  requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now() - started)));
})"""


def main() -> None:
    """Make the report, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--films", type=int, default=20_000)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        report = _report(out, options.films, options.jobs)
        page_kb = (
            sum(one.stat().st_size for one in (report, *(out / "report" / "page").iterdir())) / 1e3
        )
        print(f"{options.films:,} films: page {page_kb:.0f} kB, list "
              f"{(out / INDEX).stat().st_size / 1e6:.1f} MB")  # fmt: skip
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            page.goto(report.as_uri())
            page.wait_for_selector("#facts p")
            first_ms = page.evaluate(
                "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
            )
            print(f"from address to list: {first_ms:.0f} ms")
            for name, actions in _actions().items():
                _measure(page, name, actions)
            browser.close()


def _actions() -> dict[str, list[str]]:
    def entered(field: str, *values: str) -> list[str]:
        return [
            f"const field = document.getElementById('{field}'); field.value = '{value}'; "
            "field.dispatchEvent(new Event('input', {bubbles: true}))"
            for value in values
        ]

    def pressed(key: str) -> str:
        return f"dispatchEvent(new KeyboardEvent('keydown', {{key: '{key}'}}))"

    ends = [f"document.getElementById('list').scrollTop = {top}" for top in ("1e9", "6e5", "0")]
    return {
        "a letter of a search": entered("search", "k", "kn", "kne", "knee", ""),
        "a score": entered("least-score", "0.9", "0.7", "0.5", "0.3", "0.1"),
        "an order": entered("sort", "name", "size", "count", "score"),
        "a kind": entered("kind", "unreviewed", "with", "all"),
        "a screenful further": ["document.getElementById('list').scrollTop += 600"] * 20,
        "to an end": ends * 3,
        "the next film": [pressed("ArrowRight")] * 20,
        "a decision": [pressed("a")] * 4,
    }


def _measure(page: Page, name: str, actions: list[str]) -> None:
    took_ms = []
    for action in actions:
        took_ms.append(page.evaluate(ACTION, action))
        page.wait_for_timeout(120)
    print(f"{name}: median {statistics.median(took_ms):.0f} ms, longest {max(took_ms):.0f} ms")


def _report(out: Path, films: int, jobs: int) -> Path:
    """Scan the sample images, and list copies of them with linked pictures."""
    plan = make_plan([SAMPLES], out, Options(Settings()))
    run_scan(
        plan,
        local_workers(jobs, Limits()),
        workers=jobs,
        on_done=lambda _outcomes: None,
        stopped=lambda: False,
    )
    names = [film.name for film in plan.found.films]
    read = {name: read_result(out, name) for name in names}
    results = {name: result for name, result in read.items() if result is not None}
    facts = RunFacts("0", "0" * 64, "0" * 64, shown_score=0.5, not_done=0)
    with (out / INDEX).open("wb") as index:
        index.write(index_head(facts))
        for number in range(films):
            source = names[number % len(names)]
            result = results[source]
            copy = f"{number // 100:05d}/{number:06d}_{source}"
            seal = f"{number:064d}"
            named = result.input.model_copy(update={"file": copy})
            renamed = result.model_copy(update={"input": named, "seal_sha256": seal})
            index.write(index_line(renamed))
            have, want = ResultPaths.of(out, source), ResultPaths.of(out, copy)
            want.view.parent.mkdir(parents=True, exist_ok=True)
            want.view.write_text(have.view.read_text().replace(f'"{source}"', f'"{copy}"', 1))
            want.film.symlink_to(have.film)
            want.thumbnail.symlink_to(have.thumbnail)
    return out / PAGE_NAME


if __name__ == "__main__":
    main()
