"""The page's JavaScript passes TypeScript's checks: names, numbers of arguments, unused locals."""

import shutil
import subprocess
from pathlib import Path

import pytest

import lesionscan.reporting.page

SCRIPTS = sorted((Path(lesionscan.reporting.page.__file__).parent / "assets").glob("*.js"))
CHECKS = (
    *("--allowJs", "--checkJs", "--noEmit", "--target", "es2022"),
    *("--lib", "es2022,dom,dom.iterable", "--noUnusedLocals", "--noUnusedParameters"),
    *("--noFallthroughCasesInSwitch", "--allowUnreachableCode", "false"),
)


def check(*scripts: Path) -> str:
    """Check scripts, which share their names as those of a page do; return what is wrong."""
    program = shutil.which("tsc")
    if program is None:
        pytest.skip("tsc (TypeScript) is not installed")
    done = subprocess.run(
        [program, *CHECKS, *map(str, scripts)], capture_output=True, text=True, check=False
    )
    return done.stdout


def test_the_scripts_pass() -> None:
    """All together."""
    assert len(SCRIPTS) >= 9
    assert check(*SCRIPTS) == ""


def test_a_wrong_call_is_found(tmp_path: Path) -> None:
    """The check checks."""
    script = tmp_path / "wrong.js"
    script.write_text("element('p', 'words', 'name', 'more');\nfilms_list();\n")
    said = check(*SCRIPTS, script)
    assert "Expected 1-3 arguments, but got 4" in said
    assert "Cannot find name 'films_list'" in said
