"""`lesionscan exams` groups films under pseudonyms, without leaking identities or the key."""

import base64
import csv
import json
import re
import warnings
from pathlib import Path

import numpy as np
import pytest

from tests.cli.command import files, lesionscan, with_stub
from tests.reading.dicom_maker import SENTINEL, dataset, plant_text, save

STORED = np.random.default_rng(5).integers(0, 4096, (96, 80))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return films and results: two exams of patient A and one of B, with text in every tag."""
    folder = tmp_path_factory.mktemp("run")
    films, results = folder / "films", folder / "results"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings of pydicom while the files are made
        for number, (name, patient, study) in enumerate(
            [("a1", "A", 1), ("a2", "A", 1), ("a3", "A", 2), ("b1", "B", 3)]
        ):
            ds = dataset((STORED + number) % 4096, bits_stored=12)
            plant_text(ds)
            ds.PatientID = f"{SENTINEL}-{patient}"
            ds.StudyInstanceUID = f"{SENTINEL}.{study}"
            ds.SOPInstanceUID = f"{SENTINEL}.{name}"
            ds.StudyDate, ds.StudyTime = f"202{number}0101", "0930"
            ds.BodyPartExamined, ds.ViewPosition = "KNEE", "AP" if name != "a2" else "LL"
            films.mkdir(exist_ok=True)
            save(ds, films / f"{name}.dcm")
    done = with_stub("scan", films, "--out", results)
    assert (done.returncode, done.stderr) == (0, "")
    return films, results


def rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV table."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_no_identity_and_no_key_gets_out(run: tuple[Path, Path], tmp_path: Path) -> None:
    """No identity and no key appears in results, tables, settings files or on the terminal.

    Every tag contains text. The key must not appear as bytes, in hexadecimal (whole or in quarters)
    or in base64.
    """
    films, results = run
    key, out, toml = tmp_path / "key", tmp_path / "out", tmp_path / "my.toml"
    outputs: dict[str, bytes] = {}
    for command in (
        ["exams", results, "--films", films, "--id-key", key, "--out", out],
        ["exams", results, "--films", films, "--id-key", key, "--out", out],
        ["exams", results, "--films", films, "--id-key", key],
        ["calibrate", results, "--out", toml, "--groups", out / "films.csv"],
        ["exams", results, "--films", films / "none", "--id-key", key],
    ):
        done = lesionscan(*command)
        assert done.returncode == (2 if "none" in str(command) else 0)
        outputs[str(len(outputs))] = (done.stdout + done.stderr).encode()
    for folder in (results, out):
        outputs |= {
            str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
        }
    outputs["my.toml"] = toml.read_bytes()
    assert len(outputs) > 20
    text = key.read_bytes().strip()
    secret = bytes.fromhex(text.decode())
    secrets = [SENTINEL.lower().encode(), secret, secret[::-1], base64.b64encode(secret).lower()]
    secrets += [text[start : start + 16] for start in range(0, 64, 16)]
    for name, data in outputs.items():
        assert not any(one in data.lower() for one in secrets), name
    assert [path.name for path in tmp_path.iterdir() if "key" in path.name] == ["key"]


def test_exams_and_patients(run: tuple[Path, Path], tmp_path: Path) -> None:
    """Three exams of two patients are found, with the same pseudonyms for the same key."""
    films, results = run
    given = ["exams", results, "--films", films, "--id-key", tmp_path / "key"]
    done = lesionscan(*given, "--out", tmp_path / "out")
    assert done.stdout.splitlines() == [
        "4 films (0 copies of others): 3 exams, 2 patients, 1 pairs of films over time",
        f"tables: {tmp_path / 'out' / 'patients.csv'}, exams.csv, films.csv, bones.csv, pairs.csv",
        "candidates are counted per film: a lesion seen on two views counts twice",
        "Research use only; not a diagnosis.",
    ]
    assert done.stderr == (f"new key: {tmp_path / 'key'}; pseudonyms cannot be made without it\n")
    exams = rows(tmp_path / "out" / "exams.csv")
    assert sorted(row["films"] for row in exams) == ["1", "1", "2"]
    assert all(re.fullmatch("p[0-9a-f]{16}", row["patient"]) for row in exams)
    assert rows(tmp_path / "out" / "pairs.csv") == [{"before": "a1.dcm", "after": "a3.dcm"}]
    again = lesionscan(*given, "--out", tmp_path / "again")
    assert again.stderr == ""
    assert files(tmp_path / "again") == files(tmp_path / "out")


def test_a_pattern_and_a_table_give_the_same_groups(run: tuple[Path, Path], tmp_path: Path) -> None:
    """A table or a path pattern groups films; films it leaves out are counted in a warning."""
    results = run[1]
    (tmp_path / "list.csv").write_text("file,who\na1.dcm,a\na2.dcm,a\na3.dcm,a\n", encoding="utf-8")
    key = ["--id-key", tmp_path / "key"]
    table = ["--table", tmp_path / "list.csv", "--patient-column", "who"]
    done = lesionscan("exams", results, *key, *table, "--out", tmp_path / "one")
    assert done.returncode == 0
    assert done.stderr.splitlines()[1:] == [
        "warning: 1 films without a known patient",
        "warning: 4 films without a known exam",
    ]
    (patient,) = rows(tmp_path / "one" / "patients.csv")
    assert (patient["films"], patient["exams"]) == ("3", "0")
    lesionscan(
        "exams", results, *key, "--path-pattern", "{patient}*.dcm", "--out", tmp_path / "two"
    )
    assert len(rows(tmp_path / "two" / "patients.csv")) == 4  # a1, a2, a3, b1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give one source of patient and exam: --films, --table, --path-pattern"),
        (["--films", "f", "--path-pattern", "{exam}"], "give one source of patient and exam"),
        (["--films", "f", "--exam-column", "x"], "--exam-column need --table"),
        (["--table", "t"], "--table needs --patient-column, --exam-column or both"),
        (["--path-pattern", "x"], "x names neither {patient} nor {exam}; write a path such as"),
        (["--table", "t", "--exam-column", "x"], "t cannot be read (No such file or directory)"),
        (["--films", "f"], "cannot be read (No such file or directory); name the scanned folder"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(
    run: tuple[Path, Path], tmp_path: Path, arguments: list[str], words: str
) -> None:
    """A wrong command gives one line on stderr and exit status 2, and writes no table."""
    key = tmp_path / "key"
    key.write_bytes(b"0" * 64)
    key.chmod(0o600)
    out = tmp_path / "out"
    done = lesionscan("exams", run[1], "--id-key", key, "--out", out, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert words in done.stderr
    assert not list(out.glob("*.csv"))


def test_the_key_stays_out_of_the_results(run: tuple[Path, Path]) -> None:
    """A key inside the results folder is refused."""
    done = lesionscan("exams", run[1], "--films", run[0], "--id-key", run[1] / "key")
    assert done.returncode == 2
    assert "would be shared with the results; keep the key outside of" in done.stderr
    assert not (run[1] / "key").exists()


def test_calibration_resamples_patients(run: tuple[Path, Path], tmp_path: Path) -> None:
    """Calibration resamples patients (two here), and refuses a table that lacks a film."""
    films, results = run
    out = tmp_path / "out"
    lesionscan("exams", results, "--films", films, "--id-key", tmp_path / "k", "--out", out)
    given = ["calibrate", results, "--out", tmp_path / "my.toml", "--groups", out / "films.csv"]
    done = lesionscan(*given)
    assert done.stdout.splitlines()[0].endswith("; 2 patients or films resampled")
    text = (out / "films.csv").read_text("utf-8").splitlines(keepends=True)
    (tmp_path / "fewer.csv").write_text("".join(text[:-1]), encoding="utf-8")
    done = lesionscan(*given[:-1], tmp_path / "fewer.csv")
    assert done.returncode == 2
    assert "does not name the film b1.dcm; make it of these results" in done.stderr
    assert json.loads((results / "run.json").read_bytes())["counts"]["ok"] == 4
