"""A job writes the result files of one film; failures become records, not exceptions."""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from lesionscan.batch.exports import Export
from lesionscan.batch.job import lost, process
from lesionscan.batch.outcome import Job, Outcome
from lesionscan.batch.pool import Loss
from lesionscan.batch.resume import kept_outcomes
from lesionscan.codes import ErrorCode
from lesionscan.detection import pipeline
from lesionscan.detection.scorer.errors import ScorerError
from lesionscan.reading import Frames, open_radiographs
from lesionscan.reporting import conversion
from lesionscan.results import folder as results_module
from lesionscan.results.atomic import OutputError, write_bytes
from lesionscan.results.paths import ResultPaths
from lesionscan.settings import Settings
from tests.batch.films import tree, write_film
from tests.batch.stub import NO_MEMORY, RAISE, find_stub
from tests.detection.scorer.made import overflowing_network, scorer_bytes
from tests.reading.dicom_maker import dataset, save
from tests.results.test_record import validate

FIND_CANDIDATES = pipeline.find_candidates


@pytest.fixture(autouse=True)
def _stub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "find_candidates", find_stub)


def make_job(tmp_path: Path, order: int = 0) -> Job:
    """Return a job for the film "a/x y.png"."""
    path = write_film(tmp_path / "in" / "a" / "x y.png", order)
    return Job(path, "a/x y.png", tmp_path / "out", Settings(), None, resume=True)


def make_scorer(tmp_path: Path) -> Path:
    """Write a scorer that differs from the default one."""
    path = tmp_path / "other.scorer"
    path.write_bytes(scorer_bytes())
    return path


def done(job: Job) -> Outcome:
    """Process a job of one picture."""
    (outcome,) = process(job)
    return outcome


def result_of(job: Job) -> dict[str, Any]:
    """Read a job's JSON and check it against the schema."""
    result: dict[str, Any] = json.loads(ResultPaths.of(job.out, job.name).record.read_bytes())
    validate(result)
    return result


def test_a_film_gives_its_four_files(tmp_path: Path) -> None:
    """JSON, overlay, labels and bone mask are named after the input, without absolute paths."""
    job = make_job(tmp_path)
    outcome = done(job)
    assert (outcome.status, outcome.candidates, outcome.shown) == ("ok", 2, 1)
    assert outcome.best_score == 0.784
    assert sorted(path.name for path in (tmp_path / "out" / "a").iterdir()) == [
        "x y.png.bone.png",
        "x y.png.json",
        "x y.png.labels.png",
        "x y.png.overlay.png",
    ]
    assert result_of(job)["input"]["file"] == "a/x y.png"
    assert str(tmp_path) not in ResultPaths.of(job.out, job.name).record.read_text("utf-8")


def test_a_finished_film_is_not_done_again(tmp_path: Path) -> None:
    """With unchanged input, settings, scorer and pipeline, the results are kept untouched."""
    job = make_job(tmp_path)
    first, paths = done(job), ResultPaths.of(job.out, job.name)
    before = paths.record.stat().st_mtime_ns
    second = done(job)
    assert (first.resumed, second.resumed) == (False, True)
    assert (second.candidates, second.shown) == (first.candidates, first.shown)
    assert paths.record.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "change", ["input", "settings", "scorer", "pipeline", "overlay", "labels", "bone", "json"]
)
def test_a_film_is_done_again_when_anything_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """A changed input, setting, scorer or pipeline, or a bad or missing result, reruns a film."""
    job = make_job(tmp_path)
    done(job)
    paths = ResultPaths.of(job.out, job.name)
    if change == "input":
        write_film(job.path, score=150)
    if change == "settings":
        job = replace(job, settings=Settings(scales=7))
    if change == "scorer":
        job = replace(job, scorer=make_scorer(tmp_path))
    if change == "pipeline":
        monkeypatch.setattr(conversion, "PIPELINE", pipeline.PIPELINE + 1)
    if change == "overlay":
        paths.overlay.write_bytes(b"")
    if change == "labels":
        paths.labels.unlink()
    if change == "bone":
        paths.bone.unlink()
    if change == "json":
        paths.record.write_bytes(paths.record.read_bytes()[:100])
    assert not done(job).resumed
    assert paths.overlay.stat().st_size > 0


