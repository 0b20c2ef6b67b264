"""Inputs are expanded to a sorted list of films with unique names."""

import os
import subprocess
import tracemalloc
from pathlib import Path

import pytest

from lesionscan.batch.discover import Discovery, InputError, discover
from lesionscan.batch.listed import read_list
from tests.batch.films import write_film
from tests.reading.test_dicom_directory import write_directory


def found(*inputs: Path, out: Path | None = None) -> Discovery:
    """Discover films, by default with an output folder outside the inputs."""
    return discover(inputs, out=out or inputs[0].parent / "elsewhere")


def names(*inputs: Path, out: Path | None = None) -> list[str]:
    """Return the films' names."""
    return [film.name for film in found(*inputs, out=out).films]


def test_a_list_of_millions_is_refused() -> None:
    """A list of more than 1,000,000 films is refused before memory is allocated for each."""
    text = b"a.png\n" * 1_000_001
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="names more than 1,000,000 films; scan it in parts"):
            read_list(text)
        assert tracemalloc.get_traced_memory()[1] < 4 * len(text)
    finally:
        tracemalloc.stop()


def test_folders_nested_deeper_than_the_stack_are_walked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder 900 levels deep is walked; one whose path is too long is reported as unlistable."""
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    for _ in range(900):
        Path("d").mkdir()
        os.chdir("d")
    Path("deep.png").write_bytes(b"")
    os.chdir(tmp_path / "in")
    for _ in range(25):
        Path("x" * 200).mkdir()
        os.chdir("x" * 200)
    Path("far.png").write_bytes(b"")
    os.chdir(tmp_path)
    found = discover([tmp_path / "in"], out=tmp_path / "out")
    assert [film.name for film in found.films] == ["d/" * 900 + "deep.png"]
    assert found.unlistable == ("x" * 200,)
    subprocess.run(["rm", "-r", "in"], check=True)  # pytest's own clean-up cannot remove this


def test_a_folder_is_walked_in_sorted_order(tmp_path: Path) -> None:
    """Films are named relative to the folder and sorted; other files are counted as skipped."""
    for name in ("b.png", "a/z.png", "a/b/y.png", "c/ü <x>'\".png"):
        write_film(tmp_path / "in" / name)
    (tmp_path / "in" / "notes.txt").write_text("x")
    result = found(tmp_path / "in")
    assert [film.name for film in result.films] == [
        "a/b/y.png",
        "a/z.png",
        "b.png",
        "c/ü <x>'\".png",
    ]
    assert result.skipped == 1
    assert result.films[0].path == tmp_path / "in" / "a" / "b" / "y.png"


def test_own_products_truth_masks_and_hidden_files_are_skipped(tmp_path: Path) -> None:
    """Files written by lesionscan, truth masks, and hidden files and folders are skipped."""
    film = write_film(tmp_path / "in" / "a.png")
    for name in (
        "a.png.overlay.png",
        "a.png.labels.png",
        "a.lesions.png",
        "A.BONE.PNG",
        "a.bones.png",
        ".b.png",
    ):
        write_film(tmp_path / "in" / name)
    write_film(tmp_path / "in" / ".cache" / "c.png")
    assert names(film.parent) == ["a.png"]
    assert found(film.parent).skipped == 6


def test_a_named_file_is_always_taken(tmp_path: Path) -> None:
    """A file given by path is scanned whatever its name or content."""
    overlay = write_film(tmp_path / ".x.overlay.png")
    text = tmp_path / "notes.txt"
    text.write_text("x")
    assert names(overlay, text) == [".x.overlay.png", "notes.txt"]


def test_the_output_folder_is_not_scanned(tmp_path: Path) -> None:
    """An output folder inside the input is not scanned, unless it is the input itself."""
    write_film(tmp_path / "a.png")
    write_film(tmp_path / "out" / "b.png")
    assert names(tmp_path, out=tmp_path / "out") == ["a.png"]
    assert names(tmp_path, out=tmp_path) == ["a.png", "out/b.png"]


def test_a_film_reached_twice_is_listed_once(tmp_path: Path) -> None:
    """A file given by path that is also inside a given folder is listed once."""
    film = write_film(tmp_path / "in" / "a.png")
    assert names(film, film.parent, tmp_path / "in" / ".." / "in" / "a.png") == ["a.png"]


def test_several_folders_keep_their_names(tmp_path: Path) -> None:
    """With several input folders, names start with the folder's name, even if none collide."""
    one = write_film(tmp_path / "one" / "a.png").parent
    two = write_film(tmp_path / "two" / "b.png").parent
    assert names(one, two) == ["one/a.png", "two/b.png"]


