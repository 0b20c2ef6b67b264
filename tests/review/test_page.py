"""The report page in Chromium, served by `lesionscan review`, with two reviewers of one folder."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lesionscan.review.record import load_review
from tests.reporting.made import Disk, Film
from tests.reporting.page.written import write_results
from tests.review.made import TOOL, Served, film_review, plain_review, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES_OF_OBJECTS = ("__proto__", "constructor", "hasOwnProperty", "toString", "valueOf")
"""Names of properties that every JavaScript object inherits, used here as names of films."""
HACK = b'globalThis.hacked = 1; document.title = "hacked";\n'
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
    """Open the page as a new user; fail at the end if it reported an error."""
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


@contextmanager
def two_reviewers(browser: "Browser", address: str) -> Iterator[tuple["Page", "Page"]]:
    """Open the page twice, in browser contexts that share nothing."""
    with reviewer(browser, address) as one, reviewer(browser, address) as other:
        yield one, other


def loaded(page: "Page", name: str) -> None:
    """Wait until a film can be reviewed, which is later than its name appears."""
    page.wait_for_function("name => sessionStorage.getItem('lesionscan film') === name", arg=name)


def saved(page: "Page") -> None:
    """Wait until all decisions are saved in the folder."""
    page.wait_for_timeout(700)
    page.wait_for_selector("#saved:text-is('saved')")


def decisions(results: Path) -> dict[str, dict[str, Any]]:
    """Return the decisions saved in the folder."""
    films = load_review(results / "review.json").films
    return {
        name: {str(number): str(one.decision) for number, one in film.candidates.items()}
        for name, film in films.items()
    }


def test_decisions_are_kept_in_the_folder_as_they_are_made(
    browser: "Browser", running: Served
) -> None:
    """Decisions are saved without a button, and the next user of the page sees them."""
    with reviewer(browser, running.address) as page:
        page.keyboard.press("a")
        page.keyboard.press("r")
        saved(page)
        assert decisions(running.results) == {"a/knee.dcm": {"1": "accepted", "2": "rejected"}}
        assert not page.is_visible("#save-review")
    with reviewer(browser, running.address) as page:
        assert page.inner_text("#progress") == "reviewed 1 of 2"
        assert page.locator("#candidates > li.accepted").count() == 1


@pytest.mark.slow
def test_two_reviewers_of_different_films_are_both_kept(
    browser: "Browser", running: Served
) -> None:
    """Saving keeps the decisions of another reviewer on other films, without a question."""
    with two_reviewers(browser, running.address) as (one, other):
        one.keyboard.press("a")
        saved(one)
        other.keyboard.press("ArrowRight")
        loaded(other, "a/hip.dcm")
        other.keyboard.press("u")
        saved(other)
        assert decisions(running.results) == {
            "a/knee.dcm": {"1": "accepted"},
            "a/hip.dcm": {"1": "unsure"},
        }
        assert not other.is_visible("#banner")


@pytest.mark.slow
@pytest.mark.parametrize(("button", "kept"), [("first", "rejected"), ("second", "accepted")])
def test_two_reviewers_of_one_film_are_asked(
    browser: "Browser", running: Served, button: str, kept: str
) -> None:
    """The second reviewer of a film chooses whose decisions are kept; none is lost silently."""
    with two_reviewers(browser, running.address) as (one, other):
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


@pytest.mark.slow
def test_what_is_decided_while_the_question_stands_counts(
    browser: "Browser", running: Served
) -> None:
    """The answer applies only to the film of the question, not to later decisions."""
    with two_reviewers(browser, running.address) as (one, other):
        one.keyboard.press("r")
        one.keyboard.press("ArrowRight")
        loaded(one, "a/hip.dcm")
        one.keyboard.press("r")
        saved(one)
        other.keyboard.press("a")
        other.wait_for_selector("#banner:visible")
        other.keyboard.press("ArrowRight")
        loaded(other, "a/hip.dcm")
        other.keyboard.press("a")
        other.click("#banner-first")
        # the other film has become a conflict too, with a question of its own
        other.wait_for_selector("#banner-words:has-text('a/hip.dcm')")
        other.click("#banner-first")
        saved(other)
        assert decisions(running.results) == {
            "a/knee.dcm": {"1": "accepted"},
            "a/hip.dcm": {"1": "accepted"},
        }


@pytest.mark.slow
def test_a_second_question_waits_for_the_first(
    browser: "Browser", running: Served, tmp_path: Path
) -> None:
    """Two questions are asked one after the other, and then saving continues."""
    (tmp_path / "other.json").write_text("{")
    with two_reviewers(browser, running.address) as (one, other):
        one.keyboard.press("a")
        saved(one)
        other.keyboard.press("r")
        other.wait_for_selector("#banner:visible")
        other.set_input_files("#load-review", tmp_path / "other.json")
        other.wait_for_timeout(100)
        assert "other decisions" in other.inner_text("#banner-words")
        other.click("#banner-first")
        other.wait_for_selector("text=it is not JSON")
        other.click("#banner-first")
        saved(other)
        assert decisions(running.results)["a/knee.dcm"] == {"1": "rejected"}


@pytest.mark.slow
def test_a_decision_that_was_taken_back_stays_so(browser: "Browser", running: Served) -> None:
    """A removed decision does not return when its author reloads the page."""
    with two_reviewers(browser, running.address) as (one, other):
        one.keyboard.press("a")
        saved(one)
        other.reload()
        other.wait_for_selector("#candidates > li.accepted")
        other.keyboard.press("a")
        saved(other)
        assert decisions(running.results) == {}
        one.reload()
        one.wait_for_selector("#facts p")
        one.wait_for_timeout(1200)
        assert decisions(running.results) == {}
        assert one.locator("#candidates > li.accepted").count() == 0


@pytest.mark.slow
def test_what_could_not_be_saved_is_saved_the_next_time(
    browser: "Browser", running: Served
) -> None:
    """Decisions not saved before the page was closed are saved when it is next opened."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.goto(running.address)
    page.wait_for_selector("#saved:text-is('saved')")
    page.keyboard.press("r")
    saved(page)
    page.route("**/review.json", lambda route: route.abort())
    page.keyboard.press("ArrowUp")
    page.keyboard.press("a")
    page.wait_for_selector("#saved:has-text('not saved')")
    assert page.is_visible("#save-review")
    page.close()
    page = context.new_page()
    page.goto(running.address)
    page.wait_for_selector("#candidates > li.accepted")
    saved(page)
    assert decisions(running.results)["a/knee.dcm"]["1"] == "accepted"
    context.close()


