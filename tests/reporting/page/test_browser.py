"""The report page in Chromium, opened from disk."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, urlsplit

import pytest

from lesionscan.radiograph import Spacing
from lesionscan.reporting.page.index import index_head, index_line, write_page
from lesionscan.results.atomic import write_bytes
from lesionscan.results.own_files import OwnFiles
from lesionscan.results.paths import INDEX
from tests.reporting.made import Disk, Film
from tests.reporting.page.written import RUN, write_results
from tests.results.test_record import as_json, as_record

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

SPACED = Film(spacing=Spacing(0.2, 0.2, "user", "patient"))
TWO = Film(disks=(Disk(150, 100, 14, 0.9), Disk(60, 100, 9, 0.8), Disk(240, 90, 9, 0.3)))
EMPTY = Film(disks=())
FILMS = (("a/knee.dcm", TWO), ("a/hip.dcm", SPACED), ("b/wrist.png", EMPTY))
NASTY = (
    "<img src=x onerror=hacked=1>.png",
    "</script><script>hacked=1</script>.png",
    "\"onload=hacked=1 '&amp; javascript:hacked=1.png",
    "a:b %41#?\U0001f9b4 \u202egnp.png",
    "long " * 39 + "name.png",
)


@contextmanager
def opened(
    browser: "Browser",
    report: Path,
    *,
    width: int = 1400,
    height: int = 900,
    scheme: Literal["dark", "light"] = "dark",
) -> Iterator["Page"]:
    """Open a page in a new browser context; fail at the end if it reported a problem."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, accept_downloads=True
    )
    with watched(context, report) as page:
        yield page
    context.close()


@contextmanager
def watched(context: "BrowserContext", report: Path) -> Iterator["Page"]:
    """Open a page; fail at the end if it logged anything or made a request to the network."""
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    page.on("requestfailed", lambda request: said.append(f"failed: {request.url}"))
    page.on(
        "request",
        lambda request: (
            said.append(f"asked: {request.url}")
            if not request.url.startswith(("file:", "data:"))
            else None
        ),
    )
    page.goto(report.as_uri())
    page.wait_for_selector("#facts p, #stage-words:not(:empty)")
    yield page
    assert said == []


