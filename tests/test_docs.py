"""The documentation: links are valid, examples run, and the wording is plain."""

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [
    *sorted(DOCS.glob("*.md")),
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / ".github").rglob("*.md")),
    ROOT / "lesionscan/detection/scorer/MODEL_CARD.md",
    ROOT / "sample_images/README.md",
]
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]

PRIVATE = {
    r"\btold\b|\btells\b": "report, state, describe",
    r"\banew\b": "again",
    r"\bsought\b": "searched",
    r"\bflatters?\b": "is optimistic",
    r"\b(?:goes|going|go) on\b": "continue, resume",
    r"\bhand(?:ed|s)? on\b": "share",
    r"\bstands? (?:in|at|there|beside|under|below|behind|for each|once)\b": "is",
    r"\bwhat (?:it|they) (?:is|are) not for\b": "out of scope",
    r"(?<!there )\bis no (?!longer\b|public\b)\w+": "is not a",
    r"\b(?:one|row|lesions?|candidates?|positives?|bytes|seconds|minutes|number|points|column)"
    r" an? (?:film|lesion|candidate|picture|pixel|line|worker|minute|hour)\b": "per",
    r"\bcrumbs?\b|\bshares? the ground\b|\bof others\b": "plain words",
}
"""Regular expressions of phrases to avoid, each with a replacement."""
OF_OTHERS = {"docs/reference.md", "CHANGELOG.md"}
"""Pages that are not checked: made from the help texts, and a record of the past."""


def prose(text: str) -> str:
    """Return a page without code."""
    return re.sub(r"`[^`\n]*`", "``", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.M))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and MkDocs make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.M)
    return {
        re.sub(r"[ ]+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip())
        for heading in headings
    }


def private_phrases(text: str) -> list[str]:
    """Return the listed phrases that occur in a text, each with its replacement."""
    return [
        f"{found[0]}: {better}"
        for phrase, better in PRIVATE.items()
        for found in re.finditer(phrase, prose(text), flags=re.IGNORECASE)
    ]


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    """Every relative link points to an existing file and heading."""
    page = ROOT / name
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page.read_text(encoding="utf-8"))):
        if target.startswith(("https://", "mailto:")):
            continue
        file, _, anchor = target.partition("#")
        linked = (page.parent / file).resolve() if file else page
        assert linked.is_file(), f"{name} links to {target}"
        if anchor:
            assert anchor in anchors(linked), f"{name} links to {target}"


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OF_OTHERS])
def test_words_are_those_of_the_field(name: str) -> None:
    """No page contains a phrase from the list."""
    assert private_phrases((ROOT / name).read_text(encoding="utf-8")) == []


def test_a_private_phrase_is_noticed() -> None:
    """A listed phrase is found outside of code, and reported with its replacement."""
    assert private_phrases("One row a film, as told. `told`") == [
        "told: report, state, describe",
        "row a film: per",
    ]


@pytest.mark.parametrize("name", [n for n in NAMES if ">>> " in (ROOT / n).read_text("utf-8")])
def test_examples_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Examples after `>>>` print what the page shows."""
    monkeypatch.chdir(ROOT)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    done = doctest.testfile(str(ROOT / name), module_relative=False, optionflags=flags)
    assert done.attempted > 0
    assert done.failed == 0


def test_every_page_is_in_the_navigation() -> None:
    """Every page is in the navigation of the web site, which `scripts/docs` builds."""
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    named = re.findall(r": ([\w-]+\.md)$", navigation, flags=re.M)
    assert sorted(named) == sorted(page.name for page in DOCS.glob("*.md"))