@pytest.mark.slow
def test_a_long_note_of_another_program_is_not_lost(browser: "Browser", running: Served) -> None:
    """A film with a note of nearly the longest allowed length can be reviewed."""
    review = plain_review(**{"a/knee.dcm": film_review("c" * 64, note="n" * 3999)})
    (running.results / "review.json").write_text(json.dumps(review))
    with reviewer(browser, running.address) as page:
        page.keyboard.press("a")
        saved(page)
        assert load_review(running.results / "review.json").films["a/knee.dcm"].candidates


@pytest.mark.slow
def test_a_review_that_cannot_be_read_is_told(browser: "Browser", running: Served) -> None:
    """An invalid review is not changed, and the page says that nothing is saved."""
    (running.results / "review.json").write_text("{")
    context = browser.new_context()
    page = context.new_page()
    page.goto(running.address)
    page.wait_for_selector("#saved:has-text('not saved')")
    page.keyboard.press("a")
    page.wait_for_timeout(800)
    assert (running.results / "review.json").read_text() == "{"
    context.close()


def test_a_stranger_s_folder_runs_no_program(browser: "Browser", tmp_path: Path) -> None:
    """The package's page is served instead of a folder's own page and scripts."""
    results = tmp_path / "results"
    write_results(results, FILMS)
    (results / "run.json").write_text(json.dumps({"tool": {"name": "lesionscan", **TOOL}}))
    (results / "report.html").write_bytes(b"<script>" + HACK + b"</script>")
    for script in (results / "report" / "page").iterdir():
        script.write_bytes(HACK)
    with served(results) as running, reviewer(browser, running.address) as page:
        assert page.inner_text("#film-name") == "a/knee.dcm"
        assert page.evaluate("typeof hacked") == "undefined"
        page.keyboard.press("a")
        saved(page)
        assert decisions(results) == {"a/knee.dcm": {"1": "accepted"}}


