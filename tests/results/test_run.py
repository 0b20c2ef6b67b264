"""A run is read back as written; missing or changed parts are reported."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from lesionscan.results.run import RunError, csv_rows, listed_pictures, run_results, run_settings
from lesionscan.settings import Settings
from tests.review.made import SHOWN, scanned

EXPECTED = [("one.png", 1), ("p.tif", 1), ("p.tif", 2), ("z.png", 1)]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run of two films, a file with two pictures, and an unreadable file."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "films").mkdir()
    (folder / "films" / "z.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    pages = np.random.default_rng(1).integers(0, 200, (2, 60, 50)).astype(np.uint8)
    tifffile.imwrite(folder / "films" / "p.tif", pages, photometric="minisblack")
    return scanned(folder, {"one.png": SHOWN})[1]


def test_every_picture_has_its_result(results: Path) -> None:
    """Results are in the order of the table, with failed films and several pictures per file."""
    assert list(listed_pictures(results)) == EXPECTED
    found = list(run_results(results))
    assert [(one.input.file, one.input.frame) for one in found] == EXPECTED
    assert [one.status for one in found] == ["ok", "ok", "ok", "failed"]


def test_the_settings_of_a_run(results: Path) -> None:
    """Settings are those of run.json, if the films were searched with them."""
    (first, *_) = run_results(results)
    assert run_settings(results, first.tool.settings_sha256) == Settings()
    with pytest.raises(RunError, match=r"were made with other settings than those in .*run\.json"):
        run_settings(results, "0" * 64)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "has no settings that fit this version of lesionscan; scan again, or merge"),
        ("[]", "has no settings that fit this version"),
        ('{"settings": {"x": 1}}', "has no settings that fit this version"),
        (None, "cannot be read .*; scan again"),
    ],
)
def test_settings_that_cannot_be_read(tmp_path: Path, text: str | None, words: str) -> None:
    """Unreadable settings are reported in one line; without run.json, the defaults are used."""
    assert run_settings(tmp_path, Settings().sha256()) == Settings()
    path = tmp_path / "run.json"
    if text is None:
        path.mkdir()
    else:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match=words):
        run_settings(tmp_path, Settings().sha256())


def test_the_result_of_another_film_is_refused(results: Path, tmp_path: Path) -> None:
    """A renamed result of another film is rejected."""
    (tmp_path / "images.csv").write_text("file,frame\nother.png,1\n", encoding="utf-8")
    (tmp_path / "other.png.json").write_bytes((results / "one.png.json").read_bytes())
    with pytest.raises(RunError, match=r"other\.png\.json is missing or was changed after the"):
        list(run_results(tmp_path))


def test_rows_of_a_table(tmp_path: Path) -> None:
    """CSV is read with or without byte order mark, with quoted commas; other text is rejected."""
    path = tmp_path / "a.csv"
    path.write_text('\ufeffä,b\n"1,2",3\n', encoding="utf-8")
    assert list(csv_rows(path)) == [["ä", "b"], ["1,2", "3"]]
    path.write_text("a" * 200_000, encoding="utf-8")
    with pytest.raises(ValueError, match="it is not CSV"):
        list(csv_rows(path))
