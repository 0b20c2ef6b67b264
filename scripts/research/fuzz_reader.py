"""Read thousands of damaged files: fuzz_reader.py [--count 20000] [--seed 1] [--first 1].

Sources are the DICOM files that pydicom and pydicom-data ship, declared to be radiographs so that
their pixels are reached, and small PNG, JPEG and TIFF files made here. Each case is one of them
with bytes flipped, tags dropped, lengths and sizes lied about, parts cut, doubled or swapped with
another file's; seed and number decide everything. Every picture of every file is read in a worker
process. A case is a fault when the worker dies, takes over 20 s, or raises anything but the
reader's own error; its file is kept (--keep FOLDER). Exit status 1 where there are faults, or where
a worker's memory ever exceeded --most-mb.

    fuzz_reader.py --halves [--places 200] [--seed 1]

cuts and holes a film of every codec and container instead, at so many places each, and counts how
often a damaged film is read as if it were whole (see `half_films.py`). Exit status 1 where that
happens more often than the codec explains.
"""

import argparse
import io
import resource
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

import half_films
import numpy as np
import pydicom
import tifffile
from PIL import Image
from pydicom.data import get_testdata_files
from pydicom.dataset import Dataset

from lesionscan.batch.pool import Limits, Loss, Work, run_jobs
from lesionscan.codes import ErrorCode
from lesionscan.reading import UnreadableFileError, open_radiographs

DoneT = TypeVar("DoneT")

