"""The report page says what the results say, escapes everything and needs nothing else."""

import re
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

from lesionscan.radiograph import Notice, Spacing
from lesionscan.reporting.gallery import RunFacts, failure_line, film_card, link, report_html
from tests.reporting.made import Disk, Film
from tests.reporting.test_records import as_json, failed_json

FACTS = RunFacts(version="0.1.0", shown_score=0.5, not_done=0, ok=1, failed=1)
NASTY = "a b/<b>'quote\" & 50%#?.png"


class Reader(HTMLParser):
    """Collects tags, addresses and text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the tag and where it points."""
        self.tags.add(tag)
        self.addresses += [value or "" for key, value in attrs if key in {"href", "src"}]

    def handle_data(self, data: str) -> None:
        """Keep the words, not the style sheet."""
        if "body" in self.tags:
            self.text += data + " "


def read(page: str) -> Reader:
    """Read a page as a browser would."""
    reader = Reader()
    reader.feed(page)
    return reader


def page_of(film: Film | None = None, name: str = NASTY) -> str:
    """Return the page of one film and one failure."""
    return "".join(
        report_html([film_card(as_json(film, name))], [failure_line(failed_json())], FACTS)
    )


def test_names_are_escaped_and_links_lead_to_the_files() -> None:
    """A name with markup is shown as text, and its links decode to the result files."""
    page = page_of()
    assert "<b>'" not in page
    reader = read(page)
    assert NASTY in reader.text
    targets = {unquote(address) for address in reader.addresses}
    assert {f"./{NASTY}.overlay.png", f"./{NASTY}.json", "./x.dcm.json"} <= targets


def test_the_page_needs_nothing_from_outside() -> None:
    """There is no script, no web address and every link is relative."""
    page = page_of()
    reader = read(page)
    assert "script" not in reader.tags
    assert all(address.startswith("./") for address in reader.addresses)
    assert not re.search(r"https?://|@import|url\(", page)


def test_counts_disclaimer_and_failures_are_there() -> None:
    """The head counts films, and a failure shows its code and message."""
    text = " ".join(read(page_of()).text.split())
    assert "2 films 1 ok 1 failed" in text
    assert "Research use only; not a diagnosis." in text
    assert "truncated the file ends early" in text


def test_a_film_without_candidates_says_so() -> None:
    """No empty panel: the threshold and the number below it are named."""
    page = page_of(Film(disks=(Disk(150, 100, 10, 0.3),)))
    assert "no candidate of 0.50 or more (1 below)" in page


def test_a_film_that_was_not_assessed_says_so() -> None:
    """A film whose bone mask had low confidence does not look like a clean one."""
    assert "not assessed" in page_of(Film(assessed=False))


def test_sizes_are_in_mm_where_they_are_known() -> None:
    """Sizes carry their unit, and the plane of the spacing is named."""
    film = Film(spacing=Spacing(0.5, 0.5, "ImagerPixelSpacing", "detector"))
    assert "14 mm" in page_of(film)
    assert "0.5 mm (detector)" in page_of(film)
    assert "28 px" in page_of()


def test_the_three_strongest_reasons_are_shown_with_their_direction() -> None:
    """Up for a lesion, down against one; a fourth reason is in the JSON only."""
    result = as_json(Film())
    first = result["candidates"][0]
    first["reasons"] = [
        {"term": word, "value": 0.0, "effect": effect, "text": f"<{word}>"}
        for word, effect in (("one", 2.0), ("two", -1.0), ("three", 0.5), ("four", 0.1))
    ]
    text = read("".join(report_html([film_card(result)], [], FACTS))).text
    assert [mark for mark in ("▲ <one>", "▼ <two>", "▲ <three>") if mark not in text] == []
    assert "<four>" not in text


def test_warnings_are_shown() -> None:
    """What the reader has to say about a film is on its card."""
    assert "sizes in pixels" in page_of(Film(notices=(Notice("no_spacing", "sizes in pixels"),)))


def test_films_stand_in_the_order_given() -> None:
    """The page is written film by film; who calls it has put them in order."""
    names = ["b.png", "c.png", "a.png"]
    text = read("".join(report_html((film_card(as_json(name=n)) for n in names), [], FACTS))).text
    assert [word for word in text.split() if word in names] == names


def test_a_film_without_picture_has_no_link_to_one() -> None:
    """Where no overlay was made, none is shown."""
    result = as_json()
    result["pictures"]["overlay_sha256"] = None
    page = "".join(report_html([film_card(result)], [], FACTS))
    assert not [address for address in read(page).addresses if "overlay" in address]
    assert "None" not in page


def test_a_stopped_run_says_what_is_missing() -> None:
    """Films that were not reached are counted; an empty page still says something."""
    page = "".join(report_html([], [], RunFacts("0.1.0", 0.5, not_done=7, ok=0, failed=0)))
    text = " ".join(read(page).text.split())
    assert "7 not done" in text
    assert "No film was read." in text


@pytest.mark.parametrize("name", ["c:x.png", "javascript:alert(1)", "//host/x", "ü?.png"])
def test_links_are_always_relative(name: str) -> None:
    """No file name can turn a link into another address."""
    assert link(name).startswith("./")
    assert unquote(link(name)) == f"./{name}"
