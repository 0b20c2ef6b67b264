"""The page's JavaScript passes TypeScript's checks: names, argument counts, unused locals."""

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


def test_the_scripts_pass_and_wrong_calls_are_found(tmp_path: Path) -> None:
    """TypeScript finds no error in the scripts, and does find those of a wrong script."""
    program = shutil.which("tsc")
    if program is None:
        pytest.skip("tsc (TypeScript) is not installed")
    assert len(SCRIPTS) >= 9
    wrong = tmp_path / "wrong.js"
    wrong.write_text("element('p', 'words', 'name', 'more');\nfilms_list();\n")
    done = subprocess.run(
        [program, *CHECKS, *SCRIPTS, wrong], capture_output=True, text=True, check=False
    )
    first, second = done.stdout.splitlines()
    assert "wrong.js(1," in first
    assert "Expected 1-3 arguments, but got 4" in first
    assert "wrong.js(2," in second
    assert "Cannot find name 'films_list'" in second
