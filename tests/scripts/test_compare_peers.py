"""Comparison with stock detectors: they find dark spots, and each set has a table."""

import json
import sys
from pathlib import Path

import compare_peers as peers
import numpy as np
import pytest
from scipy import ndimage

from lesionscan.evaluation.truth import load_truth
from lesionscan.settings import Settings
from lesionscan.simulation.body.lesions import Lesion
from lesionscan.simulation.exposure.film import Film
from lesionscan.simulation.phantom import make_phantom
from lesionscan.simulation.phantom_folder import phantom_film
from lesionscan.simulation.truth_folder import KnownFilm, write_truth_folder


def _spot() -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Return a bright image with one dark spot of radius 11 at row 60, column 90."""
    rows, cols = np.indices((128, 160))
    away = np.hypot(rows - 60, cols - 90)
    spot = 0.8 - 0.5 / (1 + np.exp((away - 11.0) / 2))
    return np.asarray(ndimage.gaussian_filter(spot, 1.0), dtype=np.float32)


def test_every_detector_finds_a_dark_spot() -> None:
    """The best point of each detector is within two pixels of the only dark spot."""
    image = _spot()
    for name, detect in peers.PEERS.items():
        points = detect(image)
        best = points[np.argmax(peers.darkness(image, points))]
        assert best[:2] == pytest.approx((60, 90), abs=2), name


def test_no_detector_fails_on_an_even_picture() -> None:
    """A uniform image gives no points and no error."""
    flat = np.full((96, 96), 0.5, dtype=np.float32)
    for name, detect in peers.PEERS.items():
        assert len(detect(flat)) == 0, name
    assert peers.darkness(flat, np.zeros((0, 3))).shape == (0,)


def test_darkness_is_greatest_at_the_spot_and_its_size() -> None:
    """The Laplacian ranks the spot above its surroundings, and its own size above others."""
    points = np.array([[60, 90, 8], [60, 90, 2], [60, 90, 24], [20, 20, 8]], dtype=np.float64)
    scores = peers.darkness(_spot(), points)
    assert int(np.argmax(scores)) == 0
    assert scores[3] == pytest.approx(0, abs=0.01)


def test_points_at_one_place_count_once() -> None:
    """Of nearby points, the best is kept; points that are not dark are removed."""
    points = np.array([[10, 10, 5], [12, 10, 5], [30, 10, 5], [60, 60, 5]], dtype=np.float64)
    kept = peers.best_apart(points, np.array([0.2, 0.9, 0.1, -0.3]))
    assert kept.tolist() == [1, 2]


@pytest.mark.slow
def test_points_come_back_to_the_film(tmp_path: Path) -> None:
    """A stock detector hits the lesion of a film whose side is no multiple of 512 px."""
    hole = Lesion("femur", 0.75, 0.0, 30.0, removed=0.95, margin_mm=0.5)
    phantom = make_phantom("knee", 4, lesions=(hole,), long_side_px=777, film=Film(marker="none"))
    write_truth_folder(tmp_path, [phantom_film("a", phantom)])
    (film,) = load_truth(tmp_path)
    rows = {(row.name, row.area): row.film for row in peers.compare_film(film, Settings())}
    assert rows["skimage blob_log", "our bone mask"].hits[0] > 0


def test_sets_of_one_name_are_not_pooled(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Two folders with sets of the same name are rejected."""
    for name in ("a", "b"):
        phantom = make_phantom("hand", 3, long_side_px=220)
        write_truth_folder(tmp_path / name, [phantom_film("one", phantom)])
    arguments = ["x", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "o")]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit):
        peers.main()
    assert "two folders have a set of the same name" in capsys.readouterr().err


@pytest.mark.slow
def test_a_folder_gives_one_table_a_set(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """All detectors are evaluated on all films, including an unreadable one."""
    films = [
        phantom_film(
            f"{number}", make_phantom("hand", 3, lesions=number, long_side_px=220, film=Film())
        )
        for number in range(2)
    ]
    broken = KnownFilm("broken", "dcm", b"", films[1].lesions, facts=films[1].facts)
    write_truth_folder(tmp_path / "truth", [*films, broken])
    out = tmp_path / "out"
    arguments = ["x", str(tmp_path / "truth"), "--out", str(out), "--resamples", "20"]
    monkeypatch.setattr(sys, "argv", arguments)
    peers.main()
    (table,) = json.loads((out / "peers.json").read_text("utf-8")).values()
    assert [row["detector"] for row in table][::2][:4] == list(peers.PEERS)
    assert table[-1]["detector"] == "lesionscan"
    assert len(table) == 2 * (len(peers.PEERS) + 1) + 1
    for row in table:
        assert row["sensitivity"]["8"] in (0.0, 0.5)  # the lesion of the broken film is missed
    printed = capsys.readouterr().out
    assert "## phantom: 2 lesions in 2 films, 1 films without" in printed
    assert (out / "peers.png").stat().st_size > 10_000
    assert (out / "peers.md").read_text("utf-8").strip() in printed