def test_folders_of_one_name_get_their_parents(tmp_path: Path) -> None:
    """Input folders with equal names are distinguished by their parent folders."""
    one = write_film(tmp_path / "p" / "images" / "a.png").parent
    two = write_film(tmp_path / "q" / "images" / "a.png").parent
    assert names(one, two) == ["p/images/a.png", "q/images/a.png"]


def test_files_of_one_name_get_their_parents(tmp_path: Path) -> None:
    """Files with equal names are distinguished by their folders."""
    one, two = write_film(tmp_path / "p" / "a.png"), write_film(tmp_path / "q" / "a.png")
    assert names(one, two) == ["p/a.png", "q/a.png"]


@pytest.mark.parametrize("name", ["run", "review"])
def test_a_film_called_run_does_not_meet_the_summary(tmp_path: Path, name: str) -> None:
    """A film named "run" or "review" is renamed, so that it does not overwrite run.json, say."""
    film = write_film(tmp_path / "in" / name)
    assert names(film.parent) == [f"in/{name}"]


def test_links_are_followed_once(tmp_path: Path) -> None:
    """Linked folders are walked once, loops end, and a film is named after its real folder."""
    write_film(tmp_path / "in" / "z" / "a.png")
    outside = write_film(tmp_path / "outside" / "b.png").parent
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "again").symlink_to(tmp_path / "in" / "z")
    (tmp_path / "in" / "more").symlink_to(outside)
    assert names(tmp_path / "in") == ["more/b.png", "z/a.png"]


def test_links_to_one_file_are_films_of_their_own(tmp_path: Path) -> None:
    """Links to one file are separate films, since data stores keep equal files as one object."""
    store = write_film(tmp_path / "store" / "object")
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        (folder / name).symlink_to(store)
    assert names(folder) == ["a.png", "b.png"]


def test_bytes_that_are_no_text_get_a_name(tmp_path: Path) -> None:
    """Bytes of a file name that are not UTF-8 are escaped, so that every output can contain it."""
    write_film(tmp_path / "in" / os.fsdecode(b"\xff.png"))
    assert names(tmp_path / "in") == ["\\udcff.png"]


def test_a_missing_input_is_an_error(tmp_path: Path) -> None:
    """An input that does not exist stops the run before it starts."""
    with pytest.raises(InputError, match=r"input .*missing does not exist; check the path"):
        found(tmp_path / "missing")


def test_a_folder_without_films_is_an_error(tmp_path: Path) -> None:
    """A folder without films is an error that gives the number of other files."""
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match=r"no radiograph found .*1 other files skipped"):
        found(tmp_path)


def test_names_that_cannot_be_told_apart_are_an_error(tmp_path: Path) -> None:
    """Two names that are equal once escaped are refused, rather than one film overwritten."""
    for name in (b"\xff.png", b"\\udcff.png"):
        write_film(tmp_path / os.fsdecode(name))
    with pytest.raises(InputError, match="two inputs share the name"):
        found(tmp_path)


