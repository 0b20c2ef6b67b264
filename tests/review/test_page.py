"""The report page in Chromium, served by `lesionscan review`: two reviewers on one folder."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lesionscan.review.record import load_review
from tests.reporting.made import Disk, Film
from tests.reporting.page.written import write_results
from tests.review.made import TOOL, Served, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FILMS = (
    ("a/knee.dcm", Film(disks=(Disk(150, 100, 14, 0.9), Disk(60, 100, 9, 0.8)))),
    ("a/hip.dcm", Film(disks=(Disk(150, 100, 12, 0.7),))),
)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Served]:
    """Serve the page of two films."""
    results = tmp_path / "results"
    write_results(results, FILMS)
    (results / "run.json").write_text(json.dumps({"tool": {"name": "lesionscan", **TOOL}}))
    with served(results) as server:
        yield server


@contextmanager
def reviewer(browser: "Browser", address: str) -> Iterator["Page"]:
    """Open the page as somebody else; end with an error where it complained."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page, said = context.new_page(), []
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    page.on("requestfailed", lambda request: said.append(f"failed: {request.url}"))
    page.goto(address)
    page.wait_for_selector("#facts p")
    page.wait_for_selector("#saved:text-is('saved')")
    yield page
    assert said == []
    context.close()


def saved(page: "Page") -> None:
    """Wait until what was decided is in the folder."""
    page.wait_for_timeout(700)
    page.wait_for_selector("#saved:text-is('saved')")


def decisions(results: Path) -> dict[str, dict[str, Any]]:
    """Return what is kept in the folder."""
    films = load_review(results / "review.json").films
    return {
        name: {str(number): str(one.decision) for number, one in film.candidates.items()}
        for name, film in films.items()
    }


def test_decisions_are_kept_in_the_folder_as_they_are_made(
    browser: "Browser", running: Served
) -> None:
    """Nobody presses "save"; who opens the page next finds them."""
    with reviewer(browser, running.address) as page:
        page.keyboard.press("a")
        page.keyboard.press("r")
        saved(page)
        assert decisions(running.results) == {"a/knee.dcm": {"1": "accepted", "2": "rejected"}}
        assert not page.is_visible("#save-review")
    with reviewer(browser, running.address) as page:
        assert page.inner_text("#progress") == "reviewed 1 of 2"
        assert page.locator("#candidates > li.accepted").count() == 1


def test_two_reviewers_of_different_films_are_both_kept(
    browser: "Browser", running: Served
) -> None:
    """Who saves second takes the other's films over, without being asked."""
    with (
        reviewer(browser, running.address) as one,
        reviewer(browser, running.address) as other,
    ):
        one.keyboard.press("a")
        saved(one)
        other.keyboard.press("ArrowRight")
        other.wait_for_function("document.getElementById('film-name').textContent === 'a/hip.dcm'")
        other.keyboard.press("u")
        saved(other)
        assert decisions(running.results) == {
            "a/knee.dcm": {"1": "accepted"},
            "a/hip.dcm": {"1": "unsure"},
        }
        assert not other.is_visible("#banner")


@pytest.mark.parametrize(("button", "kept"), [("first", "rejected"), ("second", "accepted")])
def test_two_reviewers_of_one_film_are_asked(
    browser: "Browser", running: Served, button: str, kept: str
) -> None:
    """Nothing is overwritten silently: the second chooses whose decisions stand."""
    with (
        reviewer(browser, running.address) as one,
        reviewer(browser, running.address) as other,
    ):
        one.keyboard.press("a")
        saved(one)
        other.keyboard.press("r")
        other.wait_for_selector("#banner:visible")
        assert "other decisions about a/knee.dcm" in other.inner_text("#banner-words")
        assert decisions(running.results)["a/knee.dcm"] == {"1": "accepted"}
        other.click(f"#banner-{button}")
        saved(other)
        assert decisions(running.results)["a/knee.dcm"] == {"1": kept}
        assert other.locator(f"#candidates > li.{kept}").count() == 1


def test_a_review_that_cannot_be_read_is_told(browser: "Browser", running: Served) -> None:
    """It is left alone, and the page says that nothing is saved."""
    (running.results / "review.json").write_text("{")
    context = browser.new_context()
    page = context.new_page()
    page.goto(running.address)
    page.wait_for_selector("#saved:has-text('not saved')")
    page.keyboard.press("a")
    page.wait_for_timeout(800)
    assert (running.results / "review.json").read_text() == "{"
    context.close()
