"""Names of the files about a whole run."""

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from lesionscan.reporting.tables import CANDIDATE_TABLE, IMAGE_TABLE, Column
from lesionscan.results.own_files import OwnFiles
from lesionscan.results.paths import ASSETS_FOLDER, FOLDER, INDEX, PAGE_NAME

RUN_NAME = "run.json"
TABLES: Mapping[str, Sequence[Column[Any]]] = {"images": IMAGE_TABLE, "candidates": CANDIDATE_TABLE}
"""Columns of the tables, by name without ending."""
COCO_NAMES = ("coco.json", "coco_results.json")

SHARD_NAME = re.compile(r"run\.shard-(\d+)-of-(\d+)\.jsonl")


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
    """Return the writer of the files about a run in an output folder."""
    return OwnFiles(out, private=f"{FOLDER}/")