def kept(page: "Page") -> dict[str, Any]:
    """Return the review that the page would save."""
    said: dict[str, Any] = page.evaluate("review.file()")
    return said


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of three films and two failures."""
    return write_results(tmp_path_factory.mktemp("results"), FILMS, failures=2)


def test_it_opens_from_disk_without_a_complaint(browser: "Browser", report: Path) -> None:
    """Only files are requested, the console stays empty, and the best film is shown."""
    with opened(browser, report) as page:
        assert page.inner_text("#tab-read") == "3 films read"
        assert page.inner_text("#tab-failed") == "2 failed"
        assert page.inner_text("#disclaimer") == "Research use only; not a diagnosis."
        assert "3 films not done" in page.inner_text("#not-done")
        assert page.inner_text("#film-name") == "a/knee.dcm"
        assert page.locator("#candidates > li").count() == 2
        assert page.evaluate("document.getElementById('picture').naturalWidth") > 0


@pytest.mark.slow
def test_outlines_surround_the_dark_places(browser: "Browser", report: Path) -> None:
    """On the screen, the outline surrounds the drawn disk."""
    with opened(browser, report) as page:
        film = page.locator("#picture").bounding_box()
        line = page.locator("#drawing .line.candidate").first.bounding_box()
        assert film is not None
        assert line is not None
        scale = film["height"] / 300
        assert line["x"] + line["width"] / 2 == pytest.approx(film["x"] + 100.5 * scale, abs=2)
        assert line["y"] + line["height"] / 2 == pytest.approx(film["y"] + 150.5 * scale, abs=2)
        assert line["width"] == pytest.approx(29 * scale, rel=0.1)


def test_a_review_needs_the_keyboard_alone_and_outlives_a_reload(
    browser: "Browser", report: Path
) -> None:
    """A review made with the keyboard alone is complete after a reload."""
    with opened(browser, report) as page:
        for key in ("a", "r", "ArrowRight", "u", "n"):
            page.keyboard.press(key)
            page.wait_for_timeout(60)
        page.keyboard.type("odd, not a fossa")
        page.keyboard.press("Enter")
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(60)
        page.keyboard.press("Enter")
        before = kept(page)
        page.reload()
        page.wait_for_selector("#facts p")
        assert kept(page) == before
        assert page.inner_text("#progress") == "reviewed 3 of 3"
    films = before["films"]
    decisions = {
        name: {number: one["decision"] for number, one in film["candidates"].items()}
        for name, film in films.items()
    }
    assert decisions == {
        "a/knee.dcm": {"1": "accepted", "2": "rejected"},
        "a/hip.dcm": {"1": "unsure"},
        "b/wrist.png": {},
    }
    assert films["a/hip.dcm"]["candidates"]["1"]["note"] == "odd, not a fossa"
    assert films["a/hip.dcm"]["result_sha256"] == as_json(SPACED, "a/hip.dcm")["seal_sha256"]
    assert before["disclaimer"] == "Research use only; not a diagnosis."


@pytest.mark.slow
def test_keys_wait_for_the_film(browser: "Browser", tmp_path: Path) -> None:
    """While a film is loading, keys change neither its review nor that of the film still shown."""
    report = write_results(tmp_path, FILMS)
    with opened(browser, report) as page:
        slow: list[Any] = []
        page.route("**/hip.dcm.page.js", lambda route: slow.append(route))
        page.reload(wait_until="domcontentloaded")
        page.wait_for_selector("#facts p")
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(50)
        page.keyboard.press("a")
        page.keyboard.press("Enter")
        assert kept(page)["films"] == {}
        for one in slow:
            one.continue_()
        page.wait_for_timeout(200)


@pytest.mark.slow
def test_a_click_after_a_note_counts(browser: "Browser", report: Path) -> None:
    """Clicking elsewhere ends the editing of a note, and the click still has its effect."""
    with opened(browser, report) as page:
        page.keyboard.press("a")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("n")
        page.keyboard.type("large")
        press(page, "#candidates > li:nth-child(2) button.rejected")
        films = kept(page)["films"]
        assert films["a/knee.dcm"]["candidates"]["1"]["note"] == "large"
        assert films["a/knee.dcm"]["candidates"]["2"]["decision"] == "rejected"
        page.click("#film-note")
        page.keyboard.type("a film")
        press(page, "text=b/wrist.png")
        page.wait_for_selector("#film-name:has-text('b/wrist.png')")
        assert kept(page)["films"]["a/knee.dcm"]["note"] == "a film"


def press(page: "Page", selector: str) -> None:
    """Click like a user: press, wait, and release at the same position."""
    box = page.locator(selector).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.wait_for_timeout(50)
    page.mouse.up()


@pytest.mark.slow
def test_a_button_that_is_pressed_keeps_the_focus(browser: "Browser", report: Path) -> None:
    """A button pressed with the keyboard keeps the focus, so that Tab continues from there."""
    with opened(browser, report) as page:
        page.focus("#candidates button.unsure")
        page.keyboard.press("Space")
        assert page.evaluate("document.activeElement.className") == "unsure"
        assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"


@pytest.mark.slow
def test_what_the_filter_hides_is_not_decided_on(browser: "Browser", report: Path) -> None:
    """Keys do not affect a candidate that the score filter hides."""
    with opened(browser, report) as page:
        page.keyboard.press("ArrowDown")
        page.fill("#least-score", "0.85")
        page.locator("#least-score").blur()
        page.keyboard.press("r")
        assert kept(page)["films"] == {}


@pytest.mark.slow
def test_a_threshold_keeps_its_digits(browser: "Browser", tmp_path: Path) -> None:
    """A threshold shown with two digits is not rounded when another filter changes."""
    report = write_results(tmp_path, (("a.png", Film(disks=(Disk(150, 100, 14, 0.456),))),))
    index = tmp_path / INDEX
    index.write_bytes(index.read_bytes().replace(b'"shown_score":0.5', b'"shown_score":0.455'))
    with opened(browser, report) as page:
        page.fill("#search", "a")
        page.wait_for_timeout(50)
        assert page.inner_text(".row .found") == "0.46 1 candidate"


@pytest.mark.slow
def test_full_storage_is_reported_until_it_is_over(browser: "Browser", report: Path) -> None:
    """The warning stays, even if a later, smaller entry could be stored."""
    with opened(browser, report) as page:
        page.evaluate(
            "() => { const set = Storage.prototype.setItem;"
            " Storage.prototype.setItem = function (key, value) {"
            " if (value.length > 150) throw new DOMException('', 'QuotaExceededError');"
            " set.call(this, key, value); }; }"
        )
        page.fill("#film-note", "long " * 40)
        page.locator("#film-note").blur()
        assert "storage is full; save review.json" in page.inner_text("#saved")
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(60)
        page.keyboard.press("u")
        assert "storage is full; save review.json" in page.inner_text("#saved")


@pytest.mark.slow
def test_two_tabs_know_of_each_other(browser: "Browser", report: Path) -> None:
    """A decision in one tab appears in the other, which does not overwrite it."""
    from playwright.sync_api import expect

    context = browser.new_context(viewport={"width": 1400, "height": 900})
    with watched(context, report) as one, watched(context, report) as other:
        one.fill("#film-note", "first")
        one.locator("#film-note").blur()
        expect(other.locator("#film-note")).to_have_value("first")
        other.keyboard.press("a")
        one.wait_for_selector("#candidates > li.accepted")
        assert kept(one) == kept(other)
        assert kept(one)["films"]["a/knee.dcm"]["note"] == "first"
    context.close()


@pytest.mark.slow
def test_a_stroke_is_no_outline(browser: "Browser", report: Path) -> None:
    """A stroke that encloses no area is rejected with a message."""
    with opened(browser, report) as page:
        film = page.locator("#picture").bounding_box()
        assert film is not None
        page.keyboard.press("m")
        page.mouse.move(film["x"] + 50, film["y"] + 50)
        page.mouse.down()
        for step in range(5):
            page.mouse.move(film["x"] + 50 + 20 * step, film["y"] + 50)
        page.mouse.up()
        assert "too small to be an outline" in page.inner_text("#stage-words")
        assert kept(page)["films"] == {}


@pytest.mark.slow
def test_a_film_scanned_again_is_not_shown_with_the_old_list(
    browser: "Browser", tmp_path: Path
) -> None:
    """No decisions are possible about a film whose outlines are newer than the list."""
    report = write_results(tmp_path, FILMS)
    (view,) = (tmp_path / "report" / "films").rglob("knee.dcm.page.js")
    view.write_bytes(view.read_bytes().replace(b'"labels":"3333', b'"labels":"4444'))
    context = browser.new_context()
    page = context.new_page()
    page.goto(report.as_uri())
    page.wait_for_selector("text=this film was scanned again since the list was made")
    page.keyboard.press("a")
    assert kept(page)["films"] == {}
    context.close()


@pytest.mark.slow
def test_the_same_key_takes_a_decision_back(browser: "Browser", report: Path) -> None:
    """Pressing the same key again removes the decision, and nothing is stored."""
    with opened(browser, report) as page:
        page.keyboard.press("a")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("a")
        assert kept(page)["films"] == {}


def test_a_missed_lesion_is_where_it_was_drawn(browser: "Browser", report: Path) -> None:
    """The outline is stored in rows and columns of the film, also when zoomed in."""
    with opened(browser, report) as page:
        page.keyboard.press("+")
        film = page.locator("#picture").bounding_box()
        assert film is not None
        scale = film["height"] / 300
        corners = [(140, 80), (140, 120), (170, 120), (170, 80)]
        page.keyboard.press("m")
        for number, (row, column) in enumerate(corners):
            x, y = film["x"] + (column + 0.5) * scale, film["y"] + (row + 0.5) * scale
            page.mouse.move(x, y)
            if number == 0:
                page.mouse.down()
        page.mouse.up()
        (missed,) = kept(page)["films"]["a/knee.dcm"]["missed"]
        assert len(missed["outline_px"]) == 4
        for point, corner in zip(missed["outline_px"], corners, strict=True):
            assert point == pytest.approx(corner, abs=1.0 / scale + 0.1)
        assert page.inner_text("#missed .number") == "M1"
        page.click("#missed button")
        assert kept(page)["films"] == {}


@pytest.mark.slow
def test_review_json_goes_round(browser: "Browser", report: Path, tmp_path: Path) -> None:
    """A review saved in one browser and loaded in another is unchanged."""
    with opened(browser, report) as page:
        page.keyboard.press("a")
        page.fill("#reviewer", "R. Eader")
        page.fill("#film-note", "a <b>note</b>")
        page.locator("#film-note").blur()
        with page.expect_download() as download:
            page.click("#save-review")
        saved = tmp_path / "review.json"
        download.value.save_as(saved)
        before = kept(page)
    assert json.loads(saved.read_text("utf-8")) == before
    with opened(browser, report) as page:
        page.set_input_files("#load-review", saved)
        page.click("#banner-first")
        assert kept(page) == before
        assert page.input_value("#film-note") == "a <b>note</b>"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "it is not JSON"),
        ('{"kind": "other"}', "this is not a review.json of lesionscan"),
        (
            '{"kind": "lesionscan review", "schema_version": "9.0", "films": {}}',
            "schema_version 9.0 is not supported",
        ),
        (
            '{"kind": "lesionscan review", "schema_version": "1.0", "films": {"a/knee.dcm": 5}}',
            "1 could not be read",
        ),
    ],
)
def test_files_that_are_no_review_are_refused(
    browser: "Browser", report: Path, tmp_path: Path, text: str, words: str
) -> None:
    """The page gives the reason in one line and takes over nothing."""
    (tmp_path / "other.json").write_text(text)
    with opened(browser, report) as page:
        page.set_input_files("#load-review", tmp_path / "other.json")
        page.wait_for_selector("#banner:visible")
        assert words in page.inner_text("#banner-words")
        page.click("#banner-first")
        assert kept(page)["films"] == {}


@pytest.mark.slow
def test_decisions_about_other_results_are_kept_but_not_shown(
    browser: "Browser", report: Path, tmp_path: Path
) -> None:
    """Decisions about outlines of an earlier scan are kept, but do not count as reviewed."""
    entry = {"result_sha256": "f" * 64, "reviewed": True, "note": "", "missed": []}
    said = {
        "kind": "lesionscan review",
        "schema_version": "1.0",
        "films": {"a/knee.dcm": {**entry, "candidates": {"1": {"decision": "accepted"}}}},
    }
    (tmp_path / "old.json").write_text(json.dumps(said))
    with opened(browser, report) as page:
        page.set_input_files("#load-review", tmp_path / "old.json")
        page.wait_for_selector("#banner:visible")
        assert "1 belong to other results" in page.inner_text("#banner-words")
        page.click("#banner-first")
        assert page.inner_text("#progress") == "reviewed 0 of 3"
        assert kept(page)["films"] == said["films"]


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(NASTY)))
def test_names_are_text_everywhere(browser: "Browser", tmp_path: Path, number: int) -> None:
    """Markup, quotes and emoji in a name are shown as text, its files are found, no script runs."""
    name = f"x/{NASTY[number]}".replace("</", "<")  # no folder in the middle of a tag
    report = write_results(tmp_path / "out", [(name, TWO)])
    with opened(browser, report) as page:
        assert page.inner_text("#film-name bdi") == name.rstrip()
        assert page.locator(".row bdi").text_content() == name
        assert page.locator("#candidates > li").count() == 2
        assert page.evaluate("document.getElementById('picture').naturalWidth") > 0
        assert page.evaluate("typeof hacked") == "undefined"
        page.keyboard.press("a")
        assert list(kept(page)["films"]) == [name]
        address = page.evaluate("document.getElementById('link-record').href")
        assert Path(unquote(urlsplit(address).path)).is_file()


@pytest.mark.slow
def test_names_of_objects_are_names(browser: "Browser", tmp_path: Path) -> None:
    """A film called "constructor" can be decided on, saved and loaded like any other."""
    names = ["__proto__", "constructor", "hasOwnProperty", "toString", "valueOf"]
    report = write_results(tmp_path / "out", [(name, TWO) for name in names])
    with opened(browser, report) as page:
        for name in names:
            page.wait_for_selector(f"#film-name:has-text('{name}')")
            page.keyboard.press("a")
            page.keyboard.press("ArrowRight")
        text = page.evaluate("JSON.stringify(review.file())")
        films = json.loads(text)["films"]
        assert {name: film["candidates"]["1"]["decision"] for name, film in films.items()} == (
            dict.fromkeys(names, "accepted")
        )
        (tmp_path / "review.json").write_text(text)
        page.reload()
        page.wait_for_selector("#facts p")
        assert page.evaluate("JSON.stringify(review.file())") == text
    with opened(browser, report) as page:
        page.set_input_files("#load-review", tmp_path / "review.json")
        page.wait_for_selector("#banner-words:has-text('about 5 films')")
        page.click("#banner-first")
        assert page.evaluate("JSON.stringify(review.file())") == text


@pytest.mark.slow
def test_the_score_filter_shows_what_lies_below(browser: "Browser", report: Path) -> None:
    """A lower limit lists fainter candidates in the panel; a higher one leaves fewer films."""
    with opened(browser, report) as page:
        page.fill("#least-score", "0.1")
        page.wait_for_selector("#candidates > li:nth-child(3)")
        page.fill("#least-score", "0.85")
        assert page.inner_text("#found") == "2 of 3 films"
        page.click("#filters-reset")
        assert page.inner_text("#found") == "3 films"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("field", "value", "names"),
    [
        ("#search", "hip", ["a/hip.dcm"]),
        ("#kind", "without", ["b/wrist.png"]),
        ("#kind", "with", ["a/knee.dcm", "a/hip.dcm"]),
        ("#folder", "=b", ["b/wrist.png"]),
        ("#sort", "name", ["a/knee.dcm", "a/hip.dcm", "b/wrist.png"]),
    ],
)
def test_the_list_is_filtered_and_sorted(
    browser: "Browser", report: Path, field: str, value: str, names: list[str]
) -> None:
    """The list is filtered by text, kind and folder, and sorted by name."""
    with opened(browser, report) as page:
        if field == "#search":
            page.fill(field, value)
        else:
            page.select_option(field, value)
        page.wait_for_timeout(80)
        assert page.locator(".row bdi").all_text_contents() == names


@pytest.mark.slow
def test_a_range_of_the_histogram_is_a_filter(browser: "Browser", report: Path) -> None:
    """Dragging over the upper end keeps films with such scores; a click removes the filter."""
    with opened(browser, report) as page:
        box = page.locator("#score-histogram").bounding_box()
        assert box is not None
        y = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + 0.75 * box["width"], y)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.99 * box["width"], y)
        page.mouse.up()
        assert page.inner_text("#found") == "2 of 3 films"
        page.mouse.click(box["x"] + 5, y)
        assert page.inner_text("#found") == "3 films"


@pytest.mark.slow
def test_films_without_candidates_and_failures_say_so(browser: "Browser", report: Path) -> None:
    """A film without candidates shows the threshold; a failed film, error code and message."""
    with opened(browser, report) as page:
        page.click("text=b/wrist.png")
        page.wait_for_selector("#no-candidates:has-text('above 0.50 (0 below)')")
        page.click("#tab-failed")
        assert page.locator(".row").count() == 2
        assert page.inner_text("#stage-words") == "truncated: the file ends early"
        page.click("#tab-read")
        assert page.locator(".row").count() == 3


@pytest.mark.slow
def test_a_film_not_assessed_says_so(browser: "Browser", tmp_path: Path) -> None:
    """A film that was not assessed is marked in the list and in the panel."""
    report = write_results(tmp_path, [("a.dcm", replace(SPACED, assessed=False))])
    with opened(browser, report) as page:
        assert "not assessed" in page.inner_text(".row")
        assert "not assessed" in page.inner_text("#no-candidates")


@pytest.mark.slow
def test_outlines_hide_while_h_is_held(browser: "Browser", report: Path) -> None:
    """Outlines are hidden while H is held, and return when it is released."""
    with opened(browser, report) as page:
        lines = page.locator("#drawing .line.candidate")
        assert lines.count() == 2
        page.keyboard.down("h")
        assert lines.count() == 0
        page.keyboard.up("h")
        assert lines.count() == 2


@pytest.mark.slow
def test_layers_zoom_and_greys(browser: "Browser", report: Path) -> None:
    """Film, outlines, bone and field can be switched; wheel and drags change the view."""
    with opened(browser, report) as page:
        lines = page.locator("#drawing .line.candidate")
        page.click("#show-outlines")
        assert lines.count() == 0
        page.click("#show-outlines")
        assert lines.count() == 2
        page.click("#show-bone")
        page.click("#show-field")
        assert page.locator("#drawing .bone").count() > 0
        assert page.locator("#drawing .field").count() > 0
        page.click("#show-film")
        assert not page.locator("#picture").is_visible()
        page.click("#show-film")
        before = page.locator("#picture").bounding_box()
        assert before is not None
        page.mouse.move(before["x"] + 50, before["y"] + 50)
        page.mouse.wheel(0, -400)
        larger = page.locator("#picture").bounding_box()
        assert larger is not None
        assert larger["width"] > 1.2 * before["width"]
        page.mouse.down()
        page.mouse.move(before["x"] + 80, before["y"] + 70)
        page.mouse.up()
        moved = page.locator("#picture").bounding_box()
        assert moved is not None
        assert (moved["x"] - larger["x"], moved["y"] - larger["y"]) == pytest.approx((30, 20))
        page.mouse.move(before["x"] + 50, before["y"] + 50)
        page.mouse.down(button="right")
        page.mouse.move(before["x"] + 150, before["y"] + 50)
        page.mouse.up(button="right")
        assert "contrast(150%)" in (page.locator("#picture").get_attribute("style") or "")
        page.keyboard.press("0")
        assert page.locator("#picture").bounding_box() == before
        assert "contrast(100%)" in (page.locator("#picture").get_attribute("style") or "")


@pytest.mark.slow
def test_a_phone_shows_the_film_and_the_decisions(browser: "Browser", report: Path) -> None:
    """On a narrow screen nothing overflows, and films are chosen in a drawer."""
    with opened(browser, report, width=360, height=740) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert page.evaluate("scrollY") == 0
        page.click("#browse-toggle")
        page.click("text=a/hip.dcm")
        page.wait_for_selector("#film-name:has-text('a/hip.dcm')")
        page.click("#candidates button.accepted")
        assert "1" in kept(page)["films"]["a/hip.dcm"]["candidates"]


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("width", [1400, 360])
def test_it_can_be_read_by_everybody(
    browser: "Browser", report: Path, scheme: Literal["dark", "light"], width: int
) -> None:
    """The accessibility checker axe finds nothing beyond minor issues."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is missing")
    with opened(browser, report, scheme=scheme, width=width) as page:
        page.keyboard.press("a")
        # do not preload style sheets: a page opened from disk may not read them
        found = axe.Axe().run(page, options={"preload": False}).response["violations"]
        worst = {one["id"]: one["nodes"][0]["html"] for one in found if one["impact"] != "minor"}
        assert worst == {}


