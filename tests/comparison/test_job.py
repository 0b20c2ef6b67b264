"""One pair of a run: its files, resuming, and failures."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lesionscan.codes import ErrorCode, RefusalCode, notice
from lesionscan.comparison import ComparedFilm, RefusedPairError, compare_films, job
from lesionscan.comparison.compare import Comparison
from lesionscan.comparison.job import PairJob, PairOutcome, compare_pair, lost_pair
from lesionscan.comparison.page import comparison_page, line_of_pair
from lesionscan.comparison.pairs import Pair, Source
from lesionscan.comparison.picture import comparison_png
from lesionscan.comparison.tables import change_columns, pair_columns, write_tables
from lesionscan.reading import UnreadableFileError
from lesionscan.results.own_files import OwnFiles
from lesionscan.settings import Settings
from tests.comparison.made import moved_film, sample, similarity

MOVED = similarity(5, 1.05, (10, 10))


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PairJob:
    """Return a job whose second film is the first one moved; neither is searched."""
    job._own.cache_clear()
    places = [tmp_path / "first.png", tmp_path / "second.png"]
    for place in places:
        place.write_bytes(place.name.encode())
    made = {places[0]: sample(), places[1]: moved_film(sample(), MOVED)}
    monkeypatch.setattr(job, "_film", lambda source, _: made[source.place])
    pair = Pair("knee", Source(places[0]), Source(places[1]))
    return PairJob(pair, tmp_path / "out", Settings())


def done(pair: PairJob) -> PairOutcome:
    """Run a job."""
    (outcome,) = compare_pair(pair)
    return outcome


def test_a_pair_gives_its_files_and_tables(one: PairJob) -> None:
    """A pair gives a record, a picture, a page, a row in each table and a line in the list."""
    outcome = done(one)
    assert (outcome.status, outcome.states, outcome.resumed) == ("ok", {"stable": 1}, False)
    paths = one.paths()
    assert paths["picture"].read_bytes().startswith(b"\x89PNG")
    assert paths["page"].read_bytes().startswith(b"<!doctype html>")
    record = json.loads(paths["record"].read_bytes())
    assert record["before"]["name"] == "knee_giant_cell.dcm"
    tables = write_tables(OwnFiles(one.out), ["knee", "not done"])
    *csvs, index = tables
    rows = [list(csv.DictReader(path.read_text(encoding="utf-8").splitlines())) for path in csvs]
    assert [len(table) for table in rows] == [1, 1]
    link = '<li class="stable"><a href="knee.compare.html">knee</a>: 1 stable</li>'
    assert link in index.read_text(encoding="utf-8")
    assert tuple(rows[0][0]) == change_columns()
    assert tuple(rows[1][0]) == pair_columns()
    assert rows[0][0]["state"] == "stable"
    assert float(rows[1][0]["magnification"]) == pytest.approx(1.05, rel=0.01)


def test_a_pair_is_kept_while_its_films_and_files_are_the_same(
    one: PairJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pair is redone, with the same bytes, if a file, an option or a film has changed."""
    done(one)
    first = {kind: path.read_bytes() for kind, path in one.paths().items()}
    assert done(one).resumed
    comparison = compare_films(sample(), moved_film(sample(), MOVED))

    def compared(*_films: ComparedFilm, made_of_sha256: str, **_options: bool) -> Comparison:
        """Return the comparison made above, which saves a second."""
        update = {"made_of_sha256": made_of_sha256}
        return replace(comparison, record=comparison.record.model_copy(update=update))

    monkeypatch.setattr(job, "compare_films", compared)
    for altered in ("picture", "page"):
        OwnFiles(one.out).write(one.paths()[altered], b"changed")
        job._own.cache_clear()
        assert not done(one).resumed
        assert {kind: path.read_bytes() for kind, path in one.paths().items()} == first
    assert not done(replace(one, ignore_headers=True)).resumed
    assert not done(replace(one, settings=Settings(shown_score=0.4))).resumed
    film = one.pair.before.place
    original = film.read_bytes()
    film.write_bytes(b"another")
    assert not done(one).resumed
    film.write_bytes(original)
    assert not done(one).resumed
    assert {kind: path.read_bytes() for kind, path in one.paths().items()} == first


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RefusedPairError(RefusalCode.POOR_FIT, "no"), "refused", "poor_fit"),
        (UnreadableFileError(ErrorCode.TRUNCATED, "no"), "failed", "truncated"),
        (MemoryError(), "failed", "out_of_memory"),
        (ZeroDivisionError("PatientName Smith"), "failed", "internal_error"),
    ],
)
def test_a_pair_that_fails_is_recorded(
    one: PairJob, monkeypatch: pytest.MonkeyPatch, error: Exception, status: str, code: str
) -> None:
    """The record has the error code but no exception text, and older pictures are removed."""
    done(one)

    def film(_source: Source, _job: PairJob) -> ComparedFilm:
        raise error

    monkeypatch.setattr(job, "_film", film)
    one.pair.before.place.write_bytes(b"another")
    outcome = done(one)
    assert outcome.status == status
    assert outcome.error is not None
    assert outcome.error.code == code
    data = one.paths()["record"].read_bytes()
    assert json.loads(data)["error"]["code"] == code
    assert b"Smith" not in data
    assert [path.exists() for path in one.paths().values()] == [True, False, False]
    assert done(one).resumed is (status == "refused")


