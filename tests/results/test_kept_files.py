"""Scanning and merging never change files that lesionscan did not write."""

import csv
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lesionscan.batch.discover import InputError
from lesionscan.batch.exports import Export
from lesionscan.batch.job import process
from lesionscan.batch.outcome import Job, Outcome
from lesionscan.batch.run import Options, RunSummary, make_plan, run_scan
from lesionscan.batch.run_files import names_of_run
from lesionscan.batch.shards import MergeError, Shard, merge_shards, shard_path
from lesionscan.detection import pipeline
from lesionscan.results.paths import ENDINGS, FILMS_FOLDER, ResultPaths
from lesionscan.results.sealed import sealed_json
from lesionscan.settings import Settings
from tests.batch.films import tree, write_film
from tests.batch.stub import find_stub, here

NOT_OWN = "was not written by lesionscan, or was changed since; move it away"
MINE = b"my own work"
EXPORTS = frozenset({Export.NRRD})


@pytest.fixture(autouse=True)
def _stub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "find_candidates", find_stub)


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """Return a folder of two films."""
    for name in ("a.png", "b.png"):
        write_film(tmp_path / "in" / name)
    return tmp_path / "in"


def scan(
    folder: Path,
    out: Path,
    options: Options | None = None,
    on_done: Callable[[tuple[Outcome, ...]], None] = lambda _done: None,
) -> RunSummary:
    """Scan with the stub in this process."""
    plan = make_plan([folder], out, options or Options(Settings()))
    return run_scan(plan, here, workers=1, on_done=on_done, stopped=lambda: False)


def statuses(out: Path) -> dict[str, str]:
    """Return the error code of each film, or "ok", from the table."""
    with (out / "images.csv").open(encoding="utf-8", newline="") as stream:
        return {row["file"]: row["error_code"] or row["status"] for row in csv.DictReader(stream)}


def put(path: Path, data: bytes = MINE) -> Path:
    """Write a file that belongs to the user."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def place(name: str, ending: str) -> str:
    """Return the path in the output folder of a film's result with this ending."""
    folder = f"{FILMS_FOLDER}/" if ".page" in ending or ".exports" in ending else ""
    return f"{folder}{name}{ending}"


@pytest.mark.parametrize("name", names_of_run())
@pytest.mark.parametrize("exports", [frozenset[Export](), frozenset({Export.COCO})])
def test_a_folder_with_files_of_a_runs_names_is_refused(
    films: Path, tmp_path: Path, name: str, exports: frozenset[Export]
) -> None:
    """A user's file with the name of a run's file stops the run at once, in one line."""
    mine = put(tmp_path / "out" / name)
    with pytest.raises(InputError, match=NOT_OWN) as error:
        scan(films, tmp_path / "out", Options(Settings(), exports=exports))
    assert str(mine) in str(error.value)
    assert "\n" not in str(error.value)
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == [mine]
    assert mine.read_bytes() == MINE


@pytest.mark.parametrize(
    "ending", [one for one in ENDINGS.values() if one not in {".sr.dcm", ".seg.dcm"}]
)
def test_a_films_name_that_is_taken_costs_that_film_only(
    films: Path, tmp_path: Path, ending: str
) -> None:
    """A user's file with a result's name is kept, and fails only that film or its export."""
    out = tmp_path / "out"
    mine = put(out / place("a.png", ending))
    options = Options(Settings(), exports=EXPORTS)
    summary = scan(films, out, options)
    if ending == ".seg.nrrd":
        assert (statuses(out)["a.png"], summary.tally.not_exported) == ("ok", 1)
    elif ending == ".exports.json":
        assert statuses(out)["a.png"] == "name_taken"
    else:
        assert statuses(out) == {"a.png": "name_taken", "b.png": "ok"}
    assert statuses(out)["b.png"] == "ok"
    assert mine.read_bytes() == MINE
    mine.unlink()
    assert scan(films, out, options).tally.failed == 0