OUTPUTS = (
    Settings(),
    Settings(overlay=False),
    Settings(overlay_max_px=300),
    Settings(shown_score=0.2),
    Settings(shown_score=0.9, overlay_max_px=500),
)


@pytest.mark.parametrize("before", OUTPUTS)
@pytest.mark.parametrize("after", OUTPUTS)
def test_output_settings_never_search_a_film_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: Settings, after: Settings
) -> None:
    """New output settings give the bytes of a fresh scan without another search."""
    job = replace(make_job(tmp_path), settings=before, exports=frozenset({Export.NRRD}))
    done(job)
    fresh = replace(job, out=tmp_path / "fresh", settings=after)
    done(fresh)
    searched: list[object] = []
    monkeypatch.setattr(pipeline, "find_candidates", searched.append)
    outcome = done(replace(job, settings=after))
    assert not searched
    assert outcome.resumed
    assert (outcome.candidates, outcome.not_exported) == (2, None)
    assert tree(job.out) == tree(fresh.out)
    assert done(replace(job, settings=after)).resumed


def test_exports_are_made_anew_with_the_pictures(tmp_path: Path) -> None:
    """Exports of an earlier run are rewritten with the JSON, whose seal they contain."""
    job = replace(make_job(tmp_path), exports=frozenset({Export.NRRD}))
    done(job)
    again = replace(job, settings=Settings(overlay=False), exports=frozenset())
    assert done(again).resumed
    fresh = replace(job, out=tmp_path / "fresh", settings=again.settings)
    done(fresh)
    assert tree(job.out) == tree(fresh.out)


@pytest.mark.parametrize("gone", ["view", "labels"])
def test_what_is_gone_meanwhile_is_searched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    """A film is searched again if a result disappears between its check and its use."""
    job = make_job(tmp_path)
    done(job)
    path = getattr(ResultPaths.of(job.out, job.name), gone)

    def reading(film: Path, *, settings: Settings) -> AbstractContextManager[Frames]:
        path.unlink()
        return open_radiographs(film, settings=settings)

    monkeypatch.setattr("lesionscan.batch.job.open_radiographs", reading)
    outcome = done(replace(job, settings=Settings(overlay=False)))
    assert (outcome.status, outcome.resumed) == ("ok", False)
    assert path.is_file()


@pytest.mark.parametrize("order", [0, RAISE])
def test_a_result_names_its_scorer(tmp_path: Path, order: int) -> None:
    """The JSON of a film, also of a failed one, contains the SHA-256 of the scorer's file."""
    path = make_scorer(tmp_path)
    job = replace(make_job(tmp_path, order), scorer=path)
    done(job)
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert result_of(job)["tool"]["scorer_sha256"] == expected


def test_a_scorer_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    """A scorer that cannot be read raises, since it affects every film."""
    job = replace(make_job(tmp_path), scorer=tmp_path / "gone.scorer")
    with pytest.raises(ScorerError, match=r"gone\.scorer cannot be read"):
        done(job)


def test_a_network_that_fails_on_a_film_is_named_as_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A film on which the network overflows fails with `scorer_failed`."""
    monkeypatch.setattr(pipeline, "find_candidates", FIND_CANDIDATES)
    path = tmp_path / "bad.scorer"
    path.write_bytes(scorer_bytes(onnx=overflowing_network()))
    job = replace(make_job(tmp_path), scorer=path)
    bright = np.repeat(np.linspace(0, 255, 200).astype(np.uint8)[None], 200, axis=0)
    Image.fromarray(bright).save(job.path)
    outcome = done(job)
    assert outcome.error is not None
    assert outcome.error.code == "scorer_failed"
    assert outcome.error.message.startswith(
        "the scorer's network returns values that are not finite"
    )


def test_no_resume_does_all_again(tmp_path: Path) -> None:
    """Without `resume`, finished films are processed again."""
    job = make_job(tmp_path)
    done(job)
    assert not done(replace(job, resume=False)).resumed


@pytest.mark.parametrize(
    ("order", "code"), [(RAISE, "internal_error"), (NO_MEMORY, "out_of_memory")]
)
def test_an_exception_becomes_a_failed_film(tmp_path: Path, order: int, code: str) -> None:
    """The record contains the exception's class, but not its text, which may quote the file."""
    job = make_job(tmp_path, order)
    outcome = done(job)
    assert outcome.error is not None
    assert outcome.error.code == code
    result = result_of(job)
    assert result["error"]["code"] == code
    assert "Smith" not in json.dumps(result)
    assert ("ValueError" in result["error"]["message"]) == (order == RAISE)


