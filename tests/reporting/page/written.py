"""Results folders made without a scan, for the tests of the page."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lesionscan.detection.pipeline import Findings
from lesionscan.reporting.conversion import ok_record
from lesionscan.reporting.page.index import (
    RunFacts,
    index_head,
    index_line,
    write_page,
)
from lesionscan.reporting.page.view import Backdrop, film_view
from lesionscan.results.atomic import write_bytes
from lesionscan.results.own_files import OwnFiles
from lesionscan.results.paths import FILMS_FOLDER, INDEX
from lesionscan.results.record import PicturesRecord, ResultRecord
from lesionscan.results.sealed import sealed_json
from tests.reporting.made import Film, displayed_of, make_findings
from tests.results.test_record import failed_json, parsed

RUN = RunFacts(
    version="0.1.0",
    settings_sha256="1" * 64,
    scorer_sha256="2" * 64,
    shown_score=0.5,
    not_done=3,
)


def recorded(findings: Findings, name: str = "a/knee.dcm") -> ResultRecord:
    """Return the record of findings, with hashes of pictures."""
    hashes = PicturesRecord(labels_sha256="3" * 64, bone_sha256="4" * 64, overlay_sha256="5" * 64)
    record = ok_record(findings, file=name, sha256="0" * 64)
    return record.model_copy(update={"pictures": hashes})


def write_results(out: Path, films: Iterable[tuple[str, Film]], *, failures: int = 0) -> Path:
    """Write the page of some films, with their JSON, and return its path."""
    lines = [index_head(RUN)]
    for name, film in films:
        findings = make_findings(film)
        picture = displayed_of(findings)
        record = recorded(findings, name)
        data = sealed_json(record)
        view = film_view(record, Backdrop.of(findings), picture)
        assert view.picture is not None
        assert view.thumbnail is not None
        write_bytes(out / f"{name}.json", data, within=out)
        for ending, part in (
            ("page.js", view.script),
            ("page.jpg", view.picture),
            ("page-s.jpg", view.thumbnail),
        ):
            write_bytes(out / FILMS_FOLDER / f"{name}.{ending}", part, within=out)
        lines.append(index_line(parsed(json.loads(data))))
    for number in range(failures):
        failed = failed_json()
        failed["input"]["file"] = f"broken_{number}.dcm"
        lines.append(index_line(parsed(failed)))
    write_bytes(out / INDEX, b"".join(lines), within=out)
    return write_page(OwnFiles(out))


def calls(script: bytes) -> list[tuple[str, Any]]:
    """Return the calls of a data script: the function's name and its argument."""
    found = []
    for line in script.decode("ascii").splitlines():
        call = re.fullmatch(r"lesionscan\.(\w+)\((.*)\);", line)
        assert call is not None
        found.append((call[1], json.loads(call[2])))
    return found
