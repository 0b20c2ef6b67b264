"""A real browser, where there is one; what was skipped, in one line."""

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter
    from playwright.sync_api import Browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)


def pytest_terminal_summary(terminalreporter: "TerminalReporter") -> None:
    """Say in one line how many tests were skipped, by reason."""
    line = skipped_line([report.longrepr for report in terminalreporter.getreports("skipped")])
    if line:
        terminalreporter.write_line(line)


def skipped_line(why: Iterable[object]) -> str:
    """Return the line; empty where nothing was skipped.

    Parameters
    ----------
    why
        What pytest notes of each skipped test: file, line and reason.
    """
    reasons = Counter(
        str(one[2] if isinstance(one, tuple) else one).removeprefix("Skipped: ") for one in why
    )
    parts = "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common())
    return f"skipped {reasons.total()}: {parts}" if parts else ""


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """Start Chromium, once."""
    api = pytest.importorskip("playwright.sync_api", reason="the package playwright is missing")
    if CHROMIUM is None:
        pytest.skip("the program chromium is missing (apt-get install chromium)")
    with api.sync_playwright() as playwright:
        # --no-sandbox: root, as in a container, may not use it
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()
