"""Pairing of films, and the messages if they cannot be paired."""

from pathlib import Path

import pytest

from lesionscan.comparison.pairs import Pair, PairsError, Source, pairs_of


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Return two results folders: one film is in both, and one more in each."""
    for folder, names in (("first", ("a/knee.png", "b.png")), ("second", ("a/knee.png", "c.png"))):
        for name in names:
            path = tmp_path / folder / "report" / "films" / f"{name}.page.js"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return tmp_path / "first", tmp_path / "second"


def test_two_files_are_a_pair(tmp_path: Path) -> None:
    """Two files are a pair with the name of the first."""
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    first.touch()
    second.touch()
    assert pairs_of(first, second, None) == [Pair("a.png", Source(first), Source(second))]


def test_equal_names_are_pairs(folders: tuple[Path, Path]) -> None:
    """Films of the same name are pairs, and other films are not paired."""
    first, second = folders
    (pair,) = pairs_of(first, second, None)
    assert pair == Pair("a/knee.png", Source(first, "a/knee.png"), Source(second, "a/knee.png"))
    assert pair.after.name == "a/knee.png"


def test_a_table_says_who_belongs_together(folders: tuple[Path, Path], tmp_path: Path) -> None:
    """A table defines the pairs, and a repeated film gets a name that is not in use."""
    table = tmp_path / "pairs.csv"
    table.write_text("before,after\nb.png,c.png\nb.png,a/knee.png\n\nb.png.2,c.png\n")
    pairs = pairs_of(*folders, table)
    assert [pair.name for pair in pairs] == ["b.png", "b.png.3", "b.png.2"]
    assert [pair.after.name for pair in pairs] == ["c.png", "a/knee.png", "c.png"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"x,y\na,b\n", "the first line must be before,after"),
        (b"", "the first line must be before,after"),
        (b"before,after\na\n", "line 2: write two names"),
        (b"before,after\n../a,b\n", "line 2: write two names"),
        (b"before,after\n\xff,b\n", "is not UTF-8"),
        (b'before,after\n"a"b,c\n', "is not a CSV table"),
        (b"before,after\n", "give a table of pairs"),
    ],
)
def test_a_table_that_cannot_be_used_is_told(
    folders: tuple[Path, Path], tmp_path: Path, text: bytes, words: str
) -> None:
    """An invalid table is refused with a message that gives the line or the remedy."""
    table = tmp_path / "pairs.csv"
    table.write_bytes(text)
    with pytest.raises(PairsError, match=words):
        pairs_of(*folders, table)


def test_what_cannot_be_paired_is_told(folders: tuple[Path, Path], tmp_path: Path) -> None:
    """Missing, mixed or unmatched paths and unsuitable tables are refused, with the reason."""
    first, second = folders
    film = tmp_path / "film.png"
    film.touch()
    for before, after, table, words in (
        (first, tmp_path / "no", None, "there is no such file or folder"),
        (film, second, None, "name two films, or two results folders"),
        (film, film, film, "leave it out for two films"),
        (first, tmp_path, None, "no film has results in both"),
        (first, second, tmp_path / "no.csv", "cannot be read"),
    ):
        with pytest.raises(PairsError, match=words):
            pairs_of(before, after, table)
