"""Valid names of results."""

import os

import pytest

from lesionscan.results.names import is_result_name


@pytest.mark.parametrize(
    "name", ["a", "a/b.dcm", ".a", "a..", "...", "a b/ü:1\\2" * (os.sep == "/") or "a"]
)
def test_relative_paths_that_stay_inside_are_names(name: str) -> None:
    """Relative paths that stay inside the folder are valid, also with unusual characters."""
    assert is_result_name(name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "/a", "a/", "a//b", "a/./b", "a/../b", "../a", "a\0b", "\0"]
)
def test_other_names_are_none(name: str) -> None:
    """Names that leave the folder, name the folder itself or cannot be a file's are invalid."""
    assert not is_result_name(name)
