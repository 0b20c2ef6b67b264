"""Grouping of films by exam and patient: candidates count per film, and copies count once."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from lesionscan.exams.grouping import GroupedFilm, grouped_films
from lesionscan.exams.pseudonyms import Pseudonyms
from lesionscan.exams.sources import Identity
from lesionscan.exams.tables import COLUMNS, ONE_PICTURE, PER_FILM, TableCounts, write_tables
from lesionscan.radiograph import Notice
from lesionscan.reporting.conversion import failed_record, ok_record
from lesionscan.results.own_files import NotOwnError, OwnFiles
from lesionscan.results.record import BoneRecord, CandidateRecord, InputRecord, ResultRecord
from tests.reporting.made import Film, make_findings

MADE = ok_record(make_findings(Film()), file="knee.dcm", sha256=None)
NAMES = Pseudonyms(bytes(32))
P1, P2 = NAMES.patient("P1"), NAMES.patient("P2")
E1, E2, E3 = (NAMES.exam(one) for one in ("E1", "E2", "E3"))


def candidate(score: float, mm: float | None = None, bone: int | None = 1) -> CandidateRecord:
    """Return a candidate that is shown from a score of 0.5 on; its size is a tenth of the score."""
    found = MADE.candidates[0]
    assert found.location is not None
    return replace(
        found,
        score=score,
        shown=score >= 0.5,
        size=score / 10,
        area_mm2=None if mm is None else mm * mm,
        equivalent_diameter_mm=mm,
        location=None if bone is None else replace(found.location, bone_id=bone),
    )


def result(
    file: str,
    *candidates: CandidateRecord,
    view: tuple[str, ...] = ("KNEE", "AP", "R"),
    sha256: str | None = None,
    failed: bool = False,
    frames: tuple[int, int] = (1, 1),
    assessed: bool = True,
) -> ResultRecord:
    """Return the result of a film; `frames` is its frame number and the number of frames."""
    names = ("body_part_examined", "view_position", "image_laterality")
    source = InputRecord(file=file, frame=frames[0], frames=frames[1], sha256=sha256 or file)
    if failed:
        return failed_record(source, Notice("truncated", "half a file"), MADE.tool)
    assert MADE.image is not None
    return MADE.model_copy(
        update={
            "input": source,
            "image": MADE.image.model_copy(update={"spacing_plane": "detector"}),
            "bone": BoneRecord(confidence=0.5, assessed=assessed),
            "acquisition": dict(zip(names, view, strict=False)),
            "candidates": tuple(
                replace(one, id=number) for number, one in enumerate(candidates, start=1)
            ),
        }
    )


WHO = {
    "a1": Identity("P1", "E1", "20200101000000", "1"),
    "a2": Identity("P1", "E1", "20200101000000", "2"),
    "b1": Identity("P1", "E2", "20210101000000", "3"),
    "b1_again": Identity("P1", "E2", "20210101000000", "3"),
    "b2": Identity("P1", "E2", "20210101000000", "4"),
    "c1": Identity("P2", "E3", None, None),
    "c1_again": Identity("P2", "E3", None, None),
    "x": Identity(),
}
RESULTS = (
    result("a1", candidate(0.9, 4.0), candidate(0.6, 2.0, bone=2), candidate(0.2, 9.0)),
    result("a2", candidate(0.7, bone=None), view=("KNEE", "LL", "R")),
    result("b1", candidate(0.8, 5.0)),
    result("b1_again", candidate(0.8, 5.0), sha256="another coding of it"),
    result("b2", failed=True, view=()),
    result("c1", candidate(0.5), sha256="c", view=("HAND",)),
    result("c1_again", candidate(0.5), sha256="c", view=("HAND",)),
    result("x", assessed=False),
)


def grouped(results: Sequence[ResultRecord] = RESULTS) -> list[GroupedFilm]:
    """Group the films by the identities in `WHO`."""
    return grouped_films(results, lambda film: WHO[film.file], NAMES)


@pytest.fixture
def written(tmp_path: Path) -> tuple[TableCounts, dict[str, list[dict[str, str]]]]:
    """Write the tables; return their counts and rows."""
    said = write_tables(grouped(), OwnFiles(tmp_path))
    tables = {}
    for name in COLUMNS:
        with (tmp_path / name).open(encoding="utf-8", newline="") as stream:
            tables[name] = list(csv.DictReader(stream))
    return said, tables


Tables = tuple[TableCounts, dict[str, list[dict[str, str]]]]


def test_an_exam_counts_what_its_films_show(written: Tables) -> None:
    """An exam counts the views and the shown candidates of its films, with and without mm."""
    exams = {row["exam"]: row for row in written[1]["exams.csv"]}
    assert list(exams) == [E3, E1, E2] if P2 < P1 else [E1, E2, E3]
    first = exams[E1]
    assert first["patient"] == P1
    assert (first["films"], first["copies"], first["failed"]) == ("2", "0", "0")
    assert (first["body_parts"], first["views"], first["lateralities"]) == ("KNEE", "AP;LL", "R")
    assert (first["candidates_shown"], first["shown_without_mm"]) == ("3", "1")
    assert (float(first["area_mm2"]), float(first["largest_diameter_mm"])) == (20.0, 4.0)
    assert (float(first["largest_size"]), float(first["best_score"])) == (0.09, 0.9)
    assert first["films_with_shown"] == "2"
    assert first["counted"] == PER_FILM


def test_copies_of_a_picture_count_once(written: Tables) -> None:
    """Copies (same SOPInstanceUID or same file) count once; failed films are counted separately."""
    exams = {row["exam"]: row for row in written[1]["exams.csv"]}
    second, third = exams[E2], exams[E3]
    assert [second[name] for name in ("films", "copies", "failed")] == ["2", "1", "1"]
    assert (second["candidates_shown"], float(second["area_mm2"])) == ("1", 25.0)
    assert [third[name] for name in ("films", "copies", "counted")] == ["1", "1", ONE_PICTURE]
    assert (third["candidates_shown"], third["area_mm2"]) == ("1", "")
    copies = {row["file"] for row in written[1]["films.csv"] if row["copy"] == "true"}
    assert copies == {"b1_again", "c1_again"}


def test_exams_of_a_patient_are_numbered_by_date(written: Tables) -> None:
    """Exams are numbered by date, or not at all without one; no table contains a date."""
    numbers = {row["exam"]: row["exam_number"] for row in written[1]["exams.csv"]}
    assert numbers == {E1: "1", E2: "2", E3: ""}
    patients = {row["patient"]: row for row in written[1]["patients.csv"]}
    assert list(patients) == sorted([P1, P2])
    assert (patients[P1]["exams"], patients[P1]["films"]) == ("2", "4")
    assert patients[P1]["candidates_shown"] == "4"
    assert "2020" not in str(written[1])


def test_bones_are_those_of_one_film(written: Tables) -> None:
    """Each film has one row per bone with shown candidates; bone_id is empty outside bone."""
    rows = [
        (row["file"], row["bone_id"], row["candidates_shown"]) for row in written[1]["bones.csv"]
    ]
    assert rows == [
        ("a1", "1", "1"),
        ("a1", "2", "1"),
        ("a2", "", "1"),
        ("b1", "1", "1"),
        ("c1", "1", "1"),
    ]


def test_pairs_show_the_same_from_the_same_side(written: Tables) -> None:
    """Films of one view in consecutive exams form a pair; another frame of a file is not a copy."""
    assert written[1]["pairs.csv"] == [{"before": "a1", "after": "b1"}]
    two = [*RESULTS, result("a2", view=("KNEE", "AP", "R"), frames=(2, 2))]
    films = grouped(two)
    assert films[-1].name == "a2.frame002"
    assert not films[-1].is_copy
    assert [film.exam for film in films[:2]] == [E1, E1]


def test_two_films_of_one_view_are_no_pair(tmp_path: Path) -> None:
    """Two films of one view in the same exam form no pair, because the match is ambiguous."""
    results = [
        result("a1"), result("a2"), result("b1"), result("b2", view=("KNEE", "LL")),
    ]  # fmt: skip
    assert write_tables(grouped(results), OwnFiles(tmp_path)).pairs == 0


def test_what_was_written_is_counted(written: Tables) -> None:
    """The counts agree with the tables, and films without a known exam are in films.csv."""
    assert written[0] == TableCounts(
        films=8, exams=3, patients=2, pairs=1, copies=2, without_exam=1, without_patient=1, mixed=0
    )
    assert [row["file"] for row in written[1]["films.csv"]] == [one.input.file for one in RESULTS]


def test_an_exam_of_two_patients_is_told(tmp_path: Path) -> None:
    """An exam of two patients counts as mixed; its row names both and has no exam number."""
    who = {"a1": Identity("P1", "E1", "20200101000000"), "b1": Identity("P2", "E1")}
    films = grouped_films([result("a1"), result("b1")], lambda film: who[film.file], NAMES)
    assert write_tables(films, OwnFiles(tmp_path)).mixed == 1
    with (tmp_path / "exams.csv").open(encoding="utf-8", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert row["patient"] == ";".join(sorted([P1, P2]))
    assert row["exam_number"] == ""


def test_a_table_of_somebody_else_is_kept(tmp_path: Path) -> None:
    """A table that lesionscan did not write is not overwritten."""
    (tmp_path / "exams.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(NotOwnError, match=r"exams\.csv was not written by lesionscan"):
        write_tables(grouped(), OwnFiles(tmp_path))
    assert (tmp_path / "exams.csv").read_text("utf-8") == "mine"
