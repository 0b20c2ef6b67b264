"""Exports are written with a film's results, added to kept ones, and removed when outdated."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lesionscan.batch.exports import Export
from lesionscan.batch.job import process
from lesionscan.batch.outcome import Job, Outcome
from lesionscan.batch.resume import kept_outcomes
from lesionscan.batch.run import Options, make_plan, run_scan
from lesionscan.batch.shards import Shard, merge_shards
from lesionscan.detection import pipeline
from lesionscan.results import paths
from lesionscan.results.folder import copy_result
from lesionscan.results.paths import ResultPaths
from lesionscan.settings import Settings
from tests.batch.films import tree, write_film
from tests.batch.stub import RAISE, find_stub
from tests.reading.dicom_maker import dataset, save

NRRD = frozenset({Export.NRRD})
DICOM = frozenset({Export.DICOM_SR, Export.DICOM_SEG})


@pytest.fixture(autouse=True)
def _stub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "find_candidates", find_stub)


def png_job(tmp_path: Path, exports: frozenset[Export], order: int = 0) -> Job:
    """Return a job for a PNG."""
    path = write_film(tmp_path / "in" / "a.png", order)
    return Job(path, "a.png", tmp_path / "out", Settings(), None, resume=True, exports=exports)


def dicom_job(tmp_path: Path, exports: frozenset[Export], *, score: int = 230) -> Job:
    """Return a job for a DICOM film whose first candidate gets a score (of 255)."""
    pixels = np.full((120, 80), 100, np.uint8)
    pixels[0, :2] = 0, score
    film = dataset(pixels, bits_stored=8, StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.5")
    (tmp_path / "in").mkdir(exist_ok=True)
    path = save(film, tmp_path / "in" / "a.dcm")
    return Job(path, "a.dcm", tmp_path / "out", Settings(), None, resume=True, exports=exports)


def done(job: Job) -> Outcome:
    """Process a job of one picture."""
    (outcome,) = process(job)
    return outcome


def made(job: Job) -> list[str]:
    """Return the suffixes of the film's exports that exist."""
    where = ResultPaths.of(job.out, job.name)
    return [path.name.removeprefix(job.name) for path in where.exports.values() if path.is_file()]


def test_a_film_gets_the_requested_exports(tmp_path: Path) -> None:
    """Only the requested exports are written; all other results are the same as without them."""
    plain = png_job(tmp_path, frozenset())
    done(plain)
    assert made(plain) == []
    before = tree(plain.out)
    job = replace(png_job(tmp_path, NRRD), out=tmp_path / "other")
    assert done(job).not_exported is None
    assert made(job) == [".seg.nrrd"]
    after = tree(job.out)
    added = ("a.png.seg.nrrd", "report/films/a.png.exports.json")
    assert {name: data for name, data in after.items() if name not in added} == before


def test_kept_results_get_what_they_lack(tmp_path: Path) -> None:
    """A missing export is added to kept results without a new search, with the same bytes."""
    fresh = png_job(tmp_path, NRRD)
    done(fresh)
    expected = tree(fresh.out)
    job = replace(fresh, out=tmp_path / "later", exports=frozenset())
    done(job)
    job = replace(job, exports=NRRD)
    for look in (kept_outcomes, process):  # the client of a cluster calls the first
        (outcome,) = look(job)
        assert outcome.resumed
        assert tree(job.out) == expected
        ResultPaths.of(job.out, job.name).nrrd.unlink()


def test_old_exports_go_with_the_results_they_were_made_of(tmp_path: Path) -> None:
    """Exports are removed if the film is searched again without them, or fails."""
    job = png_job(tmp_path, NRRD)
    done(job)
    write_film(job.path, 1)
    done(replace(job, exports=frozenset()))
    assert made(job) == []
    done(job)
    assert made(job) == [".seg.nrrd"]
    write_film(job.path, RAISE)
    assert done(job).status == "failed"
    assert made(job) == []


def test_a_film_that_is_no_dicom_has_no_dicom_objects(tmp_path: Path) -> None:
    """A PNG film with DICOM exports requested succeeds, new or kept, and reports `not_exported`."""
    pytest.importorskip("highdicom", reason="needs the extra dicom")
    job = png_job(tmp_path, DICOM | NRRD)
    for resumed in (False, True):
        outcome = done(job)
        assert (outcome.status, outcome.resumed) == ("ok", resumed)
        assert outcome.not_exported is not None
        assert outcome.not_exported.code == "not_exported"
        assert "a.png" in outcome.not_exported.message
        assert made(job) == [".seg.nrrd"]


