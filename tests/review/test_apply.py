"""Reviews are written to tables and truth folders, as far as they match the results."""

import csv
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from lesionscan.evaluation.truth import load_truth
from lesionscan.reporting.tables import CANDIDATE_COLUMNS, IMAGE_COLUMNS
from lesionscan.results import run
from lesionscan.results.atomic import OutputError
from lesionscan.results.own_files import NotOwnError
from lesionscan.results.sealed import is_sealed
from lesionscan.review.apply import AppliedReview, apply_review
from lesionscan.review.record import ReviewError
from lesionscan.review.tables import COUNT_COLUMNS, DECISION_COLUMNS
from tests.cli.command import files as read_files
from tests.review.made import (
    HIDDEN,
    SHOWN,
    SQUARE,
    as_review,
    film_review,
    scanned,
    seal,
)

NAMES = {
    "a/knee.png": SHOWN,
    "a/knee2.png": HIDDEN,
    "b/-=hip, \"left\".png": SHOWN,
    "knee.png": SHOWN,
    "ü膝.png": HIDDEN,
}  # fmt: skip


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return films and their results, which tests must not change."""
    return scanned(tmp_path_factory.mktemp("scan"), NAMES)


@pytest.fixture
def copy(scan: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """Return films and results that a test may change."""
    films, results = tmp_path / "films", tmp_path / "results"
    shutil.copytree(scan[0], films)
    shutil.copytree(scan[1], results)
    return films, results


def table(path: Path) -> list[dict[str, str]]:
    """Read a table."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def applied(
    where: tuple[Path, Path], out: Path, films: dict[str, Any] | None = None
) -> AppliedReview:
    """Apply a review of these films, with the seals of their results filled in."""
    review = {
        name: {**film, "result_sha256": seal(where[1], name)}
        for name, film in (films or {"a/knee.png": film_review(c1="accepted")}).items()
    }
    return apply_review(where[1], as_review(review), out=out, films=where[0])


def test_tables_get_decisions(scan: tuple[Path, Path], tmp_path: Path) -> None:
    """The run's rows stay; decisions are additional columns, missed lesions additional rows."""
    review = {
        "a/knee.png": film_review(c1="accepted", c2="rejected", note="=1+1", missed=(SQUARE,)),
        "ü膝.png": film_review(reviewed=False, c1="unsure"),
    }
    done = applied(scan, tmp_path, review)
    assert (done.not_applied, done.listed, done.complete) == ((), 5, True)
    images, before = table(tmp_path / "images.csv"), table(scan[1] / "images.csv")
    assert list(images[0]) == [*IMAGE_COLUMNS, *COUNT_COLUMNS]
    assert [{key: row[key] for key in IMAGE_COLUMNS} for row in images] == before
    counts = {row["file"]: [row[key] for key in COUNT_COLUMNS] for row in images}
    assert counts["a/knee.png"] == ["true", "1", "1", "0", "1", "./=1+1"]
    assert counts["ü膝.png"] == ["false", "0", "0", "1", "0", ""]
    assert counts["knee.png"] == ["false", "", "", "", "", ""]
    candidates, before = table(tmp_path / "candidates.csv"), table(scan[1] / "candidates.csv")
    assert list(candidates[0]) == [*CANDIDATE_COLUMNS, *DECISION_COLUMNS]
    missed = [row for row in candidates if row["decision"] == "missed"]
    own = [row for row in candidates if row["decision"] != "missed"]
    assert [{key: row[key] for key in CANDIDATE_COLUMNS} for row in own] == before
    assert [row["decision"] for row in own if row["file"] == "a/knee.png"] == [
        "accepted",
        "rejected",
    ]
    assert [row["decision"] for row in own if row["file"] == "ü膝.png"] == ["unsure", ""]
    assert candidates.index(missed[0]) == 2
    assert missed[0]["file"] == "a/knee.png"
    assert (missed[0]["id"], missed[0]["score"], missed[0]["note"]) == ("", "", "seen")
    assert (missed[0]["area_px"], missed[0]["centroid_row_px"]) == ("100.0", "14.5")
    assert (missed[0]["area_mm2"], missed[0]["frame"]) == ("", "1")
    assert missed[0]["disclaimer"] == "Research use only; not a diagnosis."


