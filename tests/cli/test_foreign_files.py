"""Pipes where a command reads a file that somebody else may have put there.

How such files, devices and files of any size are refused is tested with `lesionscan.files`, and
the test of the architecture sees to it that nothing else reads; here, that each command says so.
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
"""Where the pipe is, and a command that reads it."""


@pytest.mark.parametrize("place", COMMANDS)
def test_a_pipe_is_refused_in_one_line(place: str, tmp_path: Path) -> None:
    """At once, with its name, and with nothing on stdout."""
    make(tmp_path, [A])
    page_folder(tmp_path / "page")
    (tmp_path / "own.json").write_text(json.dumps(plain_review()), encoding="utf-8")
    film = np.full((300, 200), 90, np.uint8)
    Image.fromarray(film).save(tmp_path / "film.png")
    pipe = tmp_path / place
    pipe.parent.mkdir(exist_ok=True)
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    names = {"film.png", "out", "results", "truth", "page", "part", "whole"}
    names |= {place, "own.json"}
    command, *arguments = COMMANDS[place]
    done = lesionscan(command, *(tmp_path / one if one in names else one for one in arguments))
    lines = done.stderr.splitlines()
    assert (done.returncode, len(lines)) == (2, 1), done.stderr
    assert pipe.name in lines[0]
