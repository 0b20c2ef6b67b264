from pathlib import Path
from typing import Any

import pytest

from lesionscan.settings import (
    Limits,
    OutputSettings,
    ReadingSettings,
    SearchSettings,
    Settings,
    SettingsError,
)


def _file(folder: Path, text: str) -> Path:
    path = folder / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    """A settings file changes only the settings in it; all others keep their defaults."""
    settings = Settings.from_file(_file(tmp_path, "shown_score = 0.6\n"))

    assert settings == Settings(shown_score=0.6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense = 1", "unknown setting nonsense; known are allow_burned_in"),
        ("shown_score = 3", "shown_score should be less than or equal to 1, got 3"),
        ("shown_score = 'x'", "shown_score should be a valid number"),
        (
            "smallest_radius = 0.3\nlargest_radius = 0.1",
            "smallest_radius must be less than largest_radius, got 0.3 and 0.1",
        ),
        ("shown_score 0.6", "is not valid TOML .*; write lines like 'shown_score = 0.6'"),
    ],
)
def test_a_bad_file_is_refused_with_the_reason(tmp_path: Path, text: str, message: str) -> None:
    """An invalid file is refused, with the file, the setting and valid values."""
    with pytest.raises(SettingsError, match=rf"settings\.toml:? {message}"):
        Settings.from_file(_file(tmp_path, text))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A missing settings file is refused instead of using the defaults."""
    with pytest.raises(SettingsError, match=r"cannot be read .*; check the path"):
        Settings.from_file(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("change", "hashes"),
    [
        ({}, ""),
        ({"scales": 7}, "search"),
        ({"polarity": "bone-dark"}, "search"),
        ({"keep_uids": True}, "search"),
        ({"shown_score": 0.6}, "output"),
        ({"overlay": False}, "output"),
        ({"allow_burned_in": True}, "output"),
        ({"max_frames": 7, "max_file_mb": 1.0, "max_megapixels": 1.0}, ""),
    ],
)
def test_the_hashes_follow_the_values(change: dict[str, Any], hashes: str) -> None:
    """Reading and search settings change one hash, output settings another, and limits none."""
    one, other = Settings(), Settings(**change)
    assert (one.sha256() != other.sha256()) == (hashes == "search")
    assert (one.output_sha256() != other.output_sha256()) == (hashes == "output")


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        (Settings(), ["shown_score = 0.5"]),
        (
            Settings(shown_score=0.25, overlay=False, search="quick", spacing_mm=(0.1, 0.25)),
            [
                "shown_score = 0.25",
                "overlay = false",
                'search = "quick"',
                "spacing_mm = [0.1, 0.25]",
            ],
        ),
    ],
)
def test_settings_as_a_file_are_read_back(
    tmp_path: Path, settings: Settings, lines: list[str]
) -> None:
    """Settings written as TOML, which omits defaults except shown_score, are read back equal."""
    text = settings.to_toml()
    assert text.splitlines()[0] == lines[0]
    assert sorted(text.splitlines()) == sorted(lines)
    assert Settings.from_file(_file(tmp_path, text)) == settings


def test_every_setting_belongs_to_one_part() -> None:
    """Every setting is declared in exactly one part, as otherwise no hash would contain it."""
    parts = (Limits, ReadingSettings, SearchSettings, OutputSettings)
    declared = [name for part in parts for name in part.model_fields]
    assert sorted(declared) == sorted(Settings.model_fields)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path, encoding: str) -> None:
    """A file with a byte-order mark, as editors on Windows write, is read."""
    path = tmp_path / "a.toml"
    path.write_bytes("# für später\r\nshown_score = 0.6\r\n".encode(encoding))
    assert Settings.from_file(path).shown_score == 0.6


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16-le"])
def test_a_file_in_another_encoding_is_told_to_be_utf_8(tmp_path: Path, encoding: str) -> None:
    """A file in another encoding is refused, with the advice to save it as UTF-8."""
    path = tmp_path / "a.toml"
    path.write_bytes("# für später\nshown_score = 0.6\n".encode(encoding))
    with pytest.raises(SettingsError, match="is not UTF-8 text; save it as UTF-8"):
        Settings.from_file(path)
