"""The bootstrap resamples the groups in the table of `lesionscan exams`."""

from pathlib import Path

import pytest

from lesionscan.evaluation.evaluate import evaluate
from lesionscan.evaluation.groups import read_groups
from lesionscan.evaluation.truth import TruthError
from tests.evaluation.made import MadeFilm, make

FILMS = [MadeFilm(name, facts={"patient": name}) for name in "abcd"]


def table(folder: Path, text: str) -> Path:
    """Write a table of groups."""
    path = folder / "films.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_patient_then_exam_then_film(tmp_path: Path) -> None:
    """A film's group is its patient, else its exam, else itself; the prefix "./" is removed."""
    path = table(
        tmp_path,
        "file,frame,exam,patient,copy\n"
        "./=a.png,1,e1,p1,false\nb.png,1,e2,,false\nc.png,1,,,false\n",
    )
    assert read_groups(path) == {
        "=a.png": "patient p1",
        "b.png": "exam e2",
        "c.png": "film c.png",
    }


def test_an_evaluation_uses_them(tmp_path: Path) -> None:
    """The table replaces the patients of the index, and must name every film.

    Films may be named as in a scan of the whole truth folder.
    """
    results, truth = make(tmp_path, FILMS)
    named = [("", "a", "p1"), ("images/", "b", "p1"), ("", "c", "p2"), ("", "d", "p2")]
    lines = [f"{place}{name}.png,1,,{patient},false\n" for place, name, patient in named]
    path = table(tmp_path, "file,frame,exam,patient,copy\n" + "".join(lines))
    before = evaluate(results, truth, resamples=5)
    after = evaluate(results, truth, groups=path, resamples=5)
    assert before.sets[0].program.figures.groups == 4
    assert after.sets[0].program.figures.groups == 2
    table(tmp_path, "file,frame,exam,patient,copy\na.png,1,,p1,false\n")
    with pytest.raises(TruthError, match=r"does not name the film b\.png; make it of these"):
        evaluate(results, truth, groups=path, resamples=5)


@pytest.mark.parametrize(
    "text", ["file,frame\n", "file,patient,exam\n", "file,frame,patient\n", ""]
)
def test_another_table_is_refused(tmp_path: Path, text: str) -> None:
    """A table without the required columns is refused."""
    with pytest.raises(TruthError, match=r"films\.csv does not group films by patient and exam"):
        read_groups(table(tmp_path, text))
    with pytest.raises(TruthError, match="does not group films"):
        read_groups(tmp_path / "none.csv")
