"""scripts/research/ablate.py removes one step at a time, and evaluates all variants equally."""

import json
import subprocess
import sys
from pathlib import Path

import ablate
import numpy as np
import pytest

from lesionscan import Scorer, find_candidates, read_radiograph
from lesionscan.detection import pipeline
from lesionscan.detection.scorer.network import Network
from lesionscan.evaluation.scores import NOTHING
from lesionscan.evaluation.truth import load_truth
from lesionscan.radiograph import FloatImage
from lesionscan.simulation.exposure.film import Film
from lesionscan.simulation.phantom import make_phantom
from lesionscan.simulation.phantom_folder import phantom_film
from lesionscan.simulation.truth_folder import KnownFilm, write_truth_folder
from tests.detection.scorer.made import (
    LONG_SIDE_PX,
    lopsided_network,
    onnx_network,
    scorer_bytes,
    scorer_card,
)

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "research" / "ablate.py"
EVERY_TERM = ("lucency", "lucency_peak", "enclosed", "in_bone", "width")


def _scorer() -> Scorer:
    """Return a fast scorer: dark is lucent, and the score has five terms."""
    terms = [(name, (0.0, 1.0), (-1.0, 1.0)) for name in EVERY_TERM]
    return Scorer.from_bytes(scorer_bytes(scorer_card(*terms), onnx_network(lucency=-1.0)))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Scorer:
    """Replace the shipped scorer by a fast one."""
    scorer = _scorer()
    monkeypatch.setattr(ablate, "shipped_scorer", lambda: scorer)
    return scorer


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of two phantoms, one with a lesion, and an unreadable film."""
    folder = tmp_path_factory.mktemp("ablate") / "truth"
    films = [
        phantom_film(
            f"film_{count}", make_phantom("hand", 3, lesions=count, long_side_px=200, film=Film())
        )
        for count in range(2)
    ]
    broken = KnownFilm("broken", "dcm", b"", films[1].lesions, facts=films[1].facts)
    write_truth_folder(folder, [*films, broken])
    return folder


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["ablate.py", *map(str, arguments)])
    ablate.main()


def test_every_step_can_be_removed(truth: Path, quick: Scorer) -> None:
    """All variants scan a film, "as shipped" equals the pipeline, which is intact afterwards."""
    before = dict(vars(pipeline))
    film = load_truth(truth)[1]

    outcomes = ablate.scan_without(film, tuple(ablate.VARIANTS))

    assert list(outcomes) == list(ablate.VARIANTS)
    assert {name: vars(pipeline)[name] for name in before} == before
    findings = find_candidates(read_radiograph(film.image), scorer=quick)
    assert outcomes["as shipped"].best == findings.candidates[0].score
    assert all(np.isfinite(outcome.best) for outcome in outcomes.values())
    assert len({outcome.best for outcome in outcomes.values()}) > 1


def test_a_film_that_cannot_be_read_fails_in_every_variant(truth: Path) -> None:
    """In every variant, the lesion of an unreadable film counts as missed."""
    outcomes = ablate.scan_without(load_truth(truth)[2], ("as shipped", "no bone mask"))

    assert [outcome.has_result for outcome in outcomes.values()] == [False, False]
    assert all(outcome.hits.tolist() == [NOTHING] for outcome in outcomes.values())


def test_a_step_is_put_back_after_an_error(truth: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a scan that fails, the removed step is restored."""

    def fail(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("by the test")

    before = dict(vars(pipeline))
    monkeypatch.setattr(pipeline, "find_candidates", fail)
    with pytest.raises(RuntimeError, match="by the test"):
        ablate.scan_without(load_truth(truth)[0], ("no exposed field",))
    assert vars(pipeline)["find_field"] is before["find_field"]


@pytest.mark.parametrize(
    ("name", "terms"),
    [
        ("as shipped", EVERY_TERM),
        ("no bone mask", ("lucency", "lucency_peak", "enclosed")),
        ("network's terms only", ("lucency", "lucency_peak")),
        ("no network terms", ("enclosed", "in_bone", "width")),
    ],
)
def test_a_variant_keeps_the_terms_it_names(name: str, terms: tuple[str, ...]) -> None:
    """The remaining terms are unchanged and in order, and so is the offset."""
    scorer = _scorer()

    left = ablate.VARIANTS[name].scorer(scorer)

    assert tuple(term.name for term in left.terms) == terms
    assert set(left.terms) <= set(scorer.terms)
    assert left.offset == scorer.offset


def test_looking_once_leaves_the_mirror_image_out() -> None:
    """The network's output is the mean of single passes over the film and its mirror image."""
    scorer = Scorer.from_bytes(scorer_bytes(onnx=lopsided_network()))
    shape = (LONG_SIDE_PX, LONG_SIDE_PX)
    film: FloatImage = np.random.default_rng(1).uniform(0, 1, shape).astype(np.float32)
    once = ablate.without_mirror_image(scorer).network

    straight = once.run(film, LONG_SIDE_PX).lucency
    mirrored = once.run(np.ascontiguousarray(film[:, ::-1]), LONG_SIDE_PX).lucency[:, ::-1]

    assert isinstance(scorer.network, Network)
    assert np.abs(straight - mirrored).max() > 0.1
    assert 0.5 * (straight + mirrored) == pytest.approx(
        scorer.network.run(film, LONG_SIDE_PX).lucency, abs=1e-6
    )


def test_the_stand_ins_take_everything_and_add_nothing() -> None:
    """All valid pixels are exposed and bone, and no region is found."""
    valid = np.ones((4, 6), bool)
    valid[0] = False
    image = np.zeros((4, 6), np.float32)
    known = np.arange(24, dtype=np.int32).reshape(4, 6)

    field = ablate.whole_film(image, valid)
    bone = ablate.bone_everywhere(image, image, valid)

    assert (field.usable == valid).all()
    assert (bone.mask == valid).all()
    assert (bone.search == valid).all()
    assert bone.confidence == 1.0
    labels, slopes = ablate.no_lucencies(image, image, valid, max_regions=9)
    assert not labels.any()
    assert not slopes.any()
    assert ablate.no_dark_regions(image, image, found=known, max_regions=9) is known


def test_a_folder_gives_a_table_and_the_same_numbers_as_json(
    truth: Path,
    tmp_path: Path,
    quick: Scorer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each variant has a row, "as shipped" first; the unreadable film's lesion is always missed."""
    _run(monkeypatch, truth, "--out", tmp_path / "new" / "out", "--jobs", 1, "--resamples", 20)

    record = json.loads((tmp_path / "new" / "out" / "ablation.json").read_text("utf-8"))
    assert record["scorer"] == {"name": quick.name, "sha256": quick.sha256}
    rows = record["sets"]["phantom"]
    assert [row["name"] for row in rows] == list(ablate.VARIANTS)
    assert all(row["listed"]["value"] in (0.0, 0.5) for row in rows)
    assert "cpm_minus_baseline" not in rows[0]
    for row in rows[1:]:
        gained = row["cpm"]["value"] - rows[0]["cpm"]["value"]
        assert row["cpm_minus_baseline"]["value"] == pytest.approx(gained)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "## phantom: 2 lesions in 2 films, 1 films without"
    table = [line.strip("| ").split(" | ") for line in lines[2:]]
    assert [row[0] for row in table[2:]] == list(ablate.VARIANTS)
    cpm = table[0].index("CPM")
    assert table[2][cpm].startswith(f"{rows[0]['cpm']['value']:.2f} (")


@pytest.mark.slow
def test_two_processes_find_what_one_does(
    truth: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the chosen step is removed, and two processes give the same as one."""
    chosen = ("--steps", "no dark regions", "--resamples", "5", "--sets", "phantom")
    command = [sys.executable, str(SCRIPT), str(truth), "--out", str(tmp_path / "two"), *chosen]
    subprocess.run(command, capture_output=True, check=True)
    _run(monkeypatch, truth, "--out", tmp_path / "one", "--jobs", 1, *chosen)

    two, one = ((tmp_path / n / "ablation.json").read_text("utf-8") for n in ("two", "one"))

    assert one == two
    steps = [row["name"] for row in json.loads(one)["sets"]["phantom"]]
    assert steps == ["as shipped", "no dark regions"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("nowhere", "--out", "o"), "nowhere/index.json cannot be read"),
        (("{truth}", "--out", "o", "--sets", "btxrd"), "there is no set 'btxrd'; known are phant"),
        (("{truth}", "--out", "o", "--steps", "no legs"), "there is no step 'no legs'; known are"),
        (("{truth}", "--out", "{truth}/index.json"), "cannot be made (File exists)"),
    ],
)
def test_wrong_usage_is_one_line(
    truth: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    arguments: tuple[str, ...],
    line: str,
) -> None:
    """Wrong arguments exit with status 2 and one line that names the mistake."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        _run(monkeypatch, *(argument.format(truth=truth) for argument in arguments))
    assert stopped.value.code == 2
    assert line in capsys.readouterr().err.splitlines()[-1]


def test_truth_that_is_found_broken_on_the_way_is_one_line(
    truth: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A film whose lesion mask is missing ends the run with status 2."""
    index = json.loads((truth / "index.json").read_text("utf-8"))
    copy = tmp_path / "copy"
    (copy / "images").mkdir(parents=True)
    image = truth / "images" / "broken.dcm"
    (copy / "images" / "broken.dcm").write_bytes(image.read_bytes())
    (copy / "index.json").write_text(json.dumps(index[2:]), encoding="utf-8")
    with pytest.raises(SystemExit) as stopped:
        _run(monkeypatch, copy, "--out", tmp_path / "o", "--jobs", 1)
    assert stopped.value.code == 2
    assert "broken.lesions.png" in capsys.readouterr().err.splitlines()[-1]