def test_a_folder_that_cannot_be_listed_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder without read permission is reported, and the other films are found."""
    write_film(tmp_path / "a.png")
    write_film(tmp_path / "locked" / "b.png")
    scandir = os.scandir

    def guarded(path: str) -> object:
        if os.fspath(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    result = found(tmp_path)
    assert [film.name for film in result.films] == ["a.png"]
    assert result.unlistable == ("locked",)


def test_a_film_named_like_a_page_gets_a_longer_name(tmp_path: Path) -> None:
    """A film named like the second page of "p.tif" is renamed, so that results do not collide."""
    for name in ("p.tif", "p.tif.frame002", "q.tif.frame002"):
        write_film(tmp_path / "in" / name)
    assert sorted(names(tmp_path / "in")) == ["in/p.tif.frame002", "p.tif", "q.tif.frame002"]


def test_a_pattern_finds_what_matches(tmp_path: Path) -> None:
    """A pattern finds matching films, named relative to the folder before its first wildcard."""
    for name in ("in/a/1.png", "in/b/2.png", "in/3.png", "in/a/1.png.overlay.png", "in/4.tif"):
        write_film(tmp_path / name)
    (tmp_path / "in" / "a" / "notes.png").mkdir()
    assert names(tmp_path / "in" / "*" / "*.png") == ["a/1.png", "b/2.png"]
    assert names(tmp_path / "in" / "**" / "*.png") == ["3.png", "a/1.png", "b/2.png"]
    assert names(tmp_path / "in" / "**") == ["3.png", "4.tif", "a/1.png", "b/2.png"]
    assert names(tmp_path / "in" / "[ab]" / "?.png") == ["a/1.png", "b/2.png"]


def test_a_pattern_passes_the_output_over(tmp_path: Path) -> None:
    """A pattern does not match results in the output folder."""
    write_film(tmp_path / "a.png")
    write_film(tmp_path / "out" / "b.png")
    assert names(tmp_path / "**" / "*.png", out=tmp_path / "out") == ["a.png"]


def test_a_pattern_without_match_is_an_error(tmp_path: Path) -> None:
    """A pattern without matches is an error that quotes the pattern."""
    with pytest.raises(InputError, match=r"input .*x\*\.png: no radiograph matches; check the pat"):
        found(tmp_path / "x*.png", out=tmp_path)


def test_a_file_with_a_bracket_in_its_name_is_no_pattern(tmp_path: Path) -> None:
    """The path of an existing file is not read as a pattern."""
    assert names(write_film(tmp_path / "a[1].png")) == ["a[1].png"]


def test_a_dicomdir_is_replaced_by_its_images(tmp_path: Path) -> None:
    """A DICOMDIR gives the films that it lists, also missing ones, named from its folder."""
    for name in ("A/IM1", "A/IM2", "B/IM1"):
        write_film(tmp_path / "cd" / name)
    index = write_directory(tmp_path / "cd", [["B", "IM1"], ["A", "IM1"], ["A", "GONE"]])
    assert names(index) == ["A/GONE", "A/IM1", "B/IM1"]
    assert names(index, write_film(tmp_path / "x.png")) == [
        "cd/A/GONE",
        "cd/A/IM1",
        "cd/B/IM1",
        "x.png",
    ]


def test_a_damaged_dicomdir_is_an_error(tmp_path: Path) -> None:
    """A damaged DICOMDIR is an error that tells the user what to do instead."""
    (tmp_path / "DICOMDIR").write_bytes(b"x")
    with pytest.raises(
        InputError, match=r"DICOMDIR: it is no DICOMDIR, or a damaged one; scan its"
    ):
        found(tmp_path / "DICOMDIR")


def listed(tmp_path: Path, *places: str) -> list[str]:
    """Return the names of the films in a list."""
    paths = [tmp_path / place for place in places]
    return [film.name for film in discover([], out=tmp_path / "out", listed=paths).films]


def test_listed_films_are_named_from_the_folder_they_share(tmp_path: Path) -> None:
    """Listed films are sorted, unique and named from their common folder; missing ones are kept."""
    for name in ("in/a/1.png", "in/b/2.png"):
        write_film(tmp_path / name)
    assert listed(tmp_path, "in/b/2.png", "in/a/1.png", "in/a/../a/1.png", "in/b/gone.png") == [
        "a/1.png",
        "b/2.png",
        "b/gone.png",
    ]
    assert listed(tmp_path, "in/a/1.png") == ["1.png"]


def test_a_list_and_a_folder_share_films(tmp_path: Path) -> None:
    """A film in both a folder and a list is listed once, under the folder's name."""
    for name in ("in/a/1.png", "in/a/2.png"):
        write_film(tmp_path / name)
    both = discover([tmp_path / "in"], out=tmp_path / "o", listed=[tmp_path / "in" / "a" / "1.png"])
    assert [film.name for film in both.films] == ["in/a/1.png", "in/a/2.png"]