def test_a_stranger_s_data_run_no_program(browser: "Browser", running: Served) -> None:
    """Code added to the data of a film or the list is reported in one line and does not run."""
    (film,) = (running.results / "report" / "films").rglob("knee.dcm.page.js")
    film.write_bytes(film.read_bytes() + HACK)
    index = running.results / "report" / "index.js"
    context = browser.new_context()
    page = context.new_page()
    page.goto(running.address)
    page.wait_for_selector("#stage-words:has-text('the film\\'s data are not of this version')")
    assert page.evaluate("typeof hacked") == "undefined"
    index.write_bytes(HACK + index.read_bytes())
    page.reload()
    page.wait_for_selector("#stage-words:has-text('index.js is not a list of films')")
    assert page.evaluate("typeof hacked") == "undefined"
    context.close()


@pytest.mark.slow
def test_films_with_names_of_objects_are_saved(browser: "Browser", tmp_path: Path) -> None:
    """Saving, a conflict and a reload work for films named like JavaScript properties."""
    results = tmp_path / "results"
    write_results(results, [(name, Film()) for name in NAMES_OF_OBJECTS])
    (results / "run.json").write_text(json.dumps({"tool": {"name": "lesionscan", **TOOL}}))
    with (
        served(results) as running,
        two_reviewers(browser, running.address) as (one, other),
    ):
        for name in NAMES_OF_OBJECTS:
            loaded(one, name)
            one.keyboard.press("a")
            one.keyboard.press("ArrowRight")
        saved(one)
        everything = {name: {"1": "accepted"} for name in NAMES_OF_OBJECTS}
        assert decisions(results) == everything
        other.keyboard.press("r")
        other.wait_for_selector("#banner-words:has-text('__proto__')")
        other.click("#banner-first")
        saved(other)
        assert decisions(results) == {**everything, "__proto__": {"1": "rejected"}}
        one.reload()
        one.wait_for_selector("#progress:has-text('reviewed 5 of 5')")
        saved(one)
        assert decisions(results) == {**everything, "__proto__": {"1": "rejected"}}


@pytest.mark.slow
def test_films_with_names_of_objects_that_could_not_be_saved_are_saved_the_next_time(
    browser: "Browser", tmp_path: Path
) -> None:
    """Unsaved decisions about films named like JavaScript properties are saved later."""
    results = tmp_path / "results"
    write_results(results, [(name, Film()) for name in NAMES_OF_OBJECTS])
    (results / "run.json").write_text(json.dumps({"tool": {"name": "lesionscan", **TOOL}}))
    context = browser.new_context()
    with served(results) as running:
        page = context.new_page()
        page.goto(running.address)
        page.wait_for_selector("#saved:text-is('saved')")
        page.route("**/review.json", lambda route: route.abort())
        for name in NAMES_OF_OBJECTS:
            loaded(page, name)
            page.keyboard.press("a")
            page.keyboard.press("ArrowRight")
        page.wait_for_selector("#saved:has-text('not saved')")
        page.close()
        page = context.new_page()
        page.goto(running.address)
        page.wait_for_selector("#progress:has-text('reviewed 5 of 5')")
        saved(page)
        assert decisions(results) == {name: {"1": "accepted"} for name in NAMES_OF_OBJECTS}
    context.close()