LARGEST_SOURCE = 300_000
"""Bytes; longer files say nothing more, slower."""
SECONDS = 20
_LIES = (0, 1, 2, 7, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
_VRS = (b"US", b"SS", b"DS", b"IS", b"SQ", b"FD", b"OW", b"OB", b"UN", b"LO", b"CS", b"XX")
_NUMBERS = ("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
            "SamplesPerPixel", "NumberOfFrames", "PlanarConfiguration")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """One damaged file: what makes it."""

    seed: int
    number: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How reading it ended: "ok", a code, or what went wrong; and the worker's peak memory."""

    case: Case
    ending: str
    peak_mb: float = 0.0

    @property
    def is_fault(self) -> bool:
        """Whether it is none of the endings that the reader promises."""
        return self.ending != "ok" and self.ending not in set(ErrorCode)


def main() -> int:
    """Read the cases and print how they ended; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=1, help="number of the first case")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="folder for the files that made a fault")
    parser.add_argument("--most-mb", type=float, default=1024.0)
    parser.add_argument("--halves", action="store_true", help="cut and hole whole films instead")
    parser.add_argument("--places", type=int, default=200, help="of each film and damage")
    options = parser.parse_args()
    if options.halves:
        return _read_halves(options.places, options.seed, options.jobs)
    cases = [Case(options.seed, options.first + number) for number in range(options.count)]
    endings: Counter[str] = Counter()
    peak_mb = 0.0
    faults = 0
    work = Work(read_case, lost, Limits(seconds=SECONDS))
    for _, (outcome,) in run_jobs(work, cases, workers=options.jobs, stopped=lambda: False):
        endings[outcome.ending] += 1
        peak_mb = max(peak_mb, outcome.peak_mb)
        if outcome.is_fault:
            faults += 1
            print(f"seed {outcome.case.seed}, case {outcome.case.number}: {outcome.ending}")
            if options.keep is not None:
                options.keep.mkdir(parents=True, exist_ok=True)
                (options.keep / f"{outcome.case.seed}_{outcome.case.number}").write_bytes(
                    damaged(outcome.case)
                )
    for ending, count in endings.most_common():
        print(f"{count:7,}  {ending}")
    print(f"{len(cases):,} files, {faults} faults; a worker's memory reached {peak_mb:.0f} MB")
    return 1 if faults or peak_mb > options.most_mb else 0


def _read_halves(places: int, seed: int, jobs: int) -> int:
    """Read damaged films of every codec and container; return the exit status."""
    trials = half_films.trials(places, seed)
    work = Work(half_films.run_trial, half_films.lost, Limits(seconds=SECONDS + places))
    found = {
        number: tally
        for number, (tally,) in run_jobs(work, trials, workers=jobs, stopped=lambda: False)
    }
    tallies = [found[number] for number in sorted(found)]
    print(half_films.report(tallies))
    return 1 if any(tally.is_fault for tally in tallies) else 0


def lost(case: Case, loss: Loss) -> Outcome:
    """Say how a worker ended that did not answer."""
    return Outcome(case, f"{loss.code} ({loss.detail})")


def read_case(case: Case) -> Iterator[Outcome]:
    """Make a case's file and read every picture in it."""
    data = damaged(case)
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        ending = _ending(Path(file.name))
    yield Outcome(case, ending, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _ending(path: Path) -> str:
    """Read and show every picture; return the worst ending of any."""
    with ExitStack() as stack:
        frames = _tried(lambda: stack.enter_context(open_radiographs(path)))
        if isinstance(frames, str):
            return frames
        endings = [
            ending
            for number in range(1, frames.count + 1)
            for look in (frames.read, frames.show)
            if isinstance(ending := _tried(partial(look, number)), str)
        ]
    return next((one for one in endings if one.startswith("raised")), (*endings, "ok")[0])


def _tried(look: Callable[[], DoneT]) -> DoneT | str:
    try:
        return look()
    except UnreadableFileError as error:
        return error.code
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        return f"raised {type(error).__name__}"


def damaged(case: Case) -> bytes:
    """Return the bytes of a case."""
    rng = np.random.default_rng((case.seed, case.number))
    files = sources()
    data = bytearray(files[rng.integers(len(files))])
    for _ in range(rng.integers(1, 4)):
        data = _DAMAGES[rng.integers(len(_DAMAGES))](data, rng)
    return bytes(data)


def _flip(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Change some bytes, anywhere or in the first part, where headers are."""
    end = len(data) if rng.random() < 0.5 else min(len(data), 2000)
    for place in rng.integers(0, max(1, end), rng.integers(1, 30)):
        if place < len(data):
            data[place] ^= int(rng.integers(1, 256))
    return data


def _lie(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Write an extreme number where a length or a size may stand."""
    end = len(data) if rng.random() < 0.3 else min(len(data), 2500)
    size = int(rng.choice([2, 4]))
    value = int(rng.choice(_LIES)) & (256**size - 1)
    place = int(rng.integers(0, max(1, end)))
    little = rng.random() < 0.7
    data[place : place + size] = value.to_bytes(size, "little" if little else "big")
    return data


def _cut(data: bytearray, rng: np.random.Generator) -> bytearray:
    """End early: anywhere, or within the header."""
    end = len(data) if rng.random() < 0.6 else min(len(data), 2500)
    return data[: int(rng.integers(0, end + 1))]


def _move(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Leave a piece out, double it, or blank it."""
    start = int(rng.integers(0, len(data) + 1))
    piece = data[start : start + int(rng.integers(1, 400))]
    what = rng.integers(3)
    instead = (bytearray(), piece + piece, bytearray(len(piece)))[what]
    data[start : start + len(piece)] = instead
    return data


def _mix(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Go on as another file."""
    files = sources()
    other = files[rng.integers(len(files))]
    return data[: int(rng.integers(0, len(data) + 1))] + other[int(rng.integers(0, len(other))) :]


def _retype(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Give an element of an explicit header another value representation."""
    found = [at for at in range(132, min(len(data), 4000)) if bytes(data[at : at + 2]) in _VRS]
    if found:
        place = found[rng.integers(len(found))]
        data[place : place + 2] = _VRS[rng.integers(len(_VRS))]
    return data


def _edit(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Drop tags of a DICOM file, or make its numbers impossible; another file stays as it is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ds = pydicom.dcmread(io.BytesIO(data), force=True)
            if rng.random() < 0.5 and len(ds):
                for tag in rng.choice([int(tag) for tag in ds.keys()], rng.integers(1, 4)):  # noqa: SIM118
                    ds.pop(int(tag), None)
            else:
                for name in rng.choice(_NUMBERS, rng.integers(1, 3)):
                    setattr(ds, str(name), int(rng.choice([*_LIES[:8], 16, 512, 10_000, 40_000])))
            out = io.BytesIO()
            pydicom.dcmwrite(out, ds)
        except Exception:  # noqa: BLE001 - damaged too much already for pydicom
            return data
    return bytearray(out.getvalue())


_DAMAGES = (_flip, _flip, _lie, _lie, _cut, _move, _mix, _retype, _edit, _edit, _edit)


@cache
def sources() -> list[bytes]:
    """Return whole files of every kind."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [*_radiographs(), *_rasters()]


def _radiographs() -> Iterator[bytes]:
    found = [Path(name) for name in get_testdata_files()]
    try:
        import data_store
    except ModuleNotFoundError:
        pass
    else:
        found += list(Path(next(iter(data_store.__path__))).rglob("*"))
    for path in sorted(found):
        if not path.is_file() or path.stat().st_size > LARGEST_SOURCE:
            continue
        try:
            ds: Dataset = pydicom.dcmread(path, force=True)
            ds.Modality = "DX"
            out = io.BytesIO()
            pydicom.dcmwrite(out, ds)
        except Exception:  # noqa: BLE001 - as it is must do
            yield path.read_bytes()
        else:
            yield out.getvalue()


def _rasters() -> Iterator[bytes]:
    grey = np.add.outer(np.arange(50), np.arange(60)).astype(np.uint8) * 2
    deep = grey.astype(np.uint16) * 257
    colour = np.stack([grey] * 3, axis=2)
    for array in (grey, deep, colour):
        for kind in ("PNG", "JPEG", "TIFF"):
            if kind == "JPEG" and array.dtype == np.uint16:
                continue
            out = io.BytesIO()
            Image.fromarray(array).save(out, kind)
            yield out.getvalue()
    for options in ({"compression": "lzw"}, {"compression": "zlib", "tile": (16, 16)},
                    {"compression": "jpeg"}, {"bigtiff": True}, {"byteorder": ">"}):  # fmt: skip
        out = io.BytesIO()
        pages = np.stack([grey, 255 - grey]) if "bigtiff" in options else grey
        tifffile.imwrite(out, pages, photometric="minisblack", **options)
        yield out.getvalue()
    out = io.BytesIO()
    tifffile.imwrite(out, deep.astype(np.float32), photometric="minisblack", predictor=True,
                     compression="zlib")  # fmt: skip
    yield out.getvalue()


if __name__ == "__main__":
    sys.exit(main())