def test_a_damaged_file_fails_and_loses_its_old_pictures(tmp_path: Path) -> None:
    """A film that now fails loses its pictures of an earlier run."""
    job = make_job(tmp_path)
    done(job)
    job.path.write_bytes(job.path.read_bytes()[:200])
    outcome = done(job)
    assert outcome.status == "failed"
    paths = ResultPaths.of(job.out, job.name)
    assert not paths.overlay.exists()
    assert not paths.labels.exists()
    assert not paths.bone.exists()
    assert result_of(job)["status"] == "failed"


def test_a_failed_film_is_tried_again(tmp_path: Path) -> None:
    """A failed film is processed again when a run resumes."""
    job = make_job(tmp_path, RAISE)
    assert done(job).status == "failed"
    assert not done(job).resumed


def test_a_film_that_disappears_fails(tmp_path: Path) -> None:
    """A film that no longer exists gets a failed record without a hash."""
    job = make_job(tmp_path)
    job.path.unlink()
    assert done(job).status == "failed"
    assert result_of(job)["input"]["sha256"] is None


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """A path that is not an ordinary file fails instead of hanging."""
    job = make_job(tmp_path)
    job.path.unlink()
    os.mkfifo(job.path)
    assert done(job).status == "failed"


def test_a_name_too_long_costs_only_its_film(tmp_path: Path) -> None:
    """A film whose name leaves no space for a suffix fails, without an exception."""
    path = write_film(tmp_path / "in" / ("x" * 247 + ".png"))
    outcome = done(Job(path, path.name, tmp_path / "out", Settings(), None, resume=True))
    assert outcome.error is not None
    assert outcome.error.code == "name_too_long"


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (
            Loss(ErrorCode.CRASHED, "signal 9"),
            "its worker process died, more than once (signal 9); memory",
        ),
        (
            Loss(ErrorCode.TIMED_OUT, "600 s"),
            "no result came within 600 s; allow more time (--timeout)",
        ),
        (
            Loss(ErrorCode.OUT_OF_MEMORY, "900 MB"),
            "more than 900 MB of memory was needed; allow more",
        ),
    ],
)
def test_a_film_whose_worker_was_lost_leaves_a_record(
    tmp_path: Path, loss: Loss, message: str
) -> None:
    """A film whose worker was lost gets a failed record, and its older pictures are removed."""
    job = make_job(tmp_path)
    done(job)
    job.path.unlink()
    os.mkfifo(job.path)  # reading it would block forever
    outcome = lost(job, loss)
    assert outcome.status == "failed"
    error = result_of(job)["error"]
    assert error["code"] == loss.code
    assert error["message"].startswith(message)
    assert not ResultPaths.of(job.out, job.name).overlay.exists()


def edited_json(paths: ResultPaths) -> None:
    """Edit a score in the JSON."""
    text = paths.record.read_text("utf-8")
    paths.record.write_text(text.replace('"score": 0.784', '"score": 0.99'), "utf-8")


def unsealed_json(paths: ResultPaths) -> None:
    """Remove the seal."""
    text = paths.record.read_text("utf-8")
    paths.record.write_text(text.replace("seal_sha256", "seal"), "utf-8")


def other_labels(paths: ResultPaths) -> None:
    """Replace the labels by another valid picture."""
    paths.labels.write_bytes(paths.bone.read_bytes())


def no_pictures(paths: ResultPaths) -> None:
    """Replace the hashes of the pictures by a number."""
    result = json.loads(paths.record.read_bytes())
    paths.record.write_text(json.dumps({**result, "pictures": 5}), "utf-8")


@pytest.mark.parametrize("change", [edited_json, unsealed_json, other_labels, no_pictures])
def test_a_result_that_was_changed_is_noticed(
    tmp_path: Path, change: Callable[[ResultPaths], None]
) -> None:
    """A result changed by others is restored by another search, and the outcome reports it."""
    job = make_job(tmp_path)
    assert not done(job).altered
    before = tree(job.out)
    change(ResultPaths.of(job.out, job.name))
    outcome = done(job)
    assert (outcome.resumed, outcome.altered) == (False, True)
    assert tree(job.out) == before
    assert done(job).resumed


