"""Every command refuses pipes, and files that would overload a parser.

Refusing pipes, devices and large files is tested with `lesionscan.files`, and the architecture test
ensures that all files are opened by it; here, the message of each command is tested.
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.command import lesionscan
from tests.evaluation.made import make
from tests.evaluation.paper import A
from tests.review.made import page_folder, plain_review

COMMANDS = {
    "list.txt": ("scan", "--list", "list.txt", "--out", "out"),
    "settings.toml": ("scan", "film.png", "--settings", "settings.toml", "--out", "out"),
    "own.scorer": ("scan", "film.png", "--scorer", "own.scorer", "--out", "out"),
    "truth/index.json": ("evaluate", "results", "truth"),
    "truth/masks/a.lesions.png": ("evaluate", "results", "truth"),
    "results/a.png.json": ("evaluate", "results", "truth"),
    "results/a.png.labels.png": ("evaluate", "results", "truth"),
    "page/run.json": ("review", "page"),
    "page/review.json": ("review", "page"),
    "page/images.csv": ("review", "page", "--apply", "own.json"),
    "review.json": ("review", "page", "--apply", "review.json"),
    "part/run.shard-1-of-1.jsonl": ("merge", "part", "--out", "whole"),
}
"""Files that are replaced by a pipe or by bad content, each with a command that reads it."""


TEXTS = {
    "settings.toml": ("a = " + "[" * 200_000, "shown_score = " + "1" * 5000),
    "truth/index.json": ("[" * 200_000, '[{"name": "a", "lesions": ' + "1" * 5000 + "}]",
                         '[{"name": "\\ud800", "lesions": 0}]'),
    "results/a.png.json": ('{"a":' * 200_000,),
    "page/review.json": ("[" * 200_000, '{"reviewer": "\\ud800"}'),
    "page/run.json": ("[" * 200_000,),
    "page/images.csv": ('"file","frame"\n"a","' + "1" * 5000 + '"\n', '"a"\n"b"\n', '"\n'),
    "part/run.shard-1-of-1.jsonl": (
        "[" * 200_000,
        '{"films": 1000000000, "films_sha256": "", "run": {}}\n',
    ),
}  # fmt: skip
"""Contents of these files that a parser fails on, or that would exhaust the memory."""


def refused(place: str, tmp_path: Path) -> str:
    """Run the command that reads a file, check that it fails with one line, and return the line."""
    names = {"film.png", "out", "results", "truth", "page", "part", "whole", "own.json", place}
    command, *arguments = COMMANDS[place]
    done = lesionscan(command, *(tmp_path / one if one in names else one for one in arguments))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    return done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a film, truth, results and a report."""
    make(tmp_path, [A])
    page_folder(tmp_path / "page")
    (tmp_path / "part").mkdir()
    (tmp_path / "own.json").write_text(json.dumps(plain_review()), encoding="utf-8")
    Image.fromarray(np.full((300, 200), 90, np.uint8)).save(tmp_path / "film.png")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("place", COMMANDS)
def test_a_pipe_is_refused_in_one_line(place: str, folder: Path) -> None:
    """A pipe is refused in one line with its name."""
    pipe = folder / place
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    assert pipe.name in refused(place, folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "number"), [(place, n) for place, texts in TEXTS.items() for n in range(len(texts))]
)
def test_a_text_that_no_parser_takes_is_refused_in_one_line(
    place: str, number: int, folder: Path
) -> None:
    """Deep nesting, huge numbers, lone surrogates and wrong counts are refused in one line."""
    (folder / place).write_text(TEXTS[place][number], encoding="utf-8")
    said = refused(place, folder)
    assert "internal error" not in said
    assert Path(place).parent.name in said
