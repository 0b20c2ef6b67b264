"""Compare one pair of films and write its files; runs in a worker process.

The JSON is written last, so a pair that has one is complete and can be skipped on resume. No film
stays in memory after its pair.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from lesionscan import __version__
from lesionscan.codes import ErrorCode, notice
from lesionscan.comparison.compare import COMPARISON, Comparison, compare_films
from lesionscan.comparison.film import ComparedFilm, film_of_file, film_of_results
from lesionscan.comparison.page import comparison_page
from lesionscan.comparison.pairs import Pair, Source
from lesionscan.comparison.picture import comparison_png
from lesionscan.comparison.record import (
    ComparedFilmRecord,
    ComparisonRecord,
    parse_comparison,
)
from lesionscan.comparison.refusal import RefusedPairError
from lesionscan.detection.pipeline import PIPELINE
from lesionscan.detection.scorer.scorer_file import load_scorer
from lesionscan.files import RECORD_BYTES, read_bounded, sha256_of_file
from lesionscan.radiograph import Notice
from lesionscan.reading import UnreadableFileError
from lesionscan.results.atomic import UnusableNameError
from lesionscan.results.own_files import OwnFiles
from lesionscan.results.paths import ResultPaths
from lesionscan.results.sealed import is_sealed, sealed_json, sha256_of
from lesionscan.settings import Settings

ENDINGS = {"record": ".compare.json", "picture": ".compare.png", "page": ".compare.html"}
"""Endings of a pair's files, by kind."""


@dataclass(frozen=True, slots=True)
class PairJob:
    """Input of a worker for one pair.

    Attributes
    ----------
    pair
        The films.
    out
        The output folder.
    settings, scorer
        As in `lesionscan scan`; used for films read from files.
    ignore_headers
        As in `compare_films`.
    resume
        Whether to keep an earlier comparison of the same films and settings.
    """

    pair: Pair
    out: Path
    settings: Settings
    scorer: Path | None = None
    ignore_headers: bool = False
    resume: bool = True

    def paths(self) -> dict[str, Path]:
        """Return the paths of the pair's files, by kind."""
        return {kind: self.out / f"{self.pair.name}{end}" for kind, end in ENDINGS.items()}


@dataclass(frozen=True, slots=True)
class PairOutcome:
    """Outcome of a pair.

    Attributes
    ----------
    name
        Name of its files, without endings.
    status
        As in the JSON.
    error
        Why the films were not compared, or None.
    states
        Number of lesions in each state.
    resumed
        Whether the comparison of an earlier run was kept.
    """

    name: str
    status: str
    error: Notice | None
    states: Counter[str] = field(default_factory=Counter)
    resumed: bool = False


def compare_pair(job: PairJob) -> Iterator[PairOutcome]:
    """Compare two films and write the files; a failed pair gives an outcome, not an exception.

    Parameters
    ----------
    job
        The pair.

    Yields
    ------
    PairOutcome
        Exactly one.

    Raises
    ------
    lesionscan.results.atomic.OutputError
        If a file cannot be written.
    lesionscan.detection.scorer.errors.ScorerError
        If the scorer cannot be used: every other pair would fail too.
    """
    scorer = load_scorer(job.scorer) if job.pair.before.result is None else None
    made_of = _made_of(job, "" if scorer is None else scorer.sha256)
    kept = _kept(job, made_of) if job.resume else None
    if kept is not None:
        yield _outcome(job, kept, resumed=True)
        return
    try:
        yield _new_outcome(job, made_of)
    except UnusableNameError as error:  # its JSON cannot be written either
        taken = notice(ErrorCode.NAME_TAKEN, error.within(job.out))
        yield PairOutcome(job.pair.name, "failed", taken)