@pytest.mark.slow
def test_a_long_list_has_few_rows_in_the_page(browser: "Browser", tmp_path: Path) -> None:
    """Of 20,000 films, the page contains only the rows on the screen, at either end of the list."""
    result = as_record(SPACED)
    lines = [index_head(RUN)]
    for number in range(20_000):
        source = result.input.model_copy(update={"file": f"film_{number:05d}.dcm"})
        update = {"input": source, "seal_sha256": f"{number:064d}"}
        lines.append(index_line(result.model_copy(update=update)))
    write_bytes(tmp_path / INDEX, b"".join(lines), within=tmp_path)
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.goto(write_page(OwnFiles(tmp_path)).as_uri())
    page.wait_for_selector(".row")
    assert page.inner_text("#tab-read") == "20,000 films read"
    assert page.locator(".row").count() < 40
    page.evaluate("document.getElementById('list').scrollTop = 1e9")
    page.wait_for_selector("text=film_19999.dcm")
    assert page.locator(".row").count() < 40
    # the film's script is missing: the page says so and continues to work
    page.click("text=film_19999.dcm")
    page.wait_for_selector("text=script is missing from the folder report/films")
    context.close()


@pytest.mark.slow
def test_a_page_without_its_folder_says_so(browser: "Browser", tmp_path: Path) -> None:
    """A report.html copied without its folder says what is missing."""
    report = write_results(tmp_path, FILMS)
    (tmp_path / INDEX).unlink()
    context = browser.new_context()
    page = context.new_page()
    page.goto(report.as_uri())
    page.wait_for_selector("text=is missing or incomplete; scan again")
    context.close()


