"""Write the page's list of all films, and the page itself."""

from dataclasses import asdict, astuple, dataclass, fields
from importlib.resources import files
from pathlib import Path

from lesionscan.detection.measurements import Flag
from lesionscan.reporting.page.script import call
from lesionscan.reporting.page.view import labels_mark, on_page
from lesionscan.results.own_files import OwnFiles
from lesionscan.results.paths import ASSETS_FOLDER, PAGE_NAME
from lesionscan.results.record import DISCLAIMER, ResultRecord

FAILED_COLUMNS = ("name", "code", "message")


@dataclass(frozen=True, slots=True)
class FilmLine:
    """Entry of the list for a film that was read; short, since there may be 100,000.

    Attributes
    ----------
    name
        Name of its results, without their endings.
    seal
        Seal of its JSON, which ties a reviewer's decisions to these results.
    labels
        Start of the hash of its labels picture. Its view has it too, so that a view of a newer scan
        than the list is noticed.
    assessed, picture
        1 or 0: whether it was searched, and whether it has a picture.
    body_part, side, view
        As stated in the file, or None.
    warnings, listed, shown
        Numbers of warnings, of listed candidates and of shown ones.
    flags
        Flags of shown candidates.
    scores, lengths_mm, shares
        Of the candidates that the page can show, best first: score, maximum Feret diameter in mm
        (None without spacing), and equivalent diameter / long side of the film.
    """

    name: str
    seal: str
    labels: str
    assessed: int
    picture: int
    body_part: str | None
    side: str | None
    view: str | None
    warnings: int
    listed: int
    shown: int
    flags: list[str]
    scores: list[float]
    lengths_mm: list[float] | None
    shares: list[float]


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Facts about the run on the page.

    Attributes
    ----------
    version
        Version of the program.
    settings_sha256, scorer_sha256
        Hashes of the settings and of the scorer's file, hexadecimal.
    shown_score
        Candidates with at least this score (0 to 1) are shown.
    not_done
        Number of films that the run did not reach, because it was stopped.
    """

    version: str
    settings_sha256: str
    scorer_sha256: str
    shown_score: float
    not_done: int


def write_page(own: OwnFiles) -> Path:
    """Write the page itself, which is the same for every run; return its path.

    Parameters
    ----------
    own
        Writes files of the output folder.

    Raises
    ------
    lesionscan.results.atomic.OutputError
        If it cannot be written.
    """
    for name, data in page_files().items():
        own.write(own.out / name, data)
    return own.out / PAGE_NAME


def page_files() -> dict[str, bytes]:
    """Return the files of the page from the installed package: bytes by name, `PAGE_NAME` last.

    Names are relative to the output folder, POSIX style.
    """
    assets = files("lesionscan.reporting.page") / "assets"
    read = {asset.name: asset.read_bytes() for asset in assets.iterdir()}
    page = read.pop(PAGE_NAME)
    return {**{f"{ASSETS_FOLDER}/{name}": read[name] for name in sorted(read)}, PAGE_NAME: page}


def index_head(run: RunFacts) -> bytes:
    """Return the first line of the index.

    Parameters
    ----------
    run
        The facts about the run.
    """
    head = {
        **asdict(run),
        "disclaimer": DISCLAIMER,
        "flags": {str(flag): flag.meaning for flag in Flag},
        "film_columns": [part.name for part in fields(FilmLine)],
        "failed_columns": FAILED_COLUMNS,
    }
    return call("run", head)


def index_line(result: ResultRecord) -> bytes:
    """Return the line of a film in the index.

    Parameters
    ----------
    result
        The film's result.
    """
    if result.error is not None:
        return call("failed", [result.name, result.error.code, result.error.message])
    return call("film", astuple(film_line(result)))


def film_line(result: ResultRecord) -> FilmLine:
    """Return the entry of the list for a film that was read.

    Parameters
    ----------
    result
        The film's result.
    """
    listed, bone, pictures = result.candidates, result.bone, result.pictures
    if bone is None or pictures is None:
        raise ValueError("a film that failed has another line")
    candidates = listed[: on_page((one.score, one.shown) for one in listed)]
    lengths = [one.feret_max_mm for one in candidates if one.feret_max_mm is not None]
    return FilmLine(
        name=result.name,
        seal=result.seal_sha256,
        labels=labels_mark(pictures.labels_sha256),
        assessed=int(bone.assessed),
        picture=int(result.has_overlay),
        body_part=result.text("body_part_examined"),
        side=result.side,
        view=result.text("view_position"),
        warnings=len(result.warnings),
        listed=len(listed),
        shown=len(result.shown),
        flags=sorted({flag for one in candidates if one.shown for flag in one.flags}),
        scores=[candidate.score for candidate in candidates],
        lengths_mm=None
        if len(lengths) < len(candidates)
        else [round(length, 1) for length in lengths],
        shares=[round(candidate.size, 3) for candidate in candidates],
    )
