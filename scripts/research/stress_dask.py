"""Compare a Dask cluster that loses a worker with the local pool: stress_dask.py FOLDER.

FOLDER (new) gets --films films like those of stress_batch.py, one in twenty broken. A scheduler and
two workers are started as separate processes on loopback addresses, and one worker is killed
(SIGKILL) when half of the films are done. Results are compared byte for byte with those of the
local pool. The exit status is 1 if there is any difference. Needs the extra `dask`.
"""

import argparse
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from distributed import Client
from stress_batch import SCAN, differences, doubles, make_films

WORKERS = 2


def main() -> int:
    """Make films, scan them twice, compare; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="new folder for films and results")
    parser.add_argument("--films", type=int, default=500)
    parser.add_argument("--real", type=Path, help="folder of real films; a tenth are of these")
    parser.add_argument("--dask-return", action="store_true", help="workers return their results")
    options = parser.parse_args()
    films, local, out = (options.folder / name for name in ("films", "local", "dask"))
    made = make_films(films, options.films, options.real, np.random.default_rng(1))
    print(", ".join(f"{count:,} {kind}" for kind, count in made.items()), flush=True)
    started = time.monotonic()
    subprocess.run([*SCAN, films, "--out", local], stderr=subprocess.DEVNULL, check=False)
    print(f"local pool: {time.monotonic() - started:.0f} s", flush=True)
    started = time.monotonic()
    how = ["--dask-return"] if options.dask_return else []
    with _cluster() as (address, workers):
        scan = subprocess.Popen(
            [*SCAN, films, "--out", out, "--dask", address, *how], stderr=subprocess.DEVNULL
        )
        killed_at = _wait_for_half(out, options.films, scan)
        workers[0].kill()
        scan.wait()
    print(
        f"Dask: {time.monotonic() - started:.0f} s; a worker of {WORKERS} killed after "
        f"{killed_at} films"
    )
    faults = [*differences(local, out), *doubles(out, films)]
    print("\n".join(faults) or "no differences, no missing and no duplicate films")
    return 1 if faults else 0


@contextmanager
def _cluster() -> Iterator[tuple[str, Sequence["subprocess.Popen[bytes]"]]]:
    """Start a scheduler and workers; yield the address and the workers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    worker = ["dask_worker", address, "--no-dashboard", "--nthreads", "1", "--no-nanny"]
    commands = [["dask_scheduler", "--host", address, "--no-dashboard"], *[worker] * WORKERS]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{program}", *rest],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for program, *rest in commands
    ]
    try:
        with Client(address, timeout=30) as client:
            client.wait_for_workers(WORKERS, timeout=60)
        yield address, started[1:]
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


def _wait_for_half(out: Path, films: int, scan: "subprocess.Popen[bytes]") -> int:
    """Wait until half of the films have their JSON; return their number."""
    while scan.poll() is None:
        done = sum(1 for _ in out.rglob("*.dcm.json"))
        if done >= films // 2:
            return done
        time.sleep(0.2)
    raise SystemExit("the scan ended before half of the films were done")


if __name__ == "__main__":
    sys.exit(main())
