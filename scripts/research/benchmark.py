"""Measure time and peak memory of every step, on one thread: benchmark.py [FILM].

Three films are measured: FILM (default: RG2 of the shared data, skipped if missing), the same
uncompressed, and a phantom. The time of a scan, including reading and all outputs, alternates with
that of scikit-image's `blob_log` on the same film reduced to 512 pixels, and the ratio of each pair
is computed. The steps inside `find_candidates` are timed by wrapping the functions that
`lesionscan.detection.pipeline` calls, and the network's `look`. The scorer's file is read before,
as once per process.

Peak memory is the process's high-water mark after the step, in a new process that scans one film
once: the step where it rises is the step that needs it. On Linux, child processes inherit the mark,
so this process stays small: the phantom is also made in a process of its own.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[2]
RG2 = ROOT / ".." / "shared" / "data" / "dicom" / "RG2_J2KR.dcm"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
BLOB_LOG_LONG_SIDE_PX = 512
BLOB_LOG = {"min_sigma": 2, "max_sigma": 24, "num_sigma": 10}
WHOLE = "find_candidates"
REST = "(rest: grid, records)"

T = TypeVar("T")


class Clock:
    """Sum of seconds, and peak memory in MB, by the name of the step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.peak_mb: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure the body of the with statement."""
        started = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started
        self.peak_mb[name] = _peak_mb()

    def wrap(self, name: str, function: Callable[..., T]) -> Callable[..., T]:
        """Return the function with its calls measured as a step."""

        def measured(*args: object, **kwargs: object) -> T:
            with self.step(name):
                return function(*args, **kwargs)

        return measured


def main() -> None:
    """Measure the films and print a table for each."""
    arguments = _arguments()
    if arguments.child == "measure":
        print(json.dumps(_measure(arguments.film, arguments.repeats)))
        return
    if arguments.child == "phantom":
        _write_phantom(arguments.film, megapixels=arguments.megapixels)
        return
    if arguments.child == "uncompress":
        _write_uncompressed(arguments.film, arguments.to)
        return
    print(f"{platform.platform()}, Python {platform.python_version()}, one thread")
    print(f"seconds: median of {arguments.repeats}; peak memory: high-water mark after the step")
    with tempfile.TemporaryDirectory() as folder:
        if arguments.film.is_file():
            _report(arguments.film, arguments.repeats)
            plain = Path(folder) / f"{arguments.film.name}, uncompressed"
            _in_fresh_process("uncompress", arguments.film, "--to", plain)
            _report(plain, arguments.repeats)
        else:
            print(f"\n{arguments.film.name}: skipped, there is no such file ({arguments.film})")
        phantom = Path(folder) / f"phantom of {arguments.megapixels:g} megapixels"
        _in_fresh_process("phantom", phantom, "--megapixels", arguments.megapixels)
        _report(phantom, arguments.repeats)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("film", nargs="?", type=Path, default=RG2, help="a film to measure")
    parser.add_argument("--megapixels", type=float, default=10.0, help="size of the phantom")
    parser.add_argument("--repeats", type=int, default=5, help="scans of each film")
    parser.add_argument("--to", type=Path, help=argparse.SUPPRESS)
    parser.add_argument(
        "--child", choices=["measure", "phantom", "uncompress"], help=argparse.SUPPRESS
    )
    return parser.parse_args()


def _write_phantom(path: Path, *, megapixels: float) -> None:
    from lesionscan.simulation.dicom_file import write_dicom
    from lesionscan.simulation.phantom import make_phantom

    rows, columns = make_phantom("knee", 1, lesions=0, long_side_px=256).stored.shape
    long_side_px = round((megapixels * 1e6 * rows / columns) ** 0.5)
    write_dicom(path, make_phantom("knee", 1, lesions=3, long_side_px=long_side_px))


def _write_uncompressed(film: Path, to: Path) -> None:
    """Write a film with the same header and uncompressed pixels."""
    import imagecodecs
    import pydicom
    from pydicom.encaps import generate_frames
    from pydicom.uid import ExplicitVRLittleEndian

    dataset = pydicom.dcmread(film)
    if dataset.file_meta.TransferSyntaxUID.is_compressed:
        frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
        dataset.PixelData = imagecodecs.imread(frame).tobytes()
        dataset["PixelData"].VR = "OW"
        dataset["PixelData"].is_undefined_length = False
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(to)


def _report(film: Path, repeats: int) -> None:
    """Measure a film in two new processes, one for time and one for memory; print the table."""
    timed, once = (
        json.loads(_in_fresh_process("measure", film, "--repeats", times)) for times in (repeats, 1)
    )
    rows, columns = timed["shape"]
    median = {
        name: statistics.median(run[name] for run in timed["seconds"])
        for name in timed["seconds"][0]
    }
    print(f"\n{film.name}: {rows} x {columns} pixels, {timed['candidates']} candidates")
    print(f"  {'step':28}{'seconds':>10}{'peak MB':>10}")
    print(f"  {'(libraries, scorer loaded)':28}{'':>10}{once['loaded_mb']:10.0f}")
    total = 0.0
    for name, seconds in median.items():
        inside = name.startswith(" ")
        total += 0.0 if inside else seconds
        peak = once["peak_mb"].get(name)
        print(f"  {name:28}{seconds:10.3f}" + (f"{peak:10.0f}" if peak is not None else ""))
    print(f"  {'together':28}{total:10.3f}")
    scans, blob_logs = zip(*timed["pairs"], strict=True)
    blob_log = statistics.median(blob_logs)
    print(f"  as a scan does it, files written: {statistics.median(scans):.3f} s")
    print(f"  blob_log of scikit-image at {BLOB_LOG_LONG_SIDE_PX} px: {blob_log:.3f} s")
    for name, seconds in (("the scan", 0.0), ("the scan but for reading", median["read"])):
        ratio = statistics.median((scan - seconds) / blob for scan, blob in timed["pairs"])
        print(f"  {name} / blob_log, median of pairs: {ratio:.2f}", flush=True)


def _in_fresh_process(task: str, film: Path, *options: object) -> str:
    """Run this script for one task in a new process and return what it prints."""
    command = [sys.executable, __file__, str(film), "--child", task, *map(str, options)]
    environment = {**os.environ, **ONE_THREAD}
    return subprocess.run(
        command, stdout=subprocess.PIPE, check=True, text=True, env=environment
    ).stdout


def _measure(film: Path, repeats: int) -> dict[str, Any]:
    """Scan a film several times in this process and return time and memory of each step."""
    from lesionscan.batch.pool import settle_worker
    from lesionscan.detection import pipeline
    from lesionscan.detection.scorer.network import Network
    from lesionscan.detection.scorer.scorer_file import shipped_scorer
    from lesionscan.reading import read_radiograph
    from lesionscan.reporting.conversion import ok_record
    from lesionscan.reporting.overlay import bone_png, displayed, labels_png, overlay_png
    from lesionscan.reporting.page.view import Backdrop, film_view
    from lesionscan.results.record import PicturesRecord
    from lesionscan.results.sealed import sealed_json

    settle_worker()
    shipped_scorer()
    hashes = PicturesRecord(labels_sha256="0" * 64, bone_sha256="0" * 64, overlay_sha256="0" * 64)
    loaded_mb = _peak_mb()
    seconds = []
    for _ in range(repeats):
        clock = Clock()
        with clock.step("read"):
            radiograph = read_radiograph(film)
        run = clock.wrap("  network", Network.run)
        with (
            patch.object(Network, "run", run),
            _measured_steps(pipeline.__dict__, clock),
            clock.step(WHOLE),
        ):
            findings = pipeline.find_candidates(radiograph)
        with clock.step("labels"):
            labels_png(findings)
            bone_png(findings)
        with clock.step("json"):
            record = ok_record(findings, file=film.name, sha256=None)
            record = record.model_copy(update={"pictures": hashes})
            sealed_json(record)
        with clock.step("overlay"):
            backdrop = Backdrop.of(findings)
            most = findings.settings.overlay_max_px
            picture = displayed(findings.image, backdrop.window, at_most_px=most)
            overlay_png(record, picture)
        with clock.step("report page"):
            film_view(record, backdrop, picture)
        seconds.append(_in_order(clock.seconds))
    return {
        "shape": radiograph.shape,
        "candidates": len(findings.candidates),
        "loaded_mb": loaded_mb,
        "seconds": seconds,
        "peak_mb": clock.peak_mb,
        "pairs": [(_scan_seconds(film), _blob_log_seconds(findings.image)) for _ in range(repeats)],
    }


@contextmanager
def _measured_steps(namespace: dict[str, Any], clock: Clock) -> Iterator[None]:
    """Measure the functions that the pipeline imports, by module."""
    own = namespace["__name__"]
    room = own.rpartition(".")[0] + "."
    scorer = f"{room}scorer."  # its file is read before
    steps = {
        name: value
        for name, value in namespace.items()
        if callable(value)
        and not isinstance(value, type)
        and (getattr(value, "__module__", None) or "").startswith(room)
        and value.__module__ != own
        and not value.__module__.startswith(scorer)
    }
    try:
        for name, function in steps.items():
            namespace[name] = clock.wrap("  " + function.__module__.removeprefix(room), function)
        yield
    finally:
        namespace.update(steps)


def _in_order(seconds: dict[str, float]) -> dict[str, float]:
    """Put the total before its steps, and the unattributed rest after them."""
    inside = {name: value for name, value in seconds.items() if name.startswith(" ")}
    rest = seconds[WHOLE] - sum(inside.values())
    ordered = {"read": seconds["read"], WHOLE: seconds[WHOLE], **inside, f"  {REST}": rest}
    return {**ordered, **seconds}


def _scan_seconds(film: Path) -> float:
    """Return the seconds that a worker of a scan needs for a film, including writing files."""
    from lesionscan.batch.job import process
    from lesionscan.batch.outcome import Job
    from lesionscan.settings import Settings

    with tempfile.TemporaryDirectory() as folder:
        job = Job(film, film.name, Path(folder), Settings(), scorer=None, resume=False)
        started = time.perf_counter()
        (outcome,) = process(job)
        seconds = time.perf_counter() - started
    if outcome.status != "ok":
        raise SystemExit(f"{film}: {outcome.error}")
    return seconds


def _blob_log_seconds(image: Any) -> float:  # noqa: ANN401 - numpy is not loaded up here
    """Return the seconds that scikit-image needs to find dark blobs in the reduced film."""
    import cv2
    from skimage.feature import blob_log

    scale = min(1.0, BLOB_LOG_LONG_SIDE_PX / max(image.shape))
    small = cv2.resize(1.0 - image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    started = time.perf_counter()
    blob_log(small, **BLOB_LOG)  # scikit-image is half typed
    return time.perf_counter() - started


def _peak_mb() -> float:
    """Return the peak memory of this process so far, in MB."""
    unit_bytes = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit_bytes / 1e6


if __name__ == "__main__":
    main()