def test_a_dicom_film_gets_its_objects(tmp_path: Path) -> None:
    """A DICOM film gets a report and, if a candidate is shown, a segmentation; both are kept."""
    pytest.importorskip("highdicom", reason="needs the extra dicom")
    job = dicom_job(tmp_path, DICOM)
    assert done(job).not_exported is None
    assert made(job) == [".sr.dcm", ".seg.dcm"]
    assert len(kept_outcomes(job)) == 1
    job = replace(dicom_job(tmp_path, DICOM, score=60), out=tmp_path / "none")
    assert done(job).not_exported is None
    assert made(job) == [".sr.dcm"]
    assert len(kept_outcomes(job)) == 1


@pytest.mark.parametrize("listing", ["PICTURES", "EXPORTS"])
def test_the_order_in_which_files_are_listed_changes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listing: str
) -> None:
    """The files do not depend on the order of the tables of result files."""
    exports = frozenset({Export.NRRD, *DICOM})
    done(dicom_job(tmp_path, exports))
    expected = tree(tmp_path / "out")
    assert len(expected) > 9
    monkeypatch.setattr(paths, listing, getattr(paths, listing)[::-1])
    job = replace(dicom_job(tmp_path, exports), out=tmp_path / "other")
    done(job)
    copy_result(job.out, "a.dcm", tmp_path / "brought")
    assert tree(job.out) == tree(tmp_path / "brought") == expected


def test_the_runs_exports_are_made_at_its_end(tmp_path: Path) -> None:
    """COCO files are written for a whole run, and the same ones for its merged parts."""
    for number in range(4):
        write_film(tmp_path / "in" / f"{number}.png", score=230 - number)
    write_film(tmp_path / "in" / "bad.png", RAISE)
    exports = frozenset({Export.COCO, Export.NRRD})
    whole = scan(tmp_path / "in", tmp_path / "whole", Options(Settings(), exports=exports))
    parts = tmp_path / "parts"
    for number in (1, 2):
        shard = Shard(number, 2)
        scan(tmp_path / "in", parts, Options(Settings(), shard=shard, exports=NRRD))
    merge_shards([parts], parts, exports=exports)
    files = {n: d for n, d in tree(parts).items() if not n.startswith("run.shard")}
    assert files == tree(whole)
    assert {"coco.json", "coco_results.json", "0.png.seg.nrrd"} <= files.keys()
    assert "bad.png.seg.nrrd" not in files


def test_films_without_a_requested_export_are_counted(tmp_path: Path) -> None:
    """The films whose exports failed are counted in run.json, for a run and for merged parts."""
    pytest.importorskip("highdicom", reason="needs the extra dicom")
    png_job(tmp_path, DICOM)
    dicom_job(tmp_path, DICOM)
    whole = scan(tmp_path / "in", tmp_path / "whole", Options(Settings(), exports=DICOM))
    parts = tmp_path / "parts"
    for number in (1, 2):
        scan(tmp_path / "in", parts, Options(Settings(), shard=Shard(number, 2), exports=DICOM))
    merge_shards([parts], parts, exports=DICOM)
    for out in (whole, parts):
        counts = json.loads((out / "run.json").read_bytes())["counts"]
        assert (counts["ok"], counts["not_exported"]) == (2, 1)


def test_exports_are_no_films(tmp_path: Path) -> None:
    """Exports beside the films, DICOM objects included, are not scanned by the next run."""
    pytest.importorskip("highdicom", reason="needs the extra dicom")
    dicom_job(tmp_path, DICOM)
    folder = tmp_path / "in"
    for _ in range(2):
        scan(folder, folder, Options(Settings(), exports=DICOM))
        films = make_plan([folder], folder, Options(Settings())).found.films
        assert [film.name for film in films] == ["a.dcm"]


def scan(films: Path, out: Path, options: Options) -> Path:
    """Scan in this process, and return the results folder."""
    plan = make_plan([films], out, options)
    run_scan(
        plan,
        lambda jobs, _stopped: ((place, tuple(process(job))) for place, job in enumerate(jobs)),
        workers=1,
        on_done=lambda _outcomes: None,
        stopped=lambda: False,
    )
    return out