def _new_outcome(job: PairJob, made_of: str) -> PairOutcome:
    """Compare two films and write the comparison or the reason for its failure."""
    try:
        comparison = compare_films(
            _film(job.pair.before, job),
            _film(job.pair.after, job),
            ignore_headers=job.ignore_headers,
            made_of_sha256=made_of,
        )
    except RefusedPairError as error:
        return _failed(job, "refused", notice(error.code, str(error)), made_of)
    except UnreadableFileError as error:
        return _failed(job, "failed", Notice(error.code, error.message), made_of)
    except MemoryError:
        words = "memory ran out; use fewer jobs or a machine with more memory"
        return _failed(job, "failed", notice(ErrorCode.OUT_OF_MEMORY, words), made_of)
    except Exception as error:  # noqa: BLE001 - one bad pair must not stop the other thousands
        # the class alone: the text of an exception may quote a file
        words = f"lesionscan failed on this pair ({type(error).__name__}); please report this"
        return _failed(job, "failed", notice(ErrorCode.INTERNAL_ERROR, words), made_of)
    return _outcome(job, _written(job, comparison))


def lost_pair(job: PairJob, error: Notice) -> PairOutcome:
    """Record a pair whose worker process died or was killed.

    Parameters
    ----------
    job
        The pair.
    error
        What happened.
    """
    return _failed(job, "failed", error, "")


def _film(source: Source, job: PairJob) -> ComparedFilm:
    if source.result is not None:
        return film_of_results(source.place, source.result)
    return film_of_file(source.place, settings=job.settings, scorer=load_scorer(job.scorer))


def _made_of(job: PairJob, scorer_sha256: str) -> str:
    """Return the hash of everything that the comparison depends on; "" if a film is unreadable."""
    parts = [__version__, str(COMPARISON), str(PIPELINE), str(job.ignore_headers), scorer_sha256]
    for source in (job.pair.before, job.pair.after):
        file = source.place
        if source.result is not None:
            file = ResultPaths.of(source.place, source.result).record
        else:
            parts += [job.settings.sha256(), job.settings.output_sha256()]
        try:
            parts += [source.name, sha256_of_file(file)]
        except OSError:
            return ""
    return hashlib.sha256("\n".join(parts).encode("utf-8")).hexdigest()


def _kept(job: PairJob, made_of: str) -> ComparisonRecord | None:
    """Return an earlier comparison of the same inputs if all its files are intact, else None."""
    paths = job.paths()
    try:
        data = read_bounded(paths["record"], max_bytes=RECORD_BYTES)
        record = parse_comparison(data)
        if record is None or record.status == "failed" or not made_of or not is_sealed(data):
            return None
        hashes = {"picture": record.picture_sha256, "page": record.page_sha256}
        whole = all(
            sha256 is None or sha256_of_file(paths[kind]) == sha256
            for kind, sha256 in hashes.items()
        )
    except OSError:
        return None
    return record if whole and record.made_of_sha256 == made_of else None


def _written(job: PairJob, comparison: Comparison) -> ComparisonRecord:
    """Write the files of a comparison, the JSON last."""
    files = {"picture": comparison_png(comparison), "page": comparison_page(comparison)}
    hashes = {f"{kind}_sha256": sha256_of(data) for kind, data in files.items()}
    record = comparison.record.model_copy(update=hashes)
    own, paths = _own(job.out), job.paths()
    own.remove(paths["record"])  # while the others change, no JSON may vouch for them
    for kind, data in files.items():
        own.write(paths[kind], data)
    own.write(paths["record"], sealed_json(record))
    return record


def _failed(job: PairJob, status: str, error: Notice, made_of: str) -> PairOutcome:
    pair = job.pair
    record = ComparisonRecord.model_validate(
        {
            "version": __version__,
            "made_of_sha256": made_of,
            "status": status,
            "error": error,
            "before": _unread(pair.before),
            "after": _unread(pair.after),
            "registration": None,
            "lesions": (),
        }
    )
    own, paths = _own(job.out), job.paths()
    for path in paths.values():
        own.remove(path)
    own.write(paths["record"], sealed_json(record))
    return _outcome(job, record)


def _unread(source: Source) -> ComparedFilmRecord:
    return ComparedFilmRecord(
        name=source.name, sha256=None, rows=None, columns=None, spacing_mm=None, shown=None
    )


def _outcome(job: PairJob, record: ComparisonRecord, *, resumed: bool = False) -> PairOutcome:
    states = Counter(str(one.state) for one in record.lesions)
    return PairOutcome(job.pair.name, record.status, record.error, states, resumed)


@lru_cache(maxsize=1)
def _own(out: Path) -> OwnFiles:
    """Return the writer of the output folder; cached, because it reads the list of its files."""
    return OwnFiles(out)
