"""The page's data scripts match the results and contain nothing but data."""

from dataclasses import fields, replace

import cv2
import numpy as np
import pytest

from lesionscan.radiograph import Spacing
from lesionscan.reporting.page.index import FilmLine, film_line, index_head, index_line
from lesionscan.reporting.page.script import call, compact_json, parse_call
from lesionscan.reporting.page.view import MOST_CANDIDATES, Backdrop, film_view, on_page
from tests.reporting.made import Disk, Film, displayed_of, make_findings
from tests.reporting.page.written import RUN, calls, recorded
from tests.results.test_record import as_json, as_record, failed_json, parsed

SPACED = Film(spacing=Spacing(0.2, 0.2, "user", "patient"))
NASTY = "a b/</script><img src=x onerror=alert(1)>'\"\u2028\U0001f9b4.png"


def view_of(film: Film | None = None, name: str = "a/knee.dcm") -> dict[str, object]:
    """Return the data of a film on the page."""
    findings = make_findings(film)
    record = recorded(findings, name)
    ((function, said),) = calls(
        film_view(record, Backdrop.of(findings), displayed_of(findings)).script
    )
    assert function == "view"
    assert isinstance(said, dict)
    return said


def test_a_name_cannot_leave_its_string() -> None:
    """Any name gives a script of one ASCII line from which the name is read back."""
    script = call("film", [NASTY])
    assert script.isascii()
    assert script.count(b"\n") == 1
    assert calls(script) == [("film", [NASTY])]
    assert view_of(name=NASTY)["name"] == NASTY


def test_the_script_of_a_film_says_what_the_json_says() -> None:
    """Sizes, scores, signs and flags are those of the JSON record."""
    said = view_of(SPACED)
    record = as_json(SPACED)
    assert (said["rows"], said["columns"]) == (300, 200)
    assert said["spacing_mm"] == [0.2, 0.2]
    assert said["listed"] == 2
    candidates = said["candidates"]
    assert isinstance(candidates, list)
    first, written = candidates[0], record["candidates"][0]
    for name in ("id", "score", "shown", "bbox_px", "flags"):
        assert first[name] == written[name]
    assert first["measures"]["feret_max_mm"] == written["feret_max_mm"]
    assert "feret_max_px" not in first["measures"]
    assert first["signs"] == [
        ["for", "network: clearly suggests a lesion (mean 0.70)"],
        ["for", "brighter bone on all sides"],
        ["against", "beside a marker or metal"],
        ["neither", "place: middle third of a long bone"],
    ]


def test_without_spacing_sizes_are_in_pixels() -> None:
    """A film without known spacing has no measurements in millimetres."""
    candidates = view_of()["candidates"]
    assert isinstance(candidates, list)
    measures = candidates[0]["measures"]
    assert "feret_max_px" in measures
    assert not [name for name in measures if name.endswith(("_mm", "_mm2"))]


@pytest.mark.parametrize("rows", [300, 3000])
def test_outlines_lie_where_the_masks_end(rows: int) -> None:
    """Filled outlines of candidate, bone and field match the masks, except at the edges."""
    film = Film(rows=rows, columns=200, disks=(Disk(rows // 2, 100, 14, 0.9),))
    findings, said = make_findings(film), view_of(film)
    candidates = said["candidates"]
    assert isinstance(candidates, list)
    for flats, mask in (
        ([candidates[0]["outline_px"]], findings.labels > 0),
        (said["bone"], findings.bone),
        (said["field"], findings.exposed),
    ):
        assert isinstance(flats, list)
        filled = np.zeros(mask.shape, np.uint8)
        outlines = [np.array(flat, np.int32).reshape(-1, 1, 2)[:, :, ::-1] for flat in flats]
        cv2.fillPoly(filled, outlines, 1)
        both = np.count_nonzero((filled > 0) & mask)
        assert both >= 0.97 * np.count_nonzero((filled > 0) | mask)


def test_faint_candidates_stay_in_the_json_alone() -> None:
    """The page gets at most 20 candidates that reach a minimum score, and all shown ones."""
    scores = [0.9] * (MOST_CANDIDATES + 2) + [0.3, 0.01]
    assert on_page((score, score >= 0.5) for score in scores) == MOST_CANDIDATES + 2
    assert on_page([(0.3, False), (0.01, False)]) == 1
    assert on_page([]) == 0


def test_pictures_are_made_only_where_a_film_is_given() -> None:
    """Without a displayed film there is no JPEG, and the script has no picture."""
    findings = make_findings()
    record = recorded(findings)
    view = film_view(record, Backdrop.of(findings), None)
    assert view.picture is None
    assert view.thumbnail is None
    assert calls(view.script)[0][1]["picture"] is None


def test_the_pictures_show_the_film() -> None:
    """The JPEG is the film, up to compression; the thumbnail's long side is 128 pixels."""
    findings = make_findings()
    film = displayed_of(findings)
    view = film_view(recorded(findings), Backdrop.of(findings), film)
    assert view.picture is not None
    assert view.thumbnail is not None
    picture, thumbnail = (
        cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        for data in (view.picture, view.thumbnail)
    )
    assert picture is not None
    assert thumbnail is not None
    assert picture.shape == film.shape
    assert np.abs(picture.astype(int) - film).mean() < 3
    assert max(thumbnail.shape) == 128


def test_the_line_of_a_film_has_the_columns_that_the_head_names() -> None:
    """The first line names the columns once; the line of each film has only the values."""
    ((function, head),) = calls(index_head(RUN))
    assert function == "run"
    assert head["film_columns"] == [part.name for part in fields(FilmLine)]
    assert head["not_done"] == 3
    assert head["disclaimer"] == "Research use only; not a diagnosis."
    ((function, values),) = calls(index_line(as_record(SPACED)))
    assert function == "film"
    line = dict(zip(head["film_columns"], values, strict=True))
    assert line["name"] == "a/knee.dcm"
    assert line["seal"] == as_json(SPACED)["seal_sha256"]
    assert (line["body_part"], line["listed"], line["shown"]) == ("FEMUR", 2, 1)
    assert line["scores"] == [0.9, 0.2]
    assert line["flags"] == []
    assert len(line["lengths_mm"]) == len(line["shares"]) == 2


def test_a_film_without_spacing_has_no_lengths() -> None:
    """A film without spacing has no lengths in mm in the list."""
    assert film_line(as_record()).lengths_mm is None


def test_the_line_of_a_failure_says_why() -> None:
    """The line of a failed film has its name, error code and message."""
    assert calls(index_line(parsed(failed_json()))) == [
        ("failed", ["x.dcm", "truncated", "the file ends early"])
    ]


def test_a_film_not_assessed_is_known_as_such() -> None:
    """A film that was not assessed is marked in the list and in its own script."""
    film = replace(SPACED, assessed=False)
    assert film_line(as_record(film)).assessed == 0
    assert view_of(film)["assessed"] is False


def test_a_call_is_parsed_again() -> None:
    """A call is parsed into function and argument; any other line gives None."""
    assert parse_call(call("film", [1, "a)\n;"])) == ("film", b'[1,"a)\\n;"]')
    for line in (b"", b"alert(1);\n", b"lesionscan.film(1)\n", b" lesionscan.film(1);\n"):
        assert parse_call(line) is None


def test_what_json_cannot_say_is_no_data() -> None:
    """NaN and arbitrary objects are rejected."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        compact_json([float("nan")])
    with pytest.raises(TypeError, match="object cannot be written as JSON"):
        compact_json([object()])
