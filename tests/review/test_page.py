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
from tests.review.made import TOOL, Served, film_review, plain_review, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES_OF_OBJECTS = ("__proto__", "constructor", "hasOwnProperty", "toString", "valueOf")
"""What every object of JavaScript has: no name of a film may be looked up among them."""
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


@contextmanager
def two_reviewers(browser: "Browser", address: str) -> Iterator[tuple["Page", "Page"]]:
    """Open the page twice, in browsers that share nothing."""
    with reviewer(browser, address) as one, reviewer(browser, address) as other:
        yield one, other


def loaded(page: "Page", name: str) -> None:
    """Wait until a film can be decided about; its name stands above the stage before."""
    page.wait_for_function("name => sessionStorage.getItem('lesionscan film') === name", arg=name)


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


@pytest.mark.slow
def test_two_reviewers_of_different_films_are_both_kept(
    browser: "Browser", running: Served
) -> None:
    """Who saves second takes the other's films over, without being asked."""
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
    """Nothing is overwritten silently: the second chooses whose decisions stand."""
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
    """The answer is about the film that was asked about, not about what came after."""
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
        # hip has become a conflict of its own by now: it is asked about too
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
    """Both are answered, and saving goes on."""
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
    """Who made it does not bring it back by opening the page again."""
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
    """The page is closed while the folder cannot be written; opened again, it goes on."""
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
    """The page takes what the file's rules allow."""
    review = plain_review(**{"a/knee.dcm": film_review("c" * 64, note="n" * 3999)})
    (running.results / "review.json").write_text(json.dumps(review))
    with reviewer(browser, running.address) as page:
        page.keyboard.press("a")
        saved(page)
        assert load_review(running.results / "review.json").films["a/knee.dcm"].candidates


@pytest.mark.slow
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


def test_a_stranger_s_folder_runs_no_program(browser: "Browser", tmp_path: Path) -> None:
    """Its page and scripts are replaced: the package's page shows its data, and nothing runs."""
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
    """Code behind a film's data, or the list's: one line says so, and nothing runs."""
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
    """Two reviewers, a conflict, and a reload: as with any other name."""
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
    """What the folder held of them before, which was nothing, is remembered as nothing."""
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