@pytest.mark.parametrize("part", ["view", "film", "thumbnail"])
def test_what_the_page_needs_is_made_again_where_it_is_gone(tmp_path: Path, part: str) -> None:
    """A film whose script or pictures for the report are missing is processed again."""
    job = make_job(tmp_path)
    done(job)
    before = tree(job.out)
    gone: Path = getattr(ResultPaths.of(job.out, job.name), part)
    gone.unlink()
    assert not done(job).resumed
    assert tree(job.out) == before


def test_whether_all_is_there_can_be_asked(tmp_path: Path) -> None:
    """`kept_outcomes` returns the outcomes of a finished film without processing it, else none."""
    job = make_job(tmp_path)
    assert kept_outcomes(job) == ()
    first = done(job)
    (kept,) = kept_outcomes(job)
    assert kept == replace(first, seconds=0.0, resumed=True)
    job.path.unlink()
    assert kept_outcomes(job) == ()


def test_no_overlay_is_made_where_none_is_wanted(tmp_path: Path) -> None:
    """With overlay=False no overlay is written, and the other results are complete and kept."""
    job = replace(make_job(tmp_path), settings=Settings(overlay=False))
    done(job)
    paths = ResultPaths.of(job.out, job.name)
    assert not any(path.exists() for path in (paths.overlay, paths.film, paths.thumbnail))
    assert result_of(job)["pictures"]["overlay_sha256"] is None
    codes = [warning["code"] for warning in result_of(job)["warnings"]]
    assert "overlay_withheld" not in codes
    assert done(job).resumed


def test_results_that_cannot_be_written_are_an_error(tmp_path: Path) -> None:
    """An output folder that cannot be written raises, since it affects every film."""
    job = make_job(tmp_path)
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="cannot write"):
        done(job)


def test_the_json_is_written_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old JSON is removed before, and the new one written after, the files it describes."""
    job = make_job(tmp_path)
    done(job)
    write_film(job.path, score=99)
    order: list[str] = []

    def watched(path: Path, data: bytes, *, within: Path) -> None:
        order.append(path.name.removeprefix("x y.png"))
        if path.suffix != ".json":
            assert not ResultPaths.of(job.out, job.name).record.exists()
        write_bytes(path, data, within=within)

    monkeypatch.setattr(results_module, "write_bytes", watched)
    done(job)
    page = [".page.js", ".page.jpg", ".page-s.jpg"]
    assert order == [".labels.png", ".bone.png", ".overlay.png", *page, ".json"]


def write_pages(path: Path, orders: Sequence[int]) -> Path:
    """Write a TIFF whose pages are films for the stub."""
    pages = []
    for order in orders:
        film = write_film(path.with_name(f"{order}.png"), order)
        pages.append(np.asarray(Image.open(film)))
        film.unlink()
    tifffile.imwrite(path, np.stack(pages), photometric="minisblack")
    return path


def test_every_page_has_results_of_its_own(tmp_path: Path) -> None:
    """Each page has its own results, named by page number; a page that fails affects no other."""
    path = write_pages(tmp_path / "pages.tif", [10, RAISE, 30])
    job = Job(path, "pages.tif", tmp_path / "out", Settings(), None, resume=True)
    outcomes = list(process(job))
    assert [(one.name, one.status) for one in outcomes] == [
        ("pages.tif.frame001", "ok"),
        ("pages.tif.frame002", "failed"),
        ("pages.tif.frame003", "ok"),
    ]
    for number, outcome in enumerate(outcomes, start=1):
        paths = ResultPaths.of(job.out, outcome.name)
        result = json.loads(paths.record.read_bytes())
        validate(result)
        source = result["input"]
        assert (source["file"], source["frame"], source["frames"]) == ("pages.tif", number, 3)
        assert all(picture.exists() == (number != 2) for picture in paths.pictures.values())
    assert not ResultPaths.of(job.out, job.name).record.exists()


def test_each_page_is_kept_or_done_again(tmp_path: Path) -> None:
    """A second run keeps complete pages, and processes those that failed or lost a picture."""
    path = write_pages(tmp_path / "pages.tif", [10, 20])
    job = Job(path, "pages.tif", tmp_path / "out", Settings(), None, resume=True)
    assert [one.resumed for one in process(job)] == [False, False]
    assert [one.resumed for one in process(job)] == [True, True]
    ResultPaths.of(job.out, "pages.tif.frame002").labels.unlink()
    assert [one.resumed for one in process(job)] == [True, False]
    job = replace(job, path=write_pages(tmp_path / "other.tif", [RAISE, 20]), name="other.tif")
    assert [one.resumed for one in process(job)] == [False, False]
    assert [one.resumed for one in process(job)] == [False, True]


def results_of(job: Job) -> set[str]:
    """Return the names of all results in a job's folder."""
    return {path.name.removesuffix(".json") for path in job.out.rglob("*.json")}


