"""README.md and docs/own-films.md agree with the code."""

import re
from pathlib import Path

from lesionscan import cli

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
OWN_FILMS = (ROOT / "docs" / "own-films.md").read_text(encoding="utf-8")


def table(first_column: str) -> list[list[str]]:
    """Return the cells of the table of docs/own-films.md whose first column has this title."""
    lines = OWN_FILMS[OWN_FILMS.index(f"\n| {first_column} |") + 1 :].splitlines()
    rows = []
    for line in lines[2:]:
        if not line.startswith("| "):
            break
        rows.append([cell.strip().strip("`") for cell in line.split("|")[1:-1]])
    return rows


def test_every_exit_status_is_documented() -> None:
    """The documented exit statuses are those in the help of the command line."""
    stated = re.findall(r"\b(\d+) [a-z]", (cli.__doc__ or "").split("\n\n")[1])
    assert [row[0] for row in table("exit status")] == stated
    assert {"0", "1", "2"} <= set(stated)


def test_the_pictures_and_files_it_names_are_there() -> None:
    """Every path in the README exists in the repository."""
    named = re.findall(r"(?:\]\(|`)((?:docs|lesionscan|scripts)/[\w./]+|[A-Z]+\.?\w*)[`)]", README)
    assert "docs/reference.md" in named
    assert [name for name in named if not (ROOT / name).exists() and name != "RESULTS"] == []


def test_no_page_waits_for_its_figures() -> None:
    """README and docs contain no placeholders."""
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    assert len(pages) > 2
    assert [page.name for page in pages if "@@" in page.read_text(encoding="utf-8")] == []