def test_truth_is_what_was_accepted_and_drawn(scan: tuple[Path, Path], tmp_path: Path) -> None:
    """The truth folder has the index, film and mask; each lesion has a label of its own."""
    review = {
        "a/knee.png": film_review(c1="accepted", c2="rejected", missed=(SQUARE,)),
        "a/knee2.png": film_review(),
        "knee.png": film_review(c1="rejected", c2="accepted"),
        "ü膝.png": film_review(reviewed=False, c1="accepted"),
    }
    done = applied(scan, tmp_path, review)
    assert done.truth is not None
    assert (done.complete, done.truth.left_out, done.truth.lesions) == (True, [], 3)
    films = {film.name: film for film in load_truth(done.truth_folder)}
    assert list(films) == ["a__knee", "a__knee2", "knee"]
    knee = films["a__knee"]
    assert knee.image.read_bytes() == (scan[0] / "a" / "knee.png").read_bytes()
    mask = knee.read_lesions((120, 80))
    assert mask is not None
    with Image.open(scan[1] / "a" / "knee.png.labels.png") as picture:
        labels = np.asarray(picture)
    assert ((mask == 1) == (labels == 1)).all()
    assert (mask == 2).sum() == 100
    assert (mask[10:20, 20:30] == 2).all()
    assert knee.facts["lesion_facts"] == [
        {"label": 1, "candidate_id": 1},
        {"label": 2, "candidate_id": None},
    ]
    assert (knee.facts["result"], knee.facts["kind"]) == ("a/knee.png", "lytic")
    assert (films["a__knee2"].lesions, films["a__knee2"].facts["kind"]) == (0, "normal")
    other = films["knee"].read_lesions((120, 80))
    assert other is not None
    assert ((other == 1) == (labels == 2)).all()
    assert not list(done.truth_folder.rglob("*.bone.png"))


def test_the_same_review_gives_the_same_bytes(scan: tuple[Path, Path], tmp_path: Path) -> None:
    """The bytes depend neither on the order of films nor on applying a review twice."""
    one = {"a/knee.png": film_review(c1="accepted"), "knee.png": film_review(c1="rejected")}
    applied(scan, tmp_path / "1", one)
    applied(scan, tmp_path / "2", dict(reversed(one.items())))
    applied(scan, tmp_path / "2", one)
    assert read_files(tmp_path / "1") == read_files(tmp_path / "2")
    assert len(read_files(tmp_path / "1")) == 7


def test_a_later_review_replaces_the_truth_of_an_earlier_one(
    scan: tuple[Path, Path], tmp_path: Path
) -> None:
    """Films no longer in the review are removed; files that are not ours remain."""
    applied(scan, tmp_path, {"knee.png": film_review(c1="accepted"), "a/knee2.png": film_review()})
    (tmp_path / "truth" / "images" / "own.txt").write_text("x")
    applied(scan, tmp_path, {"a/knee2.png": film_review()})
    names = {path.name for path in (tmp_path / "truth").rglob("*") if path.is_file()}
    assert names == {"index.json", "a__knee2.png", "a__knee2.lesions.png", "own.txt"}
    done = applied(scan, tmp_path, {"a/knee2.png": film_review(reviewed=False)})
    assert done.truth is not None
    assert done.truth.entries == []
    names = {path.name for path in (tmp_path / "truth").rglob("*") if path.is_file()}
    assert names == {"own.txt"}
    assert (scan[0] / "a" / "knee2.png").is_file()


