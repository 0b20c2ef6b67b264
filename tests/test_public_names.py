"""The public names of the package `lesionscan`."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import lesionscan

STUB = Path(lesionscan.__file__).with_suffix(".pyi")


def homes() -> dict[str, str]:
    """Return the module that each public name comes from."""
    return {
        alias.name: f"lesionscan.{node.module}"
        for node in ast.walk(ast.parse(STUB.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_all_is_what_is_importable() -> None:
    """Every public name can be imported, and is declared in the stub."""
    assert {*homes(), "__version__"} == set(lesionscan.__all__)
    for name in lesionscan.__all__:
        assert getattr(lesionscan, name) is not None
    assert set(lesionscan.__all__) - {"__version__"} <= set(dir(lesionscan))


def test_names_are_those_of_their_modules() -> None:
    """A public name refers to the object in the module that defines it."""
    from lesionscan.detection.pipeline import find_candidates

    assert lesionscan.find_candidates is find_candidates
    for name, home in homes().items():
        assert getattr(lesionscan, name).__module__.startswith(home)


def test_an_unknown_name_is_refused() -> None:
    """An unknown name raises AttributeError."""
    with pytest.raises(AttributeError, match="No lesionscan attribute find_lesions"):
        getattr(lesionscan, "find_lesions")  # noqa: B009 - type checkers refuse it as an attribute


def test_nothing_heavy_is_loaded_before_it_is_used() -> None:
    """Importing the package and its command line loads none of the numerical libraries."""
    code = (
        "import sys, lesionscan.cli; "
        "print(sorted({'numpy', 'scipy', 'cv2', 'skimage', 'pydicom', 'pydantic'} "
        "& set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
