"""The files about a whole run: their names, and which of them are lesionscan's own."""

import re
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from lesionscan.files import open_ordinary
from lesionscan.reporting.tables import CANDIDATE_TABLE, IMAGE_TABLE
from lesionscan.results.own_files import OwnFiles
from lesionscan.results.paths import ASSETS_FOLDER, FOLDER, INDEX, PAGE_NAME

RUN_NAME = "run.json"
TABLES = {"images": IMAGE_TABLE, "candidates": CANDIDATE_TABLE}
"""Names of the tables without endings, and their columns."""
COCO_NAMES = ("coco.json", "coco_results.json")

SHARD_NAME = re.compile(r"run\.shard-(\d+)-of-(\d+)\.jsonl")

_MARKS = {
    RUN_NAME: b'{\n  "schema_version": "1.3",\n  "tool": {\n    "name": "lesionscan",',
    PAGE_NAME: b"<title>lesionscan report</title>",
    INDEX: b"lesionscan.run(",
    COCO_NAMES[0]: b'{"info": {"description": "lytic lesion candidates found by lesionscan.',
    "images.csv": b"file,frame,sha256,status,",
    "candidates.csv": b"file,frame,id,score,shown,",
}
"""What stands near the beginning of a file of schema_version 1.3, which kept no account."""
_MARKED_BYTES = 4096


def names_of_run() -> list[str]:
    """Return the names of all files about a run, relative to the output folder."""
    assets = sorted(
        asset.name for asset in (files("lesionscan.reporting.page") / "assets").iterdir()
    )
    return [
        RUN_NAME,
        *(f"{name}.{ending}" for name in TABLES for ending in ("csv", "parquet")),
        *COCO_NAMES,
        PAGE_NAME,
        INDEX,
        *(f"{ASSETS_FOLDER}/{name}" for name in assets if name != PAGE_NAME),
    ]


def files_of_run(out: Path) -> OwnFiles:
    """Return what writes and removes files about a run.

    Parameters
    ----------
    out
        The output folder.
    """
    earlier = _MARKS[RUN_NAME] in _beginning(out / RUN_NAME)
    also_own = _is_of_earlier_run if earlier else _is_of_earlier_part
    return OwnFiles(out, also_own=also_own, private=f"{FOLDER}/")


def _is_of_earlier_part(name: str, path: Path) -> bool:
    return bool(SHARD_NAME.fullmatch(name)) and _beginning(path).startswith(b'{"films": ')


def _is_of_earlier_run(name: str, path: Path) -> bool:
    if name == COCO_NAMES[1]:  # which looks like any list; its fellow does not
        name, path = COCO_NAMES[0], path.with_name(COCO_NAMES[0])
    if name.startswith(f"{ASSETS_FOLDER}/"):
        return path.is_file()
    known = name in _MARKS and _MARKS[name] in _beginning(path)
    return known or _is_of_earlier_part(name, path)


def _beginning(path: Path) -> bytes:
    with suppress(OSError), open_ordinary(path) as stream:
        return stream.read(_MARKED_BYTES)
    return b""