def test_a_listed_folder_is_an_error(tmp_path: Path) -> None:
    """A folder in a list, as `find` without -type f writes it, is an error."""
    (tmp_path / "in").mkdir()
    with pytest.raises(InputError, match=r"the list names a folder, .*in; list files, or scan the"):
        listed(tmp_path, "in")


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        (b"a.png\n\nb c.png\r\n", ["a.png", "b c.png"]),
        (b"a\nb.png\0c.png\0", ["a\nb.png", "c.png"]),
        (b"\xef\xbb\xbfa.png", ["a.png"]),
        (b"\xff.png\n", [os.fsdecode(b"\xff.png")]),
        (b"\n \n", []),
    ],
)
def test_lists_are_read_as_programs_write_them(text: bytes, paths: list[str]) -> None:
    """Lists may have Unix or Windows line ends, null bytes, a byte-order mark, non-UTF-8 names."""
    assert [str(path) for path in read_list(text)] == paths


@pytest.mark.parametrize(
    "folder",
    [
        *("report.html", "report/index.js", "images.csv", "run.json", "review.json"),
        *("a.png.json", "a.png.page.js"),
    ],
)
def test_a_folder_called_like_a_result_does_not_meet_it(tmp_path: Path, folder: str) -> None:
    """Films in a folder named like a result file are renamed, to avoid a collision."""
    write_film(tmp_path / "in" / "a.png")
    write_film(tmp_path / "in" / folder / "b.png")
    assert sorted(names(tmp_path / "in")) == ["a.png", f"in/{folder}/b.png"]


def test_a_pattern_enters_no_hidden_folder(tmp_path: Path) -> None:
    """A pattern matches nothing in hidden folders, unless it names one."""
    write_film(tmp_path / "in" / ".cache" / "a.png")
    write_film(tmp_path / "in" / "b.png")
    assert names(tmp_path / "in" / "**" / "*.png") == ["b.png"]
    assert names(tmp_path / "in" / ".cache" / "*.png") == ["a.png"]


def test_a_listed_name_that_is_too_long_is_a_film(tmp_path: Path) -> None:
    """A listed name that is too long for the file system is kept, like a missing file."""
    assert listed(tmp_path, "a.png", "x" * 300) == ["a.png", "x" * 300]


def test_a_film_takes_little_memory(tmp_path: Path) -> None:
    """A film's name and its relative path are one string, to save memory."""
    write_film(tmp_path / "a" / "1.png")
    (film,) = found(tmp_path).films
    assert film.name is film.place


def test_a_dicomdir_cannot_name_what_no_results_can_have(tmp_path: Path) -> None:
    """Entries of a DICOMDIR that cannot name results, such as ".", are left out; others are kept.

    Results of "." would be written outside the output folder.
    """
    write_film(tmp_path / "IM1")
    ids = [".", [".", "."], "IM1\0", ["A", "\0"], "IM1", "X" * 300, [".", "IM1"]]
    found = discover([write_directory(tmp_path, ids)], out=tmp_path / "out")
    assert [film.name for film in found.films] == ["IM1", "X" * 300]
