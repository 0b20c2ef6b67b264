"""Damage films of every codec and container at many places, for `fuzz_reader.py --halves`.

The damages, each at the given number of places:

- cut: the file ends early, as after an interrupted copy;
- closed: the compressed picture ends early, but has the end marker of the codec, and the lengths of
  the container are corrected;
- gap: a part of the compressed picture is missing, with corrected lengths (a lost fragment);
- hole: a part of the file is zeros, like an unreadable sector.

A damaged film may be refused, be read with an additional notice, or give exactly the pixels of the
undamaged film. Anything else is silent. A cut, a closed cut and a gap must not be silent. A hole
may be, if the codec cannot detect it: `Film.unseen` states the largest fraction for each codec, and
the reason.
"""

import math
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from film_of_every_codec import DAMAGES, Damage, films

from lesionscan.batch.pool import Loss
from lesionscan.radiograph import Radiograph
from lesionscan.reading import UnreadableFileError, read_radiograph

ENDINGS: Final = ("refused", "warned", "unharmed", "silent")


@dataclass(frozen=True, slots=True)
class Trial:
    """One film and one damage, and the number of places."""

    film: str
    damage: Damage
    places: int
    seed: int


@dataclass(frozen=True, slots=True)
class Tally:
    """Outcomes of a trial.

    Attributes
    ----------
    endings
        Counts of "refused", "warned", "unharmed", "silent" and, for faults, exceptions.
    silent_places
        Numbers of the silent places.
    """

    trial: Trial
    endings: Mapping[str, int]
    silent_places: tuple[int, ...] = ()

    @property
    def is_fault(self) -> bool:
        """Whether more places were silent than the codec allows, or reading ended otherwise."""
        if set(self.endings) - set(ENDINGS):
            return True
        share = films()[self.trial.film].unseen.get(self.trial.damage, 0.0)
        return self.endings.get("silent", 0) > math.ceil(share * self.trial.places)


def trials(places: int, seed: int) -> list[Trial]:
    """Return every film with every damage."""
    return [Trial(name, damage, places, seed) for name in films() for damage in DAMAGES]


def run_trial(trial: Trial) -> Iterator[Tally]:
    """Damage a film at each place, read it, and compare it with the undamaged film."""
    film = films()[trial.film]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film"
        path.write_bytes(film.build(film.stream))
        whole = read_radiograph(path)
        endings: Counter[str] = Counter()
        silent = []
        for place in range(trial.places):
            path.write_bytes(damaged_film(trial, place))
            ending = _ending(path, whole)
            endings[ending] += 1
            if ending == "silent":
                silent.append(place)
    yield Tally(trial, dict(endings), tuple(silent))


def damaged_film(trial: Trial, place: int) -> bytes:
    """Return the bytes of the film with the damage at one of its places."""
    film = films()[trial.film]
    data, stream = film.build(film.stream), film.stream
    rng = np.random.default_rng((trial.seed, place))
    share = (place + rng.random()) / trial.places  # spread over the whole length
    length = int(rng.uniform(0.02, 0.3) * len(stream)) + 1
    match trial.damage:
        case "cut":
            return data[: int(share * len(data))]
        case "closed":
            return film.build(stream[: int(share * (len(stream) - len(film.end)))] + film.end)
        case "gap":
            start = int(share * max(1, len(stream) - length))
            return film.build(stream[:start] + stream[start + length :])
        case "hole":
            start = int(share * max(1, len(data) - length))
            return data[:start] + bytes(length) + data[start + length :]


def lost(trial: Trial, loss: Loss) -> Tally:
    """Return the outcome for a worker that died or timed out."""
    return Tally(trial, {f"{loss.code} ({loss.detail})": trial.places})


def report(tallies: Sequence[Tally]) -> str:
    """Return a table with a line per film and damage, and the sum of each ending."""
    total: Counter[str] = Counter()
    lines = [f"{'film':34}{'damage':8}" + "".join(f"{one:>10}" for one in ENDINGS)]
    for tally in tallies:
        total.update(tally.endings)
        others = sorted(set(tally.endings) - set(ENDINGS))
        lines.append(
            f"{tally.trial.film:34}{tally.trial.damage:8}"
            + "".join(f"{tally.endings.get(one, 0):10,}" for one in ENDINGS)
            + "".join(f"  {one}: {tally.endings[one]}" for one in others)
            + ("  FAULT" if tally.is_fault else "")
        )
    faults = sum(tally.is_fault for tally in tallies)
    counts = ", ".join(f"{count:,} {one}" for one, count in sorted(total.items()))
    return "\n".join([*lines, f"{total.total():,} damaged films: {counts}; {faults} faults"])


def _ending(path: Path, whole: Radiograph) -> str:
    try:
        read = read_radiograph(path)
    except UnreadableFileError:
        return "refused"
    except Exception as error:  # noqa: BLE001 - any exception is a fault
        return f"raised {type(error).__name__}"
    if {one.code for one in read.notices} - {one.code for one in whole.notices}:
        return "warned"
    same = np.array_equal(read.pixels, whole.pixels) and np.array_equal(read.valid, whole.valid)
    return "unharmed" if same else "silent"
