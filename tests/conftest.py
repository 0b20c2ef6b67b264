"""Threads, profiles and skips of the tests, the browser fixture, and a summary of the skips."""

import importlib.util
import os
import re
import shutil
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter
    from playwright.sync_api import Browser

# Tests run on all cores, so more threads only wait for each other, those of OpenMP in busy loops.
# The libraries read these variables when they are loaded.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# No property test fails because the machine is busy.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)

POSIX_NAMES = re.compile(
    r"module '(?:os|signal)' has no attribute "
    r"'(?:mkfifo|killpg|geteuid|alarm|SIGALRM|SIGKILL|SIGHUP)'"
)
"""Error on Windows for functions with which tests make pipes, kill processes and limit times."""
collect_ignore = (
    []
    if importlib.util.find_spec("resource")  # measures memory; Windows lacks it
    else [
        "scripts/test_benchmark.py",
        "scripts/test_benchmark_batch.py",
        "scripts/test_fuzz_reader.py",
    ]
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """Skip a test that uses a function missing on this system; the package uses none of them."""
    try:
        return (yield)
    except AttributeError as error:
        if POSIX_NAMES.fullmatch(str(error)):
            pytest.skip("the test needs POSIX")
        raise


def pytest_terminal_summary(terminalreporter: "TerminalReporter") -> None:
    """Print the number of skipped tests by reason, in one line."""
    line = skipped_line([report.longrepr for report in terminalreporter.getreports("skipped")])
    if line:
        terminalreporter.write_line(line)


def skipped_line(why: Iterable[object]) -> str:
    """Return the line, or an empty string if no test was skipped.

    Parameters
    ----------
    why
        What pytest reports for each skipped test: file, line and reason.
    """
    reasons = Counter(
        str(one[2] if isinstance(one, tuple) else one).removeprefix("Skipped: ") for one in why
    )
    parts = "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common())
    return f"skipped {reasons.total()}: {parts}" if parts else ""


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """Start Chromium once per session."""
    api = pytest.importorskip("playwright.sync_api", reason="the package playwright is missing")
    if CHROMIUM is None:
        pytest.skip("the program chromium is missing (apt-get install chromium)")
    with api.sync_playwright() as playwright:
        # --no-sandbox: Chromium's sandbox does not work for root, as in a container
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()
