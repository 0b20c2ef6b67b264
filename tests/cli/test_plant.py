"""Tests of the files, output and errors of `lesionscan plant`."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionscan.simulation.exposure.film import Film
from lesionscan.simulation.phantom import make_phantom
from tests.cli.command import files, lesionscan


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder `films` with two films; their bone masks are in `masks` next to it."""
    root = tmp_path_factory.mktemp("plant")
    (root / "films").mkdir()
    (root / "masks").mkdir()
    for seed in (1, 2):
        film = Film(bits=8, marker="none")
        phantom = make_phantom("femur", seed, lesions=0, long_side_px=400, film=film)
        Image.fromarray(phantom.stored.astype(np.uint8)).save(root / "films" / f"f{seed}.png")
        bone = np.where(phantom.bone, 255, 0).astype(np.uint8)
        Image.fromarray(bone).save(root / "masks" / f"f{seed}.bone.png")
    return root / "films"


def read(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Read a picture as integers."""
    with Image.open(path) as picture:
        return np.asarray(picture).astype(np.int64)


def test_variants_are_beside_their_originals(films: Path, tmp_path: Path) -> None:
    """Each film is written unchanged and with lesions, and the index describes both."""
    masks = films.parent / "masks"
    done = lesionscan(
        "plant", films, tmp_path / "p", "--seed", 1, "--bone", masks, "--variants", 2, "--jobs", 1
    )
    assert (done.returncode, done.stderr) == (0, "")
    entries = {e["name"]: e for e in json.loads((tmp_path / "p" / "index.json").read_text("utf-8"))}
    assert {"f1", "f2", "f1_planted_01", "f2_planted_02"} <= set(entries)
    assert entries["f1"]["lesions"] == 0
    for name, entry in entries.items():
        assert entry["set"] == "films_planted"
        assert entry["source"] == name[:2]
        assert entry["bone_from"] == "mask"
        original = read(films / f"{name[:2]}.png")
        planted = read(tmp_path / "p" / "images" / f"{name}.png")
        lesions = read(tmp_path / "p" / "masks" / f"{name}.lesions.png")
        assert len(np.unique(lesions)) - 1 == entry["lesions"]
        assert (planted != original).any() == bool(entry["lesions"])
        if entry["lesions"]:
            assert planted[lesions > 0].mean() < original[lesions > 0].mean()
            assert [fact["label"] for fact in entry["lesion_facts"]] == sorted(
                set(np.unique(lesions).tolist()) - {0}
            )
    assert "next: lesionscan scan" in done.stdout
    assert done.stdout.endswith("Research use only; not a diagnosis.\n")


@pytest.mark.slow
def test_the_films_are_the_same_for_any_number_of_jobs(films: Path, tmp_path: Path) -> None:
    """One worker and two give the same bytes; without masks, lesionscan's bone mask is recorded."""
    for jobs in (1, 2):
        done = lesionscan(
            "plant", films, tmp_path / str(jobs), "--seed", 1, "--no-originals", "--jobs", jobs
        )
        assert done.returncode == 0
        assert done.stderr.startswith("2 of 2 films have no bone mask; lesionscan's own is used")
    assert files(tmp_path / "1") == files(tmp_path / "2")
    entries = json.loads((tmp_path / "1" / "index.json").read_text("utf-8"))
    assert {entry["bone_from"] for entry in entries} == {"lesionscan"}
    assert all(entry["lesions"] > 0 for entry in entries)


@pytest.mark.slow
def test_a_truth_folder_hands_its_facts_on(films: Path, tmp_path: Path) -> None:
    """Set, patient and mask are copied from a truth folder; films with lesions are left out."""
    truth = tmp_path / "truth"
    truth.mkdir()
    (truth / "images").symlink_to(films)
    (truth / "masks").symlink_to(films.parent / "masks")
    entries = [
        {"name": "f1", "lesions": 0, "set": "a", "patient": "p7", "kind": "normal"},
        {"name": "f2", "lesions": 1, "set": "a"},
    ]
    (truth / "index.json").write_text(json.dumps(entries), encoding="utf-8")
    done = lesionscan("plant", truth, tmp_path / "p", "--seed", 1, "--set", "a", "--jobs", 1)
    assert (done.returncode, done.stderr) == (0, "")
    made = json.loads((tmp_path / "p" / "index.json").read_text("utf-8"))
    assert [entry["name"] for entry in made] == ["f1", "f1_planted_01"]
    assert {entry["patient"] for entry in made} == {"p7"}
    assert {entry["set"] for entry in made} == {"a_planted"}
    assert [entry["kind"] for entry in made] == ["normal", "lytic"]
    refused = lesionscan("plant", truth, tmp_path / "q", "--seed", 1, "--set", "b")
    assert refused.returncode == 2
    assert "has no set 'b'; its sets are a" in refused.stderr


@pytest.mark.slow
def test_only_known_facts_are_handed_on(films: Path, tmp_path: Path) -> None:
    """Names, dates and remarks in the source's index are not copied to the new one."""
    truth = tmp_path / "truth"
    truth.mkdir()
    (truth / "images").symlink_to(films)
    entry = {"name": "f1", "lesions": 0, "patient": "p7", "source": "s", "body_part": "FEMUR"}
    private = {"patient_name": "Doe^Jane", "birth_date": "19700101", "note": "MRN 555", "bits": 12}
    (truth / "index.json").write_text(json.dumps([{**entry, **private}]), encoding="utf-8")
    done = lesionscan("plant", truth, tmp_path / "p", "--seed", 1, "--jobs", 1)
    assert done.returncode == 0
    text = (tmp_path / "p" / "index.json").read_text("utf-8")
    for secret in private:
        assert secret not in text
    assert "Doe" not in text
    assert "MRN" not in text
    for made in json.loads(text):
        assert {key: made[key] for key in ("patient", "source", "body_part")} == {
            "patient": "p7", "source": "s", "body_part": "FEMUR",
        }  # fmt: skip


@pytest.mark.slow
def test_names_that_would_collide_are_refused(films: Path, tmp_path: Path) -> None:
    """Films that would be written under one name are refused in one line."""
    for names in (("a.png", "a_planted_01.png"), ("a/b.png", "a_b.png")):
        folder = tmp_path / names[0].replace("/", "-")
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((films / "f1.png").read_bytes())
        done = lesionscan("plant", folder, tmp_path / "p", "--seed", 1)
        assert done.returncode == 2
        assert "would both be written as" in done.stderr
        assert done.stderr.count("\n") == 1
        assert not (tmp_path / "p").exists()


@pytest.mark.slow
def test_films_that_cannot_be_used_are_left_out(films: Path, tmp_path: Path) -> None:
    """Unreadable films, and those with masks of the wrong size, are left out with a line each."""
    folder, masks = tmp_path / "films", tmp_path / "masks"
    folder.mkdir()
    masks.mkdir()
    for name in ("f1", "f2"):
        (folder / f"{name}.png").write_bytes((films / f"{name}.png").read_bytes())
    (folder / "half.png").write_bytes((films / "f1.png").read_bytes()[:900])
    (masks / "f1.bone.png").write_bytes((films.parent / "masks" / "f1.bone.png").read_bytes())
    Image.fromarray(np.zeros((10, 10), np.uint8)).save(masks / "f2.bone.png")
    done = lesionscan("plant", folder, tmp_path / "p", "--seed", 1, "--bone", masks, "--jobs", 1)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines.pop(0).startswith("1 of 3 films have no bone mask; lesionscan's own is used")
    assert lines[0].startswith("f2: left out: f2.bone.png is 10 x 10 px, the film 400 x ")
    assert lines[1].startswith("half: left out (truncated): ")
    assert len(lines) == 2
    assert "2 left out" in done.stdout
    made = json.loads((tmp_path / "p" / "index.json").read_text("utf-8"))
    assert {entry["source"] for entry in made} == {"f1"}


@pytest.mark.slow
def test_films_of_one_name_stay_apart(films: Path, tmp_path: Path) -> None:
    """Films that differ only in folder or suffix get different names."""
    folder = tmp_path / "films"
    (folder / "a").mkdir(parents=True)
    for path in (folder / "f.png", folder / "a" / "f.png"):
        path.write_bytes((films / "f1.png").read_bytes())
    with Image.open(films / "f1.png") as picture:
        picture.save(folder / "f.tif")
    done = lesionscan("plant", folder, tmp_path / "p", "--seed", 1, "--jobs", 1)
    assert done.returncode == 0
    made = json.loads((tmp_path / "p" / "index.json").read_text("utf-8"))
    assert {entry["source"] for entry in made} == {"f.png", "f.tif", "a_f"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--lesions", 0, 1), "lesions must be two ascending numbers of at least 1, got 0 1"),
        (
            ("--diameters", 6, 1),
            (
                "diameters must be two ascending numbers above 0 and at most 100 (% of the film's "
                "long side), got 6 1"
            ),
        ),
        (
            ("--bone", "nowhere"),
            "nowhere is not a folder; give the folder of the bone masks (--bone)",
        ),
        (("--set", "a"), "has no index.json and therefore no sets; omit --set"),
        (("--bone", "tests"), "tests has no mask for any film; they are named NAME.bone.png"),
    ],
)
def test_wrong_usage_is_one_line(
    films: Path, tmp_path: Path, arguments: tuple[object, ...], words: str
) -> None:
    """Invalid options give one line and status 2, and nothing is written."""
    done = lesionscan("plant", films, tmp_path / "p", "--seed", 1, *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("lesionscan: ")
    assert done.stderr.endswith(f"{words}\n")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "p").exists()


@pytest.mark.slow
def test_a_folder_without_usable_films_is_refused(tmp_path: Path) -> None:
    """A folder without films, and one without a usable film, give an error with status 2."""
    (tmp_path / "films").mkdir()
    empty = lesionscan("plant", tmp_path / "films", tmp_path / "p", "--seed", 1)
    assert empty.returncode == 2
    assert empty.stderr.count("\n") == 1
    (tmp_path / "films" / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    broken = lesionscan("plant", tmp_path / "films", tmp_path / "p", "--seed", 1)
    assert broken.returncode == 2
    assert broken.stderr.endswith("lesionscan: no film could be made (1 left out)\n")
