"""A result file that does not match the record counts as no result, and never stops the run."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lesionscan.batch.job import process
from lesionscan.batch.outcome import Job, Outcome
from lesionscan.batch.run import Options, make_plan, run_scan
from lesionscan.detection import pipeline
from lesionscan.results.folder import read_result
from lesionscan.results.paths import ResultPaths
from lesionscan.results.record import parse_record
from lesionscan.results.sealed import sealed_json
from lesionscan.settings import Settings
from tests.batch.films import tree, write_film
from tests.batch.stub import find_stub, here


@pytest.fixture(autouse=True)
def _stub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "find_candidates", find_stub)


def put(result: dict[str, Any], *path: str | int, value: object) -> dict[str, Any]:
    """Return a copy of a result with another value at a path."""
    copy: dict[str, Any] = json.loads(json.dumps(result))
    part: Any = copy
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    return copy


def without(result: dict[str, Any], *path: str | int) -> dict[str, Any]:
    """Return a copy of a result without the value at a path."""
    copy = put(result, *path, value=None)
    part: Any = copy
    for key in path[:-1]:
        part = part[key]
    del part[path[-1]]
    return copy


FORGED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no tool": lambda one: without(one, "tool"),
    "no settings": lambda one: without(one, "tool", "settings_sha256"),
    "no sha256": lambda one: without(one, "input", "sha256"),
    "no error": lambda one: without(one, "error"),
    "no image": lambda one: without(one, "image"),
    "image is null": lambda one: put(one, "image", value=None),
    "bone is null": lambda one: put(one, "bone", value=None),
    "pictures is null": lambda one: put(one, "pictures", value=None),
    "no overlay": lambda one: without(one, "pictures", "overlay_sha256"),
    "no acquisition": lambda one: without(one, "acquisition"),
    "number for a text": lambda one: put(one, "acquisition", "modality", value=5),
    "list for a text": lambda one: put(one, "acquisition", "modality", value=["DX"]),
    "candidates is null": lambda one: put(one, "candidates", value=None),
    "candidate is null": lambda one: put(one, "candidates", 0, value=None),
    "candidate has no id": lambda one: without(one, "candidates", 0, "id"),
    "id is a text": lambda one: put(one, "candidates", 0, "id", value="1"),
    "id is huge": lambda one: put(one, "candidates", 0, "id", value=10**30),
    "id is 0": lambda one: put(one, "candidates", 0, "id", value=0),
    "ids are equal": lambda one: put(one, "candidates", 0, "id", value=2),
    "score is a text": lambda one: put(one, "candidates", 0, "score", value="0.5"),
    "score is above 1": lambda one: put(one, "candidates", 0, "score", value=7),
    "flags is a number": lambda one: put(one, "candidates", 0, "flags", value=7),
    "no reasons": lambda one: without(one, "candidates", 0, "reasons"),
    "centroid of three": lambda one: put(one, "candidates", 0, "centroid_px", value=[1, 2, 3]),
    "rows are huge": lambda one: put(one, "image", "rows", value=10**12),
    "another version": lambda one: put(one, "schema_version", value="1.2"),
    "an unknown key": lambda one: put(one, "more", value=1),
    "frames is huge": lambda one: put(one, "input", "frames", value=10**9),
    "frame is 2 of 1": lambda one: put(one, "input", "frame", value=2),
    "another film": lambda one: put(one, "input", "file", value="b.png"),
    "a film elsewhere": lambda one: put(one, "input", "file", value="../a.png"),
    "failed without error": lambda one: put(one, "status", value="failed"),
    "ok with error": lambda one: put(one, "error", value={"code": "x", "message": "y"}),
    "warning without code": lambda one: put(one, "warnings", value=[{"message": "x"}]),
    "a list": lambda one: [one],
    "null": lambda _one: None,
    "a text": lambda _one: "seal",
}


def scan(folder: Path, out: Path) -> tuple[dict[str, Outcome], dict[str, int]]:
    """Scan with the stub; return the outcomes by name, and the counts of run.json."""
    outcomes: dict[str, Outcome] = {}
    run_scan(
        make_plan([folder], out, Options(Settings())),
        here,
        workers=1,
        on_done=lambda done: outcomes.update({one.name: one for one in done}),
        stopped=lambda: False,
    )
    return outcomes, json.loads((out / "run.json").read_bytes())["counts"]


@pytest.mark.slow
@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize("form", FORGED)
def test_a_forged_result_is_made_again(tmp_path: Path, form: str, *, sealed: bool) -> None:
    """An invalid result is replaced, other films are unaffected, and the folder is as before."""
    for name in ("a.png", "b.png"):
        write_film(tmp_path / "in" / name)
    out = tmp_path / "out"
    scan(tmp_path / "in", out)
    before = tree(out)
    record = out / "a.png.json"
    forged = FORGED[form](json.loads(record.read_bytes()))
    if sealed and isinstance(forged, dict):
        record.write_bytes(sealed_json({**forged, "seal_sha256": ""}))
    else:
        record.write_text(json.dumps(forged, indent=2), "utf-8")
    outcomes, counts = scan(tmp_path / "in", out)
    assert (outcomes["a.png"].resumed, outcomes["b.png"].resumed) == (False, True)
    assert (counts["ok"], counts["failed"]) == (2, 0)
    assert tree(out) == before


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe{}",
        b"{" * 100_000,
        b'{"a":' * 100_000,
        b'{"seal_sha256": "\\ud800"}',
        b'{"rows": ' + b"9" * 5000 + b"}",
        b'{"rows": NaN}',
    ],
)
def test_what_is_no_json_is_no_result(data: bytes) -> None:
    """Bytes that are not valid JSON give no result."""
    assert parse_record(data) is None


def test_random_damage_never_ends_a_run(tmp_path: Path) -> None:
    """After random changes to the JSON, a rerun succeeds and restores the same folder."""
    job = Job(
        write_film(tmp_path / "a.png"), "a.png", tmp_path / "out", Settings(), None, resume=True
    )
    list(process(job))
    before = tree(job.out)
    record = ResultPaths.of(job.out, "a.png").record
    whole, chance = record.read_bytes(), random.Random(5)  # noqa: S311
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(chance.choice([1, 1, 3, 40])):
            at = chance.randrange(len(data))
            data[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
        record.write_bytes(data)
        (outcome,) = process(job)
        assert outcome.status == "ok"
        assert tree(job.out) == before


def test_a_lone_surrogate_is_no_text(tmp_path: Path) -> None:
    """A result with a lone surrogate is invalid, since tables could not be written with it."""
    job = Job(
        write_film(tmp_path / "a.png"), "a.png", tmp_path / "out", Settings(), None, resume=True
    )
    list(process(job))
    record = ResultPaths.of(job.out, "a.png").record
    text = record.read_text("utf-8").replace('"disclaimer": "', '"disclaimer": "\\ud800')
    assert "\\ud800" in text
    record.write_text(text, "utf-8")
    assert read_result(job.out, "a.png") is None


@pytest.mark.parametrize("part", ["view", "film", "thumbnail"])
@pytest.mark.parametrize("damage", ["cut", "other", "empty", "link"])
def test_damaged_page_files_are_made_again(tmp_path: Path, part: str, damage: str) -> None:
    """Page files that do not match their hashes in the JSON are written again."""
    job = Job(
        write_film(tmp_path / "a.png"), "a.png", tmp_path / "out", Settings(), None, resume=True
    )
    list(process(job))
    before = tree(job.out)
    path: Path = getattr(ResultPaths.of(job.out, "a.png"), part)
    data = path.read_bytes()
    if damage == "link":
        (tmp_path / "theirs").write_bytes(b"theirs")
        path.unlink()
        path.symlink_to(tmp_path / "theirs")
    else:
        path.write_bytes(
            {"cut": data[:-1], "other": data[:-1] + b"?", "empty": b""}.get(damage, b"")
        )
    (outcome,) = process(job)
    assert not outcome.resumed
    assert tree(job.out) == before
    assert not path.is_symlink()
