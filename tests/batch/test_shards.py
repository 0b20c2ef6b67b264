"""Merging the parts of a run gives the same results as one run."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionscan.batch.run import Options, RunSummary, make_plan, run_scan
from lesionscan.batch.shards import MergeError, Shard, merge_shards, shard_path
from lesionscan.detection import pipeline
from lesionscan.settings import Settings
from tests.batch.films import tree, write_film
from tests.batch.stub import RAISE, find_stub, here

PARTS = 4


@pytest.fixture(autouse=True)
def _stub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "find_candidates", find_stub)


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """Return a folder of films, one of which fails, and one of which has too long a name."""
    folder = tmp_path / "in"
    for number in range(12):
        write_film(folder / f"{'ab'[number % 2]}/{number}.png", score=100 + 10 * number)
    write_film(folder / "bad.png", RAISE)
    write_film(folder / ("x" * 247 + ".png"))
    return folder


def scan(
    folder: Path,
    out: Path,
    shard: Shard | None,
    settings: Settings | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> RunSummary:
    """Scan one part, or all films, with the stub."""
    plan = make_plan([folder], out, Options(settings or Settings(), shard=shard))
    return run_scan(plan, here, workers=1, on_done=lambda _outcomes: None, stopped=stopped)


def all_parts(folder: Path, out: Callable[[int], Path]) -> None:
    """Scan all parts."""
    for number in range(1, PARTS + 1):
        scan(folder, out(number), Shard(number, PARTS))


def without_accounts(files: dict[str, bytes]) -> dict[str, bytes]:
    """Leave the parts' lists of results out."""
    return {name: data for name, data in files.items() if "run.shard" not in name}


@given(names=st.lists(st.text(min_size=1), unique=True), of=st.integers(1, 9))
def test_every_film_is_in_exactly_one_part(names: list[str], of: int) -> None:
    """Every film belongs to exactly one part, whatever its name and the number of parts."""
    for name in names:
        assert sum(Shard(number, of).holds(name) for number in range(1, of + 1)) == 1


def test_a_films_part_stays_the_same() -> None:
    """A film's part is fixed, since parts may run on different versions of Python."""
    names = ("a.png", "b.png", "c/d.dcm", "\udcff", "knee.dcm")
    parts = [[n for n in range(1, 5) if Shard(n, 4).holds(name)] for name in names]
    assert parts == [[1], [1], [4], [2], [2]]


@pytest.mark.parametrize("text", ["0/4", "5/4", "a/4", "4", "1/0", "-1/4", "1/4/2", ""])
def test_odd_parts_are_refused(text: str) -> None:
    """A part that does not exist or is not of the form 2/4 is refused."""
    with pytest.raises(ValueError, match=r"there is no part|is not of the form 2/4"):
        Shard.parse(text)


def test_a_part_reads_as_it_is_written() -> None:
    """A part is parsed from, and formatted as, the text of the command line."""
    assert Shard.parse("2/4") == Shard(2, 4)
    assert str(Shard(2, 4)) == "2/4"


@pytest.mark.parametrize("shared", [True, False])
def test_parts_merged_equal_one_run(films: Path, tmp_path: Path, *, shared: bool) -> None:
    """Merged parts have the bytes of one run, whether they share an output folder or not."""
    scan(films, tmp_path / "whole", None)
    outs = [tmp_path / ("shared" if shared else f"part{n}") for n in range(1, PARTS + 1)]
    all_parts(films, lambda number: outs[number - 1])
    assert not (outs[0] / "images.csv").exists()
    into = outs[0] if shared else tmp_path / "merged"
    report, run = merge_shards(list(dict.fromkeys(outs)), into)
    assert report == into / "report.html"
    assert (run.found, run.tally.pictures, run.tally.failed) == (14, 14, 2)
    assert without_accounts(tree(into)) == tree(tmp_path / "whole")
    merge_shards(list(dict.fromkeys(outs)), into)
    assert without_accounts(tree(into)) == tree(tmp_path / "whole")


def test_parts_of_a_changed_folder_are_refused(films: Path, tmp_path: Path) -> None:
    """Parts are refused if the number of films changed between them."""
    out = tmp_path / "out"
    for number in range(1, PARTS + 1):
        if number == 3:
            write_film(films / "new.png")
        scan(films, out, Shard(number, PARTS))
    with pytest.raises(
        MergeError, match=r"parts 1/4 and 3/4 had different films \(14 and 15\): the folder changed"
    ):
        merge_shards([out], out)


def test_a_part_that_is_missing_is_told(films: Path, tmp_path: Path) -> None:
    """A missing part is an error that says which to run."""
    out = tmp_path / "out"
    all_parts(films, lambda _number: out)
    shard_path(out, Shard(2, PARTS)).unlink()
    with pytest.raises(MergeError, match=r"part 2/4 is missing; run it \(--shard 2/4\)"):
        merge_shards([out], out)


def test_a_part_in_two_folders_is_refused(films: Path, tmp_path: Path) -> None:
    """A part that exists in two folders is refused."""
    all_parts(films, lambda _number: tmp_path / "out")
    scan(films, tmp_path / "again", Shard(2, PARTS))
    with pytest.raises(MergeError, match="part 2/4 exists twice"):
        merge_shards([tmp_path / "out", tmp_path / "again"], tmp_path / "m")


def test_parts_of_two_runs_are_refused(films: Path, tmp_path: Path) -> None:
    """Parts of runs with different numbers of parts are refused."""
    all_parts(films, lambda _number: tmp_path / "out")
    scan(films, tmp_path / "out", Shard(1, 2))
    with pytest.raises(MergeError, match="there are runs in 2 and 4 parts; remove those"):
        merge_shards([tmp_path / "out"], tmp_path / "out")