@pytest.mark.parametrize("index", ['[{"name": "x", "lesions": 0}]', "{", "[1]"])
def test_truth_of_others_is_not_replaced(
    scan: tuple[Path, Path], tmp_path: Path, index: str
) -> None:
    """A truth folder not made from a review, or with a damaged index, is not changed."""
    path = tmp_path / "truth" / "index.json"
    path.parent.mkdir()
    path.write_text(index)
    with pytest.raises(ReviewError, match="holds truth that is not from a review; name another"):
        applied(scan, tmp_path)
    assert path.read_text() == index


def test_an_index_cannot_lead_elsewhere(copy: tuple[Path, Path], tmp_path: Path) -> None:
    """An index that looks like ours but that lesionscan did not write is kept, with its files."""
    path = tmp_path / "truth" / "index.json"
    path.parent.mkdir()
    entry = {"name": "../../x", "file": "../films/knee.png", "result": "x", "lesions": 0}
    path.write_text(json.dumps([entry]))
    with pytest.raises(ReviewError, match="holds truth that is not from a review; name another"):
        applied(copy, tmp_path)
    assert (copy[0] / "knee.png").is_file()
    assert json.loads(path.read_text()) == [entry]


@pytest.mark.parametrize(
    ("review", "words"),
    [
        (film_review(c1="accepted", c2="unsure"), "unsure about candidate 2"),
        (film_review(c2="rejected"), "no decision about candidate 1, shown"),
        (film_review(), "no decision about candidate 1, shown"),
    ],
)
def test_what_cannot_be_counted_is_left_out(
    scan: tuple[Path, Path], tmp_path: Path, review: dict[str, Any], words: str
) -> None:
    """A film with an undecided candidate is not in the truth, and is listed with the reason."""
    done = applied(scan, tmp_path, {"knee.png": review, "a/knee2.png": film_review()})
    assert done.truth is not None
    assert done.truth.left_out == [("knee.png", words)]
    assert [entry["name"] for entry in done.truth.entries] == ["a__knee2"]
    assert done.complete


def edited(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Edit a film's JSON, like a user."""
    result = json.loads(path.read_bytes())
    edit(result)
    path.write_text(json.dumps(result), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("gone", "it has no result that can be read; scan again"),
        ("damaged", "it has no result that can be read; scan again"),
        ("no result", "it has no result that can be read; scan again"),
        ("another's", "it has no result that can be read; scan again"),
        ("scanned again", "its result has changed since it was reviewed; review it again"),
        ("edited", "its result has changed since it was reviewed; review it again"),
        ("not listed", "images.csv does not list it; scan again, or merge"),
    ],
)
def test_a_result_that_has_changed_is_not_judged(
    copy: tuple[Path, Path], tmp_path: Path, change: str, words: str
) -> None:
    """A film whose result has changed is listed with the reason, and the others are applied."""
    films, results = copy
    path = results / "knee.png.json"
    review = {
        name: film_review(seal(results, name), c1="accepted") for name in ("knee.png", "a/knee.png")
    }
    if change == "gone":
        path.unlink()
    elif change == "damaged":
        path.write_text("{")
    elif change == "no result":
        path.write_text('{"input": []}')
    elif change == "another's":
        path.write_bytes((results / "a" / "knee.png.json").read_bytes())
    elif change == "scanned again":
        review["knee.png"]["result_sha256"] = "d" * 64
    elif change == "edited":
        edited(path, lambda result: result["candidates"].pop())
        assert not is_sealed(path.read_bytes())
    elif change == "not listed":
        lines = (results / "images.csv").read_text("utf-8").splitlines(keepends=True)
        kept = [line for line in lines if not line.startswith('"knee.png"')]
        (results / "images.csv").write_text("".join(kept), encoding="utf-8")
        lines = (results / "candidates.csv").read_text("utf-8").splitlines(keepends=True)
        kept = [line for line in lines if not line.startswith('"knee.png"')]
        (results / "candidates.csv").write_text("".join(kept), encoding="utf-8")
    done = apply_review(results, as_review(review), out=tmp_path / "out", films=films)
    assert done.not_applied == (("knee.png", words),)
    assert not done.complete
    assert done.truth is not None
    assert [entry["name"] for entry in done.truth.entries] == ["a__knee"]
    rows = {row["file"]: row["reviewed"] for row in table(tmp_path / "out" / "images.csv")}
    assert rows["a/knee.png"] == "true"
    assert rows.get("knee.png", "false") == "false"