def test_unwanted_exports_of_others_stay(films: Path, tmp_path: Path) -> None:
    """Exports that lesionscan did not write are not removed with a film's old result."""
    out = tmp_path / "out"
    mine = [put(out / f"a.png{ending}") for ending in (".seg.nrrd", ".sr.dcm", ".seg.dcm")]
    scan(films, out)
    scan(films, out, Options(Settings(shown_score=0.4), resume=False))
    assert statuses(out) == {"a.png": "ok", "b.png": "ok"}
    assert [path.read_bytes() for path in mine] == [MINE] * 3


def test_the_input_folder_as_output_takes_free_names_only(films: Path) -> None:
    """Annotations and exports of other programs next to the films are kept."""
    names = ("a.png.json", "a.json", "b.png.sr.dcm", "x.seg.nrrd", "notes.csv", "coco_old.json")
    mine = [put(films / name) for name in names]
    before = tree(films)
    scan(films, films)
    after = tree(films)
    assert all(path.read_bytes() == MINE for path in mine)
    assert before.items() <= after.items()
    assert statuses(films) == {"a.png": "name_taken", "b.png": "ok"}


def test_an_edited_table_is_kept(films: Path, tmp_path: Path) -> None:
    """A table that was edited stops the run until the user moves it away."""
    out = tmp_path / "out"
    scan(films, out)
    put(out / "images.csv", b"file;my column\n")
    with pytest.raises(InputError, match=rf"images\.csv {NOT_OWN}"):
        scan(films, out)
    (out / "images.csv").rename(tmp_path / "mine.csv")
    assert scan(films, out).tally.resumed == 2


def test_files_of_later_users_are_kept(films: Path, tmp_path: Path) -> None:
    """A file added later under the name of a new film's result is kept."""
    out = tmp_path / "out"
    scan(films, out)
    write_film(films / "c.png")
    mine = put(out / "c.png.json", b"[]")
    scan(films, out)
    assert statuses(out) == {"a.png": "ok", "b.png": "ok", "c.png": "name_taken"}
    assert mine.read_bytes() == b"[]"


def test_what_a_killed_run_left_is_made_again(films: Path, tmp_path: Path) -> None:
    """Results without JSON, as left by a killed run, are recognised as own files and replaced."""
    out = tmp_path / "out"
    scan(films, out)
    before = tree(out)
    for path in (*out.glob("*.json"), out / "a.png.labels.png", *out.glob("*.csv")):
        path.unlink()
    scan(films, out)
    assert tree(out) == before