def test_parts_with_other_settings_are_refused(films: Path, tmp_path: Path) -> None:
    """Parts with different settings are refused."""
    out = tmp_path / "out"
    all_parts(films, lambda _number: out)
    scan(films, out, Shard(4, PARTS), Settings(shown_score=0.7))
    with pytest.raises(MergeError, match="parts 1/4 and 4/4 had different versions, settings or"):
        merge_shards([out], out)


def test_a_part_that_was_stopped_is_refused(films: Path, tmp_path: Path) -> None:
    """A stopped part is refused, and merged once it is completed."""
    out = tmp_path / "out"
    all_parts(films, lambda _number: out)
    assert scan(films, out, Shard(2, PARTS), stopped=lambda: True).interrupted
    with pytest.raises(MergeError, match="part 2/4 was stopped before its end; run it again"):
        merge_shards([out], out)
    scan(films, out, Shard(2, PARTS))
    merge_shards([out], out)


def test_results_that_are_gone_are_told(films: Path, tmp_path: Path) -> None:
    """A missing result is an error that names the film."""
    out = tmp_path / "out"
    all_parts(films, lambda _number: out)
    record = out / "a" / "0.png.json"
    record.unlink()
    with pytest.raises(MergeError, match=r"the results of a/0\.png in .* are missing or changed"):
        merge_shards([out], out)


def changed_json(out: Path) -> None:
    """Edit a result."""
    path = out / "a" / "0.png.json"
    path.write_text(path.read_text("utf-8").replace("true", "false", 1), "utf-8")


def cut_json(out: Path) -> None:
    """Truncate a result."""
    path = out / "a" / "0.png.json"
    path.write_bytes(path.read_bytes()[:100])


def another_runs(out: Path) -> None:
    """Scan with other settings into the same folder."""
    scan(out.with_name("in"), out, None, Settings(shown_score=0.05))


@pytest.mark.parametrize("change", [changed_json, cut_json, another_runs])
def test_results_that_are_not_the_parts_own_are_told(
    films: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    """Results that were edited, truncated or written by another run are refused."""
    out = films.with_name("out")
    all_parts(films, lambda _number: out)
    change(out)
    with pytest.raises(MergeError, match=r"are missing or changed; run that part again"):
        merge_shards([out], tmp_path / "merged")


def test_an_account_that_was_cut_off_is_told(films: Path, tmp_path: Path) -> None:
    """A part's list of results without its last line is refused."""
    out = tmp_path / "out"
    all_parts(films, lambda _number: out)
    path = shard_path(out, Shard(3, PARTS))
    lines = path.read_text("utf-8").splitlines(keepends=True)
    assert len(lines) > 1
    path.write_text("".join(lines[:-1]), "utf-8")
    with pytest.raises(MergeError, match=r"run\.shard-3-of-4\.jsonl cannot be read as part"):
        merge_shards([out], out)


@pytest.mark.parametrize("line", ['[99, "a", 1, {}]', '[0, "../x", 1, {}]', "[]", "5", "{"])
def test_odd_lines_are_told(films: Path, tmp_path: Path, line: str) -> None:
    """A line with an impossible film number or name, or no JSON list, is refused."""
    out = tmp_path / "out"
    all_parts(films, lambda _number: out)
    path = shard_path(out, Shard(3, PARTS))
    head, _, *rest = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join([head, line + "\n", *rest]), "utf-8")
    with pytest.raises(MergeError, match=r"run\.shard-3-of-4\.jsonl cannot be read as part"):
        merge_shards([out], out)


def test_pictures_of_an_earlier_merge_do_not_stay(films: Path, tmp_path: Path) -> None:
    """Overlays of an earlier merge are removed if the parts no longer have any."""
    out, into = tmp_path / "out", tmp_path / "merged"
    all_parts(films, lambda _number: out)
    merge_shards([out], into)
    assert list(into.rglob("*.overlay.png"))
    for number in range(1, PARTS + 1):
        scan(films, out, Shard(number, PARTS), Settings(overlay=False))
    merge_shards([out], into)
    assert not list(into.rglob("*.overlay.png"))
    assert not list(into.rglob(".lesionscan*.tmp"))


@pytest.mark.parametrize("text", ["", "{}\n", "[1]\n", "nonsense\n", '{"version": 1}\n'])
def test_an_account_that_cannot_be_read_is_told(films: Path, tmp_path: Path, text: str) -> None:
    """An unreadable list of results is an error that names the part."""
    out = tmp_path / "out"
    all_parts(films, lambda _number: out)
    shard_path(out, Shard(3, PARTS)).write_text(text, "utf-8")
    with pytest.raises(MergeError, match=r"run\.shard-3-of-4\.jsonl cannot be read as part"):
        merge_shards([out], out)


def test_a_folder_without_parts_is_told(tmp_path: Path) -> None:
    """A folder without parts, and one that does not exist, are errors."""
    with pytest.raises(MergeError, match="contains no part of a run; make parts with lesionscan"):
        merge_shards([tmp_path], tmp_path)
    with pytest.raises(MergeError, match="missing cannot be read"):
        merge_shards([tmp_path / "missing"], tmp_path)


def test_run_json_adds_the_parts_up(films: Path, tmp_path: Path) -> None:
    """Counts and failures in a merged run.json are those of the whole run."""
    out = tmp_path / "out"
    all_parts(films, lambda _number: out)
    merge_shards([out], out)
    scan(films, tmp_path / "whole", None)
    facts, whole = (json.loads((o / "run.json").read_bytes()) for o in (out, tmp_path / "whole"))
    assert facts["counts"] == whole["counts"]
    assert facts["failures"] == whole["failures"]
    assert facts["workers"] == PARTS