def test_decisions_about_nothing_are_not_applied(scan: tuple[Path, Path], tmp_path: Path) -> None:
    """A film with a decision about a candidate that its result lacks is not applied."""
    done = applied(scan, tmp_path, {"knee.png": film_review(c1="accepted", c7="accepted")})
    assert done.not_applied == (
        ("knee.png", "the review decides about a candidate that its result does not have"),
    )


def test_a_result_without_seal_is_not_applied(scan: tuple[Path, Path], tmp_path: Path) -> None:
    """An empty seal in the review matches no result."""
    done = apply_review(scan[1], as_review({"knee.png": film_review("")}), out=tmp_path)
    assert [name for name, _ in done.not_applied] == ["knee.png"]


@pytest.mark.slow
def test_films_that_could_not_be_read(tmp_path: Path) -> None:
    """Unreadable films can be reviewed, but are not in the truth; an outline is not applied."""
    films = tmp_path / "films"
    films.mkdir()
    (films / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    where = scanned(tmp_path, {"good.png": SHOWN})
    done = applied(where, tmp_path / "out", {"bad.png": film_review(note="blurred")})
    assert done.truth is not None
    assert done.truth.left_out == [("bad.png", "it could not be read")]
    row = next(r for r in table(tmp_path / "out" / "images.csv") if r["file"] == "bad.png")
    assert (row["status"], row["reviewed"], row["note"]) == ("failed", "true", "blurred")
    done = applied(where, tmp_path / "out", {"bad.png": film_review(missed=(SQUARE,))})
    assert done.not_applied == (("bad.png", "it could not be read, and yet has an outline"),)


def test_a_table_of_millions_of_rows_is_refused(
    copy: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table with more rows than any run is rejected."""
    monkeypatch.setattr(run, "_MAX_ROWS", 2)
    with pytest.raises(ReviewError, match=r"images\.csv was changed after the run"):
        applied(copy, tmp_path / "out", {"knee.png": film_review(c1="accepted")})


@pytest.mark.slow
def test_pictures_of_a_file_with_several_are_in_the_tables_only(tmp_path: Path) -> None:
    """Pictures of a file with several are in the tables, but not in the truth."""
    page = np.full((120, 80), 128, np.uint8)
    page[0, 1] = SHOWN
    (tmp_path / "films").mkdir()
    tifffile.imwrite(tmp_path / "films" / "p.tif", np.stack([page, page]), photometric="minisblack")
    where = scanned(tmp_path, {"one.png": SHOWN})
    review = {
        "p.tif.frame002": film_review(c1="accepted", missed=(SQUARE,)),
        "one.png": film_review(c1="accepted"),
    }
    done = applied(where, tmp_path / "out", review)
    assert done.not_applied == ()
    assert done.truth is not None
    assert done.truth.left_out == [
        ("p.tif.frame002", "its file has 2 pictures; truth folders only take files with one")
    ]
    rows = [(row["file"], row["frame"], row["reviewed"]) for row in
            table(tmp_path / "out" / "images.csv")]  # fmt: skip
    assert rows == [("one.png", "1", "true"), ("p.tif", "1", "false"), ("p.tif", "2", "true")]
    decisions = [row["decision"] for row in table(tmp_path / "out" / "candidates.csv")]
    assert decisions == ["accepted", "", "", "", "accepted", "", "missed"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            "film gone",
            r"knee\.png cannot be read \(No such file.*; name the scanned folder \(--fil",
        ),
        ("other film", r"knee\.png is not the file that was scanned$"),
        ("labels gone", r"knee\.png\.labels\.png cannot be read \(No such file.*\); scan again"),
        ("other labels", r"knee\.png\.labels\.png was changed after the scan; scan again"),
    ],
)
def test_what_is_not_as_it_was_is_not_truth(
    copy: tuple[Path, Path], tmp_path: Path, change: str, words: str
) -> None:
    """A changed film or label image is listed and not in the truth, but the others are."""
    films, results = copy
    if change == "film gone":
        (films / "knee.png").unlink()
    elif change == "other film":
        (films / "knee.png").write_bytes((films / "a" / "knee.png").read_bytes())
    elif change == "labels gone":
        (results / "knee.png.labels.png").unlink()
    else:
        (results / "knee.png.labels.png").write_bytes(b"x")
    review = {"knee.png": film_review(c1="accepted"), "a/knee.png": film_review(c1="accepted")}
    done = applied(copy, tmp_path / "out", review)
    assert done.truth is not None
    ((name, reason),) = done.truth.missing
    assert name == "knee.png"
    assert re.search(words, reason)
    assert (done.complete, done.not_applied) == (False, ())
    assert [film.name for film in load_truth(done.truth_folder)] == ["a__knee"]


def test_films_that_are_links_stay_films(copy: tuple[Path, Path], tmp_path: Path) -> None:
    """If films are links, the truth folder has the file, not the link."""
    film = copy[0] / "knee.png"
    film.rename(copy[0] / "object")
    film.symlink_to("object")
    done = applied(copy, tmp_path / "out", {"knee.png": film_review(c1="accepted")})
    (known,) = load_truth(done.truth_folder)
    assert not known.image.is_symlink()
    assert known.image.read_bytes() == film.read_bytes()


@pytest.mark.slow
def test_a_film_without_ending_gets_one(tmp_path: Path) -> None:
    """A film without a valid ending gets that of its content, as truth folders need one."""
    films, results = scanned(tmp_path, {"IM0001": SHOWN, "x.ima": HIDDEN})
    review = {"IM0001": film_review(c1="accepted"), "x.ima": film_review()}
    done = applied((films, results), tmp_path / "out", review)
    assert [film.image.name for film in load_truth(done.truth_folder)] == [
        "IM0001.png",
        "x.ima.png",
    ]


@pytest.mark.parametrize(
    ("magic", "ending"),
    [(b"\x89PNG", ".png"), (b"\xff\xd8\xff\xe0", ".jpg"), (b"II*\0", ".tif"), (b"MM\0*", ".tif"),
     (b"\0\0\0\0", ".dcm"), (b"", ".dcm")],
)  # fmt: skip
def test_the_ending_follows_the_content(tmp_path: Path, magic: bytes, ending: str) -> None:
    """The ending follows from the first bytes; any other content is DICOM."""
    from lesionscan.review.truth import _ending_by_content

    (tmp_path / "x").write_bytes(magic)
    assert _ending_by_content(tmp_path / "x") == ending


@pytest.mark.parametrize("name", ["images.csv", "candidates.csv"])
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, r"cannot be read \(No such file or directory\); name scan's --out folder"),
        (b"", "was changed after the run; scan again, or merge"),
        (b"a,b\n1,2\n", "was changed after the run"),
        (b"file,frame,id\nx\n", "was changed after the run"),
        (b"file,frame,id\nx,one,1\n", "was changed after the run"),
        (b"file,frame,id\n\xff,1,1\n", "was changed after the run"),
    ],
)
def test_tables_that_cannot_be_used_are_told(
    copy: tuple[Path, Path], tmp_path: Path, name: str, data: bytes | None, words: str
) -> None:
    """A missing or changed table is reported in one line, and no table is written."""
    path = copy[1] / name
    path.unlink() if data is None else path.write_bytes(data)
    with pytest.raises(ReviewError, match=rf"{name} {words}"):
        apply_review(copy[1], as_review({}), out=tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.csv"))


def test_a_byte_order_mark_is_no_part_of_a_table(copy: tuple[Path, Path], tmp_path: Path) -> None:
    """A byte order mark, as written by spreadsheet programs, is ignored."""
    apply_review(copy[1], as_review({}), out=tmp_path / "plain")
    for name in ("images.csv", "candidates.csv"):
        path = copy[1] / name
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    apply_review(copy[1], as_review({}), out=tmp_path / "marked")
    for name in ("images.csv", "candidates.csv"):
        assert (tmp_path / "marked" / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()


def test_tables_of_two_runs_are_told(copy: tuple[Path, Path], tmp_path: Path) -> None:
    """A table with candidates of an unlisted film is rejected, and no table is written."""
    lines = (copy[1] / "images.csv").read_text("utf-8").splitlines(keepends=True)
    (copy[1] / "images.csv").write_text("".join(lines[:2]), encoding="utf-8")
    with pytest.raises(ReviewError, match=r"candidates\.csv was changed after the run"):
        apply_review(copy[1], as_review({}), out=tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.csv"))


def test_without_films_there_is_no_truth(scan: tuple[Path, Path], tmp_path: Path) -> None:
    """Without the films, tables are written, but no truth folder."""
    review = as_review({"knee.png": film_review(seal(scan[1], "knee.png"), c1="accepted")})
    done = apply_review(scan[1], review, out=tmp_path)
    assert (done.truth, done.complete) == (None, True)
    assert sorted(read_files(tmp_path)) == ["candidates.csv", "images.csv"]


@pytest.mark.parametrize("name", ["images.csv", "candidates.csv"])
def test_tables_of_others_are_kept(scan: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    """A user's table stops the review before anything is written."""
    (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(NotOwnError, match="was not written by lesionscan, or was changed since"):
        applied(scan, tmp_path)
    assert read_files(tmp_path) == {name: b"mine"}


def test_a_truth_of_others_is_kept_whatever_its_index_says(
    scan: tuple[Path, Path], tmp_path: Path
) -> None:
    """A folder whose index looks like a review's is kept if lesionscan did not write it."""
    truth = tmp_path / "truth"
    for name in ("images/knee.png", "masks/knee.lesions.png"):
        (truth / name).parent.mkdir(parents=True)
        (truth / name).write_bytes(b"mine")
    entry = {"name": "knee", "file": "images/knee.png", "lesions": 0, "result": "knee.png"}
    (truth / "index.json").write_text(json.dumps([entry]))
    before = read_files(truth)
    with pytest.raises(ReviewError, match="holds truth that is not from a review"):
        applied(scan, tmp_path)
    assert read_files(truth) == before


def test_a_changed_mask_is_kept(scan: tuple[Path, Path], tmp_path: Path) -> None:
    """A mask that a user has edited is not removed by a later review without its film."""
    applied(scan, tmp_path)
    mask = tmp_path / "truth" / "masks" / "a__knee.lesions.png"
    assert mask.is_file()
    mask.write_bytes(b"corrected")
    applied(scan, tmp_path, {"a/knee2.png": film_review()})
    assert mask.read_bytes() == b"corrected"


@pytest.mark.skipif(os.name == "nt", reason="needs links")
@pytest.mark.parametrize("link", ["reviewed", "reviewed/truth", "reviewed/truth/images"])
def test_no_link_in_the_results_is_followed(
    copy: tuple[Path, Path], tmp_path: Path, link: str
) -> None:
    """Nothing is written or removed through a link."""
    outside = tmp_path / "outside"
    (outside / "truth" / "images").mkdir(parents=True)
    (outside / "a__knee.png").write_bytes(b"theirs")
    (outside / "knee.png").write_bytes(b"theirs")
    before = read_files(outside)
    path = copy[1] / link
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(outside)
    with pytest.raises(OutputError, match="is a link, which is not followed"):
        applied(copy, copy[1] / "reviewed")
    assert read_files(outside) == before
