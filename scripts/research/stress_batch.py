"""Kill workers and runs of a scan, and compare the results: stress_batch.py FOLDER [--films 2000].

FOLDER (new) gets films: small phantoms, real films of the folder --real, and one in twenty broken
in one of ten ways. They are scanned once undisturbed, and once with a worker killed (SIGKILL) every
--kill-every films and the whole run killed twice and restarted. Both results are then compared byte
for byte, and the tables are checked for missing and duplicate films. The exit status is 1 if there
is any difference.
"""

import argparse
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
from phantom_copies import copies_of

from lesionscan.reading.sniff import KNOWN_ENDINGS

PHANTOMS = 60
"""Number of different phantoms; the others are copies that differ in one pixel."""
LONG_SIDE_PX = 320
SCAN = (sys.executable, "-m", "lesionscan.cli", "scan")


def main() -> int:
    """Make films, scan them twice, compare; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="new folder for films and results")
    parser.add_argument("--films", type=int, default=2000)
    parser.add_argument("--real", type=Path, help="folder of real films; a tenth are of these")
    parser.add_argument("--kill-every", type=int, default=50, help="films between dead workers")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = np.random.default_rng(options.seed)
    films = options.folder / "films"
    if not films.is_dir():
        made = make_films(films, options.films, options.real, chance)
        print(", ".join(f"{count:,} {kind}" for kind, count in made.items()), flush=True)
    started = time.monotonic()
    subprocess.run(
        [*SCAN, films, "--out", options.folder / "whole", "--jobs", str(options.jobs)],
        stderr=subprocess.DEVNULL,
        check=False,
    )
    print(f"undisturbed: {time.monotonic() - started:.0f} s", flush=True)
    started = time.monotonic()
    workers, runs = scan_disturbed(films, options.folder / "disturbed", options, chance)
    print(
        f"disturbed: {time.monotonic() - started:.0f} s; {workers} workers and {runs} runs killed"
    )
    faults = differences(options.folder / "whole", options.folder / "disturbed")
    faults += doubles(options.folder / "disturbed", films)
    print("\n".join(faults) or "no differences, no missing and no duplicate films")
    return 1 if faults else 0


def make_films(
    folder: Path, count: int, real: Path | None, chance: np.random.Generator
) -> Counter[str]:
    """Write the films; return the number of each kind."""
    folder.mkdir(parents=True)
    copy = copies_of(PHANTOMS, long_side_px=LONG_SIDE_PX)
    originals = [] if real is None else [p for p in sorted(real.rglob("*")) if _is_film(p)]
    made: Counter[str] = Counter()
    for number in range(count):
        path = folder / f"{number % 20:02d}" / f"{number:05d}.dcm"
        path.parent.mkdir(exist_ok=True)
        whole = copy(number)
        if number % 20 == 0:
            way = BROKEN[number // 20 % len(BROKEN)]
            way(path, whole, chance)
            made["broken"] += 1
        elif originals and number % 10 == 1:
            original = originals[number // 10 % len(originals)]
            shutil.copyfile(original, path.with_name(f"{number:05d}{original.suffix}"))
            made["real"] += 1
        else:
            path.write_bytes(whole)
            made["phantoms"] += 1
    return made


def _is_film(path: Path) -> bool:
    return path.suffix.lower() in KNOWN_ENDINGS and path.is_file()


def _empty(path: Path, _whole: bytes, _chance: np.random.Generator) -> None:
    path.write_bytes(b"")


def _text(path: Path, _whole: bytes, _chance: np.random.Generator) -> None:
    path.write_bytes(b"This is a letter, not a film.\n" * 50)


def _noise(path: Path, whole: bytes, chance: np.random.Generator) -> None:
    path.write_bytes(chance.bytes(len(whole)))


def _noise_after_the_mark(path: Path, whole: bytes, chance: np.random.Generator) -> None:
    path.write_bytes(whole[:132] + chance.bytes(2000))


def _cut_in_the_header(path: Path, whole: bytes, _chance: np.random.Generator) -> None:
    path.write_bytes(whole[:400])


def _cut_in_the_pixels(path: Path, whole: bytes, _chance: np.random.Generator) -> None:
    path.write_bytes(whole[: len(whole) // 2])


def _without_pixels(path: Path, whole: bytes, _chance: np.random.Generator) -> None:
    path.write_bytes(whole[: whole.rindex(b"\xe0\x7f\x10\x00")])


def _no_rows(path: Path, whole: bytes, _chance: np.random.Generator) -> None:
    at = whole.index(b"\x28\x00\x10\x00US") + 8
    path.write_bytes(whole[:at] + b"\0\0" + whole[at + 2 :])


def _nowhere(path: Path, _whole: bytes, _chance: np.random.Generator) -> None:
    path.symlink_to(path.with_name("gone"))


def _pipe(path: Path, _whole: bytes, _chance: np.random.Generator) -> None:
    os.mkfifo(path)


BROKEN: tuple[Callable[[Path, bytes, np.random.Generator], None], ...] = (
    _empty,
    _text,
    _noise,
    _noise_after_the_mark,
    _cut_in_the_header,
    _cut_in_the_pixels,
    _without_pixels,
    _no_rows,
    _nowhere,
    _pipe,
)


def scan_disturbed(
    films: Path, out: Path, options: argparse.Namespace, chance: np.random.Generator
) -> tuple[int, int]:
    """Scan while killing workers and runs; return the number of each."""
    log = out.with_suffix(".jsonl")
    run_ends = [options.films // 3, 2 * options.films // 3]
    killed = [0, 0]
    before = 0  # films done in the runs that were killed
    while True:
        log.unlink(missing_ok=True)  # of the previous run
        scan = subprocess.Popen(
            [*SCAN, films, "--out", out, "--jobs", str(options.jobs), "--log-json", log],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        next_kill = options.kill_every
        while scan.poll() is None:
            time.sleep(0.05)
            done = _new_films(log)
            if done >= next_kill:
                next_kill = done + options.kill_every
                killed[0] += _kill_a_worker(scan.pid, chance)
            if run_ends and before + done >= run_ends[0]:
                run_ends.pop(0)
                scan.kill()
                killed[1] += 1
        scan.wait()
        if scan.returncode != -signal.SIGKILL:
            break
        before += _new_films(log)
    failed = _codes(log).get("crashed", 0)
    if failed:  # films whose workers were killed twice here
        subprocess.run(
            [*SCAN, films, "--out", out, "--jobs", str(options.jobs)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    return killed[0], killed[1]


def _events(log: Path) -> list[dict[str, object]]:
    try:
        lines = log.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines if line.endswith("}")]


def _new_films(log: Path) -> int:
    return sum(event["event"] == "picture" and not event["resumed"] for event in _events(log))


def _codes(log: Path) -> Counter[object]:
    return Counter(event.get("code") for event in _events(log))


def _kill_a_worker(parent: int, chance: np.random.Generator) -> int:
    try:
        workers = [
            child
            for child in psutil.Process(parent).children()
            if "resource_tracker" not in " ".join(child.cmdline())
        ]
        if not workers:
            return 0
        workers[int(chance.integers(len(workers)))].kill()
    except psutil.Error:
        return 0  # it has just ended
    return 1


def differences(whole: Path, other: Path) -> list[str]:
    """Return differences between two results, except run.json and the accounts of the run."""
    one, two = (
        {
            path.relative_to(out)
            for path in out.rglob("*")
            if path.is_file() and not path.name.startswith(".lesionscan-written-")
        }
        for out in (whole, other)
    )
    said = [f"only in one of them: {path}" for path in sorted(one ^ two)]
    same = sorted((one & two) - {Path("run.json")})
    different = (p for p in same if (whole / p).read_bytes() != (other / p).read_bytes())
    return said + [f"differs: {path}" for path in different]


def doubles(out: Path, films: Path) -> list[str]:
    """Return missing and duplicate films in images.csv, and duplicate candidates."""
    with (out / "images.csv").open(encoding="utf-8", newline="") as stream:
        rows = Counter((row["file"], row["frame"]) for row in csv.DictReader(stream))
    with (out / "candidates.csv").open(encoding="utf-8", newline="") as stream:
        candidates = Counter(
            (row["file"], row["frame"], row["id"]) for row in csv.DictReader(stream)
        )
    listed = {file for file, _ in rows}
    there = {path.relative_to(films).as_posix() for path in films.rglob("*") if not path.is_dir()}
    return [
        *(f"lost: {name}" for name in sorted(there - listed)),
        *(f"double: {row}" for row, count in rows.items() if count > 1),
        *(f"double: {row}" for row, count in candidates.items() if count > 1),
    ]


if __name__ == "__main__":
    sys.exit(main())