def test_the_list_of_pairs_contains_every_pair(one: PairJob) -> None:
    """Each pair is listed with its changes or its error; names are escaped and links are quoted."""
    record = compare_films(sample(), sample()).record
    (lesion,) = record.lesions
    both = record.model_copy(
        update={"lesions": (lesion, lesion.model_copy(update={"state": "grown"}))}
    )
    name = 'a b/<i>"x".dcm'
    assert line_of_pair(name, f"{name}.html", both) == (
        '<li class="grown"><a href="a%20b/%3Ci%3E%22x%22.dcm.html">'
        "a b/&lt;i&gt;&quot;x&quot;.dcm</a>: 1 grown, 1 stable</li>\n"
    )
    none = record.model_copy(update={"lesions": ()})
    assert ">knee</a>: no lesion</li>" in line_of_pair("knee", "knee.html", none)
    lost_pair(one, notice(ErrorCode.TIMED_OUT, "too long"))
    (*_, index) = write_tables(OwnFiles(one.out), ["knee"])
    page = index.read_text(encoding="utf-8")
    assert "<li>knee: failed: too long</li>" in page
    assert "default-src 'none'" in page
    assert "script" not in page


def test_a_lost_pair_is_recorded_as_failed(one: PairJob) -> None:
    """A pair whose worker was lost is recorded as failed."""
    outcome = lost_pair(one, notice(ErrorCode.TIMED_OUT, "too long"))
    assert (outcome.status, outcome.states) == ("failed", {})
    assert json.loads(one.paths()["record"].read_bytes())["error"]["code"] == "timed_out"


def test_what_somebody_else_has_written_stays(one: PairJob) -> None:
    """A file written by somebody else is not overwritten, and the pair fails."""
    one.out.mkdir()
    taken = one.paths()["picture"]
    taken.write_bytes(b"mine")
    outcome = done(one)
    assert outcome.error is not None
    assert (outcome.status, outcome.error.code) == ("failed", "name_taken")
    assert taken.read_bytes() == b"mine"


def test_the_page_needs_and_allows_nothing_else() -> None:
    """The page loads nothing, has no style attributes, and escapes markup in names."""
    film = sample()
    name = 'a@BEFORE@<img onerror="x">.dcm'
    record = film.record.model_copy(
        update={"input": film.record.input.model_copy(update={"file": name})}
    )
    page = comparison_page(compare_films(replace(film, record=record), film)).decode("utf-8")
    assert "default-src 'none'" in page
    assert "http" not in page.replace("http-equiv", "")
    assert " style=" not in page
    assert "<img" not in page
    assert "a@BEFORE@&lt;img" in page
    assert page.count("data:image/jpeg;base64,") == 2
    assert "1: stable, diameter" in page


def test_the_picture_shows_three_panels() -> None:
    """The picture has three panels with outlines in two colours, and the same bytes every time."""
    comparison = compare_films(sample(), moved_film(sample(), MOVED))
    data = comparison_png(comparison)
    assert data == comparison_png(comparison)
    picture = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))
    width = picture.shape[1] // 3
    near = _near(picture, (0, 176, 255)), _near(picture, (255, 143, 100))
    amber, blue = (
        [int(one[:, i * width : (i + 1) * width].sum()) for i in range(3)] for one in near
    )
    assert amber[0] > 50
    assert amber[2] > 50
    assert blue[1] > 50
    assert blue[0] == 0


def _near(picture: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    return np.asarray(np.abs(picture.astype(int) - colour).max(axis=2) < 40)
