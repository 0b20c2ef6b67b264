"""The README says what the program does: its tables are compared with the code."""

import re
from pathlib import Path

from lesionscan import __version__, cli

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def table(first_column: str) -> list[list[str]]:
    """Return the cells of the README's table whose first column has this title."""
    lines = README[README.index(f"\n| {first_column} |") + 1 :].splitlines()
    rows = []
    for line in lines[2:]:
        if not line.startswith("| "):
            break
        rows.append([cell.strip().strip("`") for cell in line.split("|")[1:-1]])
    return rows


def test_every_exit_status_is_documented() -> None:
    """The table of exit statuses has those that the command line states."""
    stated = re.findall(r"\b(\d+) [a-z]", (cli.__doc__ or "").split("\n\n")[1])
    assert [row[0] for row in table("exit status")] == stated
    assert {"0", "1", "2"} <= set(stated)


def test_the_pictures_and_files_it_names_are_there() -> None:
    """Every path of the repository that the README names exists."""
    named = re.findall(r"(?:\]\(|`)((?:docs|lesionscan|scripts)/[\w./]+|[A-Z]+\.?\w*)[`)]", README)
    assert "docs/reference.md" in named
    assert [name for name in named if not (ROOT / name).exists() and name != "RESULTS"] == []


def test_the_version_is_the_same_everywhere() -> None:
    """CITATION.cff and CHANGELOG.md speak of the package's version."""
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {__version__}\n" in citation
    assert f"\n## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_no_page_waits_for_its_figures() -> None:
    """No placeholder is left in README or docs."""
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    assert len(pages) > 2
    assert [page.name for page in pages if "@@" in page.read_text(encoding="utf-8")] == []
