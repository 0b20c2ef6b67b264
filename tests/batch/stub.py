"""Fast replacement for the detection; the film's first pixel makes it crash, hang or raise.

Run as a program, this is the command line with that detection. Worker processes import the main
module again, so they use it too.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from lesionscan.batch.job import process
from lesionscan.batch.outcome import Job, Outcome
from lesionscan.detection import pipeline
from lesionscan.detection.pipeline import Findings
from lesionscan.detection.scorer.scorer_file import Scorer, shipped_scorer
from lesionscan.radiograph import Radiograph
from lesionscan.settings import Settings
from tests.reporting.made import Disk, Film, make_findings

KILL, RAISE, NO_MEMORY, HANG, GORGE = 201, 202, 203, 204, 205
"""Values of a film's first pixel at which the stub kills its process, raises `ValueError` or
`MemoryError`, hangs for a minute, or allocates 700 MB."""


def find_stub(
    radiograph: Radiograph, settings: Settings | None = None, scorer: Scorer | None = None
) -> Findings:
    """Return one candidate in the centre and one above it, whatever the film shows."""
    time.sleep(float(os.environ.get("STUB_SECONDS", "0")))
    order = int(radiograph.pixels[0, 0])
    if order == KILL:
        os.kill(os.getpid(), signal.SIGKILL)
    if order == HANG:
        time.sleep(60)
    if order == GORGE:
        held = bytearray(os.urandom(1 << 20) * 700)
        time.sleep(60)
        del held
    if order == RAISE:
        raise ValueError("PatientName Smith")
    if order == NO_MEMORY:
        raise MemoryError
    rows, columns = radiograph.shape
    score = round(float(np.clip(radiograph.pixels[0, 1] / 255, 0, 1)), 3)
    made = make_findings(
        Film(
            rows=rows,
            columns=columns,
            disks=(Disk(rows // 2, columns // 2, 6, score), Disk(rows // 4, columns // 2, 4, 0.1)),
            settings=settings or Settings(),
            scorer_sha256=(scorer or shipped_scorer()).sha256,
        )
    )
    return Findings(
        radiograph=radiograph,
        settings=made.settings,
        scorer_sha256=made.scorer_sha256,
        image=pipeline.normalise_film(radiograph, made.settings).image,
        exposed=made.exposed,
        lucency=made.lucency,
        bone=made.bone,
        bone_confidence=made.bone_confidence,
        assessed=True,
        labels=made.labels,
        candidates=made.candidates,
    )


def here(
    jobs: Sequence[Job], stopped: Callable[[], bool]
) -> Iterator[tuple[int, tuple[Outcome, ...]]]:
    """Process the jobs in this process, where tests can monkeypatch: an `Engine`."""
    for number, job in enumerate(jobs):
        if stopped():
            return
        yield number, tuple(process(job))


if __name__ in {"__main__", "__mp_main__"}:
    pipeline.find_candidates = find_stub
if __name__ == "__main__":
    from lesionscan.cli import main

    sys.argv[0] = "lesionscan"
    main()