def test_no_result_of_another_count_of_pages_stays(tmp_path: Path) -> None:
    """When the number of pages changes, or the file becomes unreadable, old results are removed."""
    path = write_pages(tmp_path / "p.tif", [10, 20, 30])
    job = Job(path, "p.tif", tmp_path / "out", Settings(), None, resume=True)
    pages = {f"p.tif.frame00{number}" for number in (1, 2, 3)}
    list(process(job))
    assert results_of(job) == pages
    whole = path.read_bytes()
    list(process(replace(job, path=write_pages(tmp_path / "one.tif", [10]))))
    assert results_of(job) == {"p.tif"}
    assert not list(job.out.glob("p.tif.frame*"))
    list(process(job))
    assert results_of(job) == pages
    assert not (job.out / "p.tif.overlay.png").exists()
    path.write_bytes(whole[:300])
    list(process(job))
    assert results_of(job) == {"p.tif"}
    assert not list(job.out.glob("p.tif.frame*"))


def test_pages_that_no_limit_refuses_any_more_lose_their_failure(tmp_path: Path) -> None:
    """The failed record of a whole file is removed once its pages are read under a higher limit."""
    path = write_pages(tmp_path / "p.tif", [10, 20, 30])
    job = Job(path, "p.tif", tmp_path / "out", Settings(max_frames=2), None, resume=True)
    (outcome,) = process(job)
    assert outcome.error is not None
    assert outcome.error.code == "multi_frame"
    list(process(replace(job, settings=Settings())))
    assert results_of(job) == {f"p.tif.frame00{number}" for number in (1, 2, 3)}


@pytest.mark.parametrize(
    "text",
    [
        '{"tool": {}, "status": "ok", "input": {}}',
        '{"tool": [], "status": "ok", "input": {"file": "a/x y.png", "frame": 1, "frames": 1}}',
        "[1]",
        "{",
    ],
)
def test_an_odd_json_is_no_earlier_result(tmp_path: Path, text: str) -> None:
    """A damaged or forged JSON is not kept, and the film's results are restored."""
    job = make_job(tmp_path)
    done(job)
    before = tree(job.out)
    ResultPaths.of(job.out, job.name).record.write_text(text)
    assert not done(job).resumed
    assert tree(job.out) == before


def burned_in_job(tmp_path: Path, settings: Settings, said: object = "YES") -> Job:
    """Return a job for a film whose header declares burned-in text."""
    path = tmp_path / "named.dcm"
    save(dataset(np.full((64, 64), 90), bits_stored=8, BurnedInAnnotation=said), path)
    return Job(path, path.name, tmp_path / "out", settings, None, resume=True)


@pytest.mark.parametrize("said", ["YES", "Y", ["NO", "YES"]])
def test_no_picture_is_made_of_burned_in_text(tmp_path: Path, said: object) -> None:
    """A film with burned-in text gets a warning and no overlay, and an older one is removed.

    Only a plain NO in the header rules burned-in text out.
    """
    job = burned_in_job(tmp_path, Settings(), said)
    paths = ResultPaths.of(job.out, job.name)
    done(replace(job, settings=Settings(allow_burned_in=True)))
    assert paths.overlay.exists()
    assert done(job).status == "ok"
    assert not paths.overlay.exists()
    assert paths.labels.exists()
    assert "overlay_withheld" in [warning["code"] for warning in result_of(job)["warnings"]]
    assert done(job).resumed


def test_burned_in_text_is_shown_on_request(tmp_path: Path) -> None:
    """With `allow_burned_in` the overlay is written, and the film's text reported as a warning."""
    job = burned_in_job(tmp_path, Settings(allow_burned_in=True))
    done(job)
    assert ResultPaths.of(job.out, job.name).overlay.exists()
    codes = [warning["code"] for warning in result_of(job)["warnings"]]
    assert "overlay_withheld" not in codes
    assert "burned_in_annotation" in codes
