"""Only results and the page's data are served, and never as executable content."""

from pathlib import Path

import pytest

from lesionscan.review.page_data import film_json, index_json
from lesionscan.review.served import FileKind, served_file

JSON = "application/json; charset=utf-8"
SERVED = {
    "report/index.js": FileKind(JSON, index_json),
    "report/films/a/1.dcm.page.js": FileKind(JSON, film_json),
    "report/films/a/1.dcm.page.jpg": FileKind("image/jpeg"),
    "report/films/a/1.dcm.page-s.jpg": FileKind("image/jpeg"),
    "a/1.dcm.json": FileKind(JSON),
    "a/1.dcm.overlay.png": FileKind("image/png"),
    "a/1.dcm.labels.png": FileKind("image/png"),
    "a/1.dcm.bone.png": FileKind("image/png"),
    "ü膝 #?%.json": FileKind(JSON),
}
NOT_SERVED = [
    "report.html",
    "report/page/main.js",
    "report/page/style.css",
    "report/films/a/1.dcm.js",
    "report/films/page.svg",
    "report/page.jpg",
    "a/index.js",
    "a/report/index.js",
    "candidates.csv",
    "a/report.html",
    "a/1.dcm",
    "a/1.png",
    "a/1.JSON",
    "report/x.py",
    "report/noending",
    ".hidden.json",
    "report/.git/x.json",
    ".lesionscan-review.lock",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with files that are served and files that are not, next to a secret file."""
    for name in [*SERVED, *NOT_SERVED]:
        path = tmp_path / "results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    (tmp_path / "secret.json").write_text("secret")
    return tmp_path / "results"


@pytest.mark.parametrize("name", SERVED)
def test_what_the_page_shows_is_served(folder: Path, name: str) -> None:
    """Results and data are served with their content type."""
    assert served_file(folder, name) == (folder / name, SERVED[name])


@pytest.mark.parametrize("name", NOT_SERVED)
def test_what_does_not_is_not(folder: Path, name: str) -> None:
    """Pages, scripts, tables, films, hidden files and other types are not served."""
    assert (folder / name).is_file()
    assert served_file(folder, name) is None


@pytest.mark.parametrize(
    "name",
    [
        "", "/", "report", "report/", "..", "../secret.json", "a/../../secret.json",
        "report/../../secret.json", "report/../a/1.dcm.json", "./a/1.dcm.json", "//a/1.dcm.json",
        "a//1.dcm.json", "..\\secret.json", "a\\..\\..\\secret.json", "C:\\x.json", "C:x.json",
        "a/1.dcm.json\0", "\0.json", "a/1.dcm.json/", "x" * 5000 + ".json", "missing.json",
    ],
)  # fmt: skip
def test_no_way_leads_out(folder: Path, name: str) -> None:
    """Parent folders, absolute paths, backslashes, null bytes and long names are not served."""
    assert served_file(folder, name) is None
    assert served_file(folder, str(folder.parent / "secret.json")) is None


def test_links_are_followed_inside_only(folder: Path) -> None:
    """A link is followed only to a file in the folder that is served in the same way."""
    links = {
        "in.json": folder / "a" / "1.dcm.json",
        "out.json": folder.parent / "secret.json",
        "table.json": folder / "candidates.csv",
        "list.json": folder / "report" / "index.js",
        "report/films/b.page.js": folder / "a" / "1.dcm.json",
        "hidden.json": folder / ".hidden.json",
        "circle.json": folder / "circle.json",
        "report/up": folder.parent,
    }
    for name, target in links.items():
        (folder / name).symlink_to(target)
    assert served_file(folder, "in.json") == (folder / "a" / "1.dcm.json", FileKind(JSON))
    for name in {*links, "report/up/secret.json"} - {"in.json"}:
        assert served_file(folder, name) is None


def test_a_folder_that_is_itself_a_link_is_served(folder: Path) -> None:
    """A results folder that is a link, as to another disk, is served."""
    (folder.parent / "link").symlink_to(folder)
    found = served_file(folder.parent / "link", "a/1.dcm.json")
    assert found == (folder / "a" / "1.dcm.json", FileKind(JSON))


def test_pipes_are_not_opened(folder: Path) -> None:
    """A pipe is not opened, since that would block forever."""
    import os

    os.mkfifo(folder / "pipe.json")
    assert served_file(folder, "pipe.json") is None
