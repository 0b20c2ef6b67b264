"""Run the command line as users do, and read the files that it writes."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

import pytest

from lesionscan.batch import run
from lesionscan.cli import main
from lesionscan.detection import pipeline
from tests.batch.stub import find_stub, here

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "lesionscan.cli"]
STUB = [sys.executable, "-m", "tests.batch.stub"]


def lesionscan(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run the command line in this process, which saves a second of imports per call.

    The output is captured from the file descriptors, so it includes what libraries and worker
    processes print.
    """
    command = ["lesionscan", *map(str, arguments)]
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(sys, "argv", command)
        patch.setenv("COLUMNS", "100")
        patch.chdir(cwd)
        printed = [stack.enter_context(_captured(name, patch)) for name in ("stdout", "stderr")]
        with pytest.raises(SystemExit) as end:
            main()
        sys.stdout.flush()
        sys.stderr.flush()
        for stream in printed:
            stream.seek(0)
        return subprocess.CompletedProcess(
            command, int(end.value.code or 0), *(stream.read() for stream in printed)
        )


def with_stub(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run the command line in this process with the stub detection, without workers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "find_candidates", find_stub)
        patch.setattr(run, "local_workers", lambda *_: here)
        return lesionscan(*arguments, cwd=cwd)


def stub_process(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run the command line with the stub detection in a separate process with workers."""
    return subprocess.run(
        [*STUB, *map(str, arguments)],
        capture_output=True, text=True, timeout=120, cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}, check=False,
    )  # fmt: skip


@contextmanager
def _captured(name: str, patch: pytest.MonkeyPatch) -> Iterator[TextIO]:
    """Yield a file that captures `sys.stdout` or `sys.stderr` and its file descriptor."""
    number = {"stdout": 1, "stderr": 2}[name]
    before = os.dup(number)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
        os.dup2(file.fileno(), number)
        try:
            with open(number, "w", encoding="utf-8", closefd=False) as stream:
                patch.setattr(sys, name, stream)
                yield file
        finally:
            os.dup2(before, number)
            os.close(before)


def files(folder: Path) -> dict[str, bytes]:
    """Return the bytes of all files in a folder by relative path, without hidden lists of files."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".lesionscan-written-")
    }
