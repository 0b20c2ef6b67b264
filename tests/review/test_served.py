"""Only the files of the page and of the results have an address."""

from pathlib import Path

import pytest

from lesionscan.review.served import CONTENT_TYPES, content_type, served_file

SERVED = [
    "report.html",
    "report/app.js",
    "report/thumbs/a/1.dcm.webp",
    "a/1.dcm.json",
    "a/1.dcm.overlay.png",
    "a/1.dcm.labels.png",
    "a/1.dcm.bone.png",
    "ü膝 #?%.json",
]
NOT_SERVED = [
    "candidates.csv",
    "a/report.html",
    "a/1.dcm",
    "a/1.png",
    "report/x.py",
    "report/noending",
    ".hidden.json",
    "report/.git/x.js",
    ".lesionscan-review.lock",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with files that are served and such that are not, and one beside it."""
    for name in [*SERVED, *NOT_SERVED]:
        path = tmp_path / "results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    (tmp_path / "secret.json").write_text("secret")
    return tmp_path / "results"


@pytest.mark.parametrize("name", SERVED)
def test_what_belongs_to_the_page_is_served(folder: Path, name: str) -> None:
    """The page, what it is made of, and the results."""
    assert served_file(folder, name) == folder / name


@pytest.mark.parametrize("name", NOT_SERVED)
def test_what_does_not_is_not(folder: Path, name: str) -> None:
    """Tables, films, hidden files and files of unknown kinds lie there and are not served."""
    assert (folder / name).is_file()
    assert served_file(folder, name) is None


@pytest.mark.parametrize(
    "name",
    [
        "", "/", "report", "report/", "..", "../secret.json", "a/../../secret.json",
        "report/../../secret.json", "report/../report.html", "./report.html", "//report.html",
        "a//1.dcm.json", "..\\secret.json", "a\\..\\..\\secret.json", "C:\\x.json", "C:x.json",
        "report.html\0", "\0.json", "report.html/", "x" * 5000 + ".json", "missing.json",
    ],
)  # fmt: skip
def test_no_way_leads_out(folder: Path, name: str) -> None:
    """Parents, absolute paths, separators of other systems, null bytes, long names."""
    assert served_file(folder, name) is None
    assert served_file(folder, str(folder.parent / "secret.json")) is None


def test_links_are_followed_inside_only(folder: Path) -> None:
    """A link to a served file is served; one that leads outside, or to another kind, is not."""
    links = {
        "in.json": folder / "a" / "1.dcm.json",
        "out.json": folder.parent / "secret.json",
        "table.json": folder / "candidates.csv",
        "hidden.json": folder / ".hidden.json",
        "circle.json": folder / "circle.json",
        "report/up": folder.parent,
    }
    for name, target in links.items():
        (folder / name).symlink_to(target)
    assert served_file(folder, "in.json") == folder / "a" / "1.dcm.json"
    for name in ("out.json", "table.json", "hidden.json", "circle.json", "report/up/secret.json"):
        assert served_file(folder, name) is None


def test_a_folder_that_is_itself_a_link_is_served(folder: Path) -> None:
    """Results on another disk."""
    (folder.parent / "link").symlink_to(folder)
    assert served_file(folder.parent / "link", "report.html") == folder / "report.html"


def test_pipes_are_not_opened(folder: Path) -> None:
    """Opening one would wait for ever."""
    import os

    os.mkfifo(folder / "pipe.json")
    assert served_file(folder, "pipe.json") is None


def test_text_says_its_encoding() -> None:
    """All kinds of text are UTF-8, whatever the system's table of types says."""
    assert content_type(Path("a.JS")) == "text/javascript; charset=utf-8"
    for ending, kind in CONTENT_TYPES.items():
        text = kind.startswith("text/") or ending in {".json", ".svg"}
        assert text == kind.endswith("; charset=utf-8")