@pytest.mark.slow
def test_a_kill_at_any_time_can_be_resumed(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run stopped before any rename can be resumed, with the same files as a single run."""
    scan(films, tmp_path / "whole")
    whole, rename = tree(tmp_path / "whole"), Path.replace
    out = tmp_path / "out"
    count = 0
    while True:
        left = count

        def killed(path: Path, target: Path) -> Path:
            nonlocal left
            left -= 1
            if left < 0:
                raise SystemExit
            return rename(path, target)

        monkeypatch.setattr(Path, "replace", killed)
        try:
            scan(films, out)
        except SystemExit:
            count += 1
        else:
            break
        finally:
            monkeypatch.undo()
            monkeypatch.setattr(pipeline, "find_candidates", find_stub)
        assert scan(films, out).tally.failed == 0
        assert tree(out) == whole
        shutil.rmtree(out)
    assert count > 20


def test_a_page_folder_that_was_removed_meanwhile_is_told(films: Path, tmp_path: Path) -> None:
    """Films whose page files are missing at the end have failed; the next run restores them."""
    out = tmp_path / "out"
    done = []

    def remove(outcomes: tuple[Outcome, ...]) -> None:
        done.append(outcomes)
        if len(done) == 1:
            shutil.rmtree(out / "report")

    summary = scan(films, out, on_done=remove)
    assert summary.tally.codes == {"result_lost": 1}
    assert statuses(out) == {"a.png": "result_lost", "b.png": "ok"}
    again = scan(films, out)
    assert (again.tally.failed, again.tally.resumed) == (0, 1)
    scan(films, tmp_path / "whole")
    assert tree(out) == tree(tmp_path / "whole")


@pytest.mark.parametrize("ending", [".labels.png", ".bone.png", ".overlay.png"])
def test_a_picture_that_was_removed_meanwhile_is_told(
    films: Path, tmp_path: Path, ending: str
) -> None:
    """A film whose picture is missing at the end has failed."""
    out = tmp_path / "out"
    summary = scan(
        films, out, on_done=lambda _done: (out / f"a.png{ending}").unlink(missing_ok=True)
    )
    assert summary.tally.codes == {"result_lost": 1}


def test_an_export_that_was_removed_meanwhile_is_told(films: Path, tmp_path: Path) -> None:
    """A film whose export is missing at the end is counted as not exported; a rerun restores it."""
    out = tmp_path / "out"
    options = Options(Settings(), exports=EXPORTS)
    summary = scan(
        films, out, options, on_done=lambda _done: (out / "a.png.seg.nrrd").unlink(missing_ok=True)
    )
    assert (summary.tally.failed, summary.tally.not_exported) == (0, 1)
    assert scan(films, out, options).tally.not_exported == 0
    assert (out / "a.png.seg.nrrd").is_file()


@pytest.mark.parametrize("damage", [b"", b"damaged"])
def test_a_damaged_export_is_made_again(films: Path, tmp_path: Path, damage: bytes) -> None:
    """An export that does not match its stored hash is written again."""
    out = tmp_path / "out"
    options = Options(Settings(), exports=EXPORTS)
    scan(films, out, options)
    before = tree(out)
    (out / "a.png.seg.nrrd").write_bytes(damage)
    assert scan(films, out, options).tally.resumed == 2
    assert tree(out) == before


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"files": [], "seal_sha256": ""}'])
def test_a_damaged_account_of_exports_names_none(films: Path, tmp_path: Path, data: bytes) -> None:
    """If a film's list of exports is damaged, the exports are written again, unchanged."""
    out = tmp_path / "out"
    options = Options(Settings(), exports=EXPORTS)
    scan(films, out, options)
    before = tree(out)
    account = ResultPaths.of(out, "a.png").exported
    account.write_bytes(sealed_json({"files": 5, "seal_sha256": ""}) if data == b"[]" else data)
    assert scan(films, out, options).tally.not_exported == 0
    assert tree(out) == before


# -- links


@pytest.mark.skipif(os.name == "nt", reason="needs links")
@pytest.mark.parametrize("link", ["report", "report/films", "report/page"])
def test_a_page_folder_that_is_a_link_is_refused(films: Path, tmp_path: Path, link: str) -> None:
    """Nothing is written through a link in place of a folder of the page."""
    outside, out = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    (out / link).parent.mkdir(parents=True)
    (out / link).symlink_to(outside)
    if link == "report/films":
        assert scan(films, out).tally.codes == {"name_taken": 2}
    else:
        with pytest.raises(InputError, match="is a link, which is not followed"):
            scan(films, out)
    assert list(outside.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_a_films_folder_that_is_a_link_costs_its_films_only(tmp_path: Path) -> None:
    """Only films below a link fail, with the code name_taken in the table."""
    outside, out, films = tmp_path / "outside", tmp_path / "out", tmp_path / "in"
    for name in ("a/1.png", "b.png"):
        write_film(films / name)
    put(outside / "1.png.labels.png")
    out.mkdir()
    (out / "a").symlink_to(outside)
    scan(films, out)
    assert statuses(out) == {"a/1.png": "name_taken", "b.png": "ok"}
    assert [path.name for path in outside.iterdir()] == ["1.png.labels.png"]


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_the_output_folder_may_be_a_link(films: Path, tmp_path: Path) -> None:
    """The output folder itself may be a link, since the user has chosen it."""
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "real")
    scan(films, tmp_path / "out")
    assert statuses(tmp_path / "real") == {"a.png": "ok", "b.png": "ok"}


# -- parts


def all_parts(films: Path, out: Path, options: Options) -> None:
    """Scan both parts of a run into one folder."""
    for number in (1, 2):
        scan(films, out, replace(options, shard=Shard(number, 2)))


def test_a_parts_account_of_others_is_kept(films: Path, tmp_path: Path) -> None:
    """A user's file with the name of a part's file stops the run."""
    mine = put(shard_path(tmp_path / "out", Shard(1, 2)))
    with pytest.raises(InputError, match=NOT_OWN):
        scan(films, tmp_path / "out", Options(Settings(), shard=Shard(1, 2)))
    assert mine.read_bytes() == MINE


@pytest.mark.parametrize(
    "name", ["images.csv", "coco.json", "report.html", "a.png.json", "b.png.bone.png"]
)
@pytest.mark.parametrize("shared", [True, False])
def test_merging_keeps_files_of_others(
    films: Path, tmp_path: Path, name: str, *, shared: bool
) -> None:
    """Merging keeps the user's files, whether into the folder of the parts or another one."""
    parts = tmp_path / "parts"
    all_parts(films, parts, Options(Settings()))
    into = parts if shared else tmp_path / "merged"
    if shared and name.startswith(("a.", "b.")):
        pytest.skip("these are the parts' own results")
    mine = put(into / name)
    with pytest.raises(MergeError, match=NOT_OWN):
        merge_shards([parts], into)
    assert mine.read_bytes() == MINE
    mine.unlink()
    merge_shards([parts], into)
    merge_shards([parts], into)


def test_merging_brings_exports(films: Path, tmp_path: Path) -> None:
    """Exports written by the parts are merged, other files next to them are not."""
    parts, into = tmp_path / "parts", tmp_path / "merged"
    options = Options(Settings(), exports=EXPORTS)
    all_parts(films, parts, options)
    put(parts / "a.png.sr.dcm")
    merge_shards([parts], into)
    assert (into / "a.png.seg.nrrd").read_bytes() == (parts / "a.png.seg.nrrd").read_bytes()
    assert not (into / "a.png.sr.dcm").exists()
    mine = put(into / "b.png.seg.nrrd")
    (into / FILMS_FOLDER / "b.png.exports.json").unlink()
    with pytest.raises(MergeError, match=NOT_OWN):
        merge_shards([parts], into)
    assert mine.read_bytes() == MINE


def forged_account(films: Path, out: Path, name: str) -> None:
    """Scan a run as one part, and replace the name of the first film in the part's file."""
    shard = Shard(1, 1)
    scan(films, out, Options(Settings(), shard=shard))
    head, _, *rest = shard_path(out, shard).read_text("utf-8").splitlines()
    lines = [head, json.dumps([0, name, 1, {}]), *rest, ""]
    shard_path(out, shard).write_text("\n".join(lines), "utf-8")


@pytest.mark.parametrize("name", ["", ".", "..", "/x", "a/../../x", "a//b", "a\0b", "./a"])
def test_names_in_a_parts_account_stay_inside(films: Path, tmp_path: Path, name: str) -> None:
    """An invalid name in a part's file stops the merge before anything is written."""
    out = tmp_path / "out"
    forged_account(films, out, name)
    before = tree(tmp_path)
    with pytest.raises(MergeError, match="cannot be read as part of a run; run that part again"):
        merge_shards([out], tmp_path / "merged")
    assert tree(tmp_path) == before


def test_a_name_of_300_letters_in_an_account_is_told(films: Path, tmp_path: Path) -> None:
    """A name of 300 characters stops the merge, since it has no results."""
    forged_account(films, tmp_path / "out", "x" * 300)
    with pytest.raises(MergeError, match="are missing or changed; run that part again"):
        merge_shards([tmp_path / "out"], tmp_path / "merged")


# -- one film


def test_nothing_is_removed_for_a_film_that_failed(tmp_path: Path) -> None:
    """A film that fails neither removes a user's file with a result's name nor writes its JSON."""
    path = put(tmp_path / "in" / "a.png", b"no image")
    mine = put(tmp_path / "out" / "a.png.overlay.png")
    (outcome,) = process(Job(path, "a.png", tmp_path / "out", Settings(), None, resume=True))
    assert outcome.status == "failed"
    assert mine.read_bytes() == MINE
    assert not (tmp_path / "out" / "a.png.json").exists()