GROUPED = (
    "file,frame,exam,patient,copy\n"
    '"a/knee.dcm",1,e2,p123456789,false\n"b/wrist.png",1,e1,p123456789,false\n"a/hip.dcm",1,,,false\n'
)


def test_films_are_grouped_by_patient_and_exam(
    browser: "Browser", report: Path, tmp_path: Path
) -> None:
    """The table of `lesionscan exams` sorts and labels the list, and filters it by patient."""
    (tmp_path / "films.csv").write_text("\ufeff" + GROUPED, encoding="utf-8")
    with opened(browser, report) as page:
        names = "[...document.querySelectorAll('#rows .name')].map((one) => one.textContent)"
        assert not page.is_visible("#patient")
        page.set_input_files("#load-exams", tmp_path / "films.csv")
        page.wait_for_selector("#grouped:text-is('3 films are in the table of exams')")
        assert page.evaluate(names) == ["b/wrist.png", "a/knee.dcm", "a/hip.dcm"]
        words = page.locator("#rows .marks").all_inner_texts()
        assert words == ["p123456 e1", "p123456 e2", ""]
        page.fill("#search", "p123456789 e2")
        assert page.evaluate(names) == ["a/knee.dcm"]
        page.fill("#search", "")
        page.select_option("#patient", "p123456789")
        assert page.evaluate(names) == ["b/wrist.png", "a/knee.dcm"]
        page.select_option("#patient", "-")
        assert page.evaluate(names) == ["a/hip.dcm"]
        page.click("#filters-reset")
        assert len(page.evaluate(names)) == 3
        assert page.input_value("#sort") == "score"


@pytest.mark.parametrize("text", ["", "file,frame\n", "{}", '"file\n'])
def test_another_table_is_not_used(
    browser: "Browser", report: Path, tmp_path: Path, text: str
) -> None:
    """Another file is rejected in one line, and the list does not change."""
    (tmp_path / "films.csv").write_text(text, encoding="utf-8")
    with opened(browser, report) as page:
        page.set_input_files("#load-exams", tmp_path / "films.csv")
        page.wait_for_selector("#grouped:text-is('this is not the films.csv of lesionscan exams')")
        assert page.input_value("#sort") == "score"
        assert not page.is_visible("#patient")


def test_cells_of_a_table_may_hold_anything(browser: "Browser", report: Path) -> None:
    """Quotes, commas and line breaks in cells, empty cells and CRLF line ends are parsed."""
    with opened(browser, report) as page:
        text = 'a,"b, ""c""\nd",\r\n,,\n"x"'
        assert page.evaluate("(text) => exams.rows(text)", text) == [
            ["a", 'b, "c"\nd', ""],
            ["", "", ""],
            ["x"],
        ]
