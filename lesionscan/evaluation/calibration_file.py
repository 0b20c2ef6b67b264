"""Write a calibration as a settings file, with its figures as comments.

The file contains no time, path or film name: the same films give the same bytes.
"""

from collections.abc import Iterator
from pathlib import Path

from lesionscan.evaluation.calibrate import Calibration, CalibrationError, Shown, Threshold
from lesionscan.evaluation.results import Tool
from lesionscan.evaluation.summary import Figure
from lesionscan.files import read_bounded
from lesionscan.results.atomic import write_bytes
from lesionscan.results.record import DISCLAIMER

_FIRST_LINE = "# Written by lesionscan calibrate."
_MOST_BYTES = 100_000


def check_target(path: Path) -> None:
    """Check that a settings file may be written, before the films are read.

    Raises
    ------
    CalibrationError
        If its name does not end in .toml, its folder does not exist, or a file exists there that
        `write_calibration` has not written.
    """
    if path.suffix.lower() != ".toml":
        raise CalibrationError(f"{path} is not the name of a settings file; end it in .toml")
    if not path.parent.is_dir():
        raise CalibrationError(f"{path.parent} does not exist; make the folder first")
    try:
        written = read_bounded(path, max_bytes=_MOST_BYTES).startswith(_FIRST_LINE.encode())
    except FileNotFoundError:
        return
    except OSError:
        written = False
    if not written:
        raise CalibrationError(
            f"{path} was not written by lesionscan calibrate; move it away, or name another file"
        )


def write_calibration(calibration: Calibration, tool: Tool, settings: str, path: Path) -> None:
    """Write the settings file.

    Parameters
    ----------
    calibration
        The figures.
    tool
        The program that made the results.
    settings
        The settings as TOML, with the new `shown_score`.
    path
        The file.

    Raises
    ------
    CalibrationError
        As for `check_target`.
    lesionscan.results.atomic.OutputError
        If the file cannot be written.
    """
    check_target(path)
    lines = [_FIRST_LINE, *(f"# {line}" for line in _comments(calibration, tool))]
    text = "\n".join(lines) + "\n\n" + settings
    write_bytes(path, text.encode("utf-8"), within=path.parent)


def figure_lines(calibration: Calibration) -> Iterator[str]:
    """Yield the figures of a calibration, one sentence each."""
    found = calibration.threshold
    yield (
        f"{found.films:,} films without lesions, {calibration.failed:,} more without a result, "
        f"{calibration.not_assessed:,} not assessed; {found.groups:,} patients or films resampled"
    )
    yield (f"shown_score {_score(found)} for {calibration.wanted:g} false positives per film")
    yield f"false positives per film: {_rate(found)}"
    if calibration.lesions:
        yield (
            f"sensitivity: {_share(calibration.shown.sensitivity)} of {calibration.lesions:,} "
            "lesions"
        )
    if calibration.before is not None:
        yield f"before, {_before(calibration.before)}"


def body_part_lines(calibration: Calibration) -> Iterator[str]:
    """Yield a sentence for each body part, and one for those with too few films."""
    for name, part in calibration.body_parts.items():
        yield (
            f"{name}: {part.threshold.films:,} films, {part.common_rate:.2f} false positives per "
            f"film at that score; alone, shown_score {_score(part.threshold)}"
        )
    if calibration.few:
        few = ", ".join(f"{name} {count}" for name, count in calibration.few.items())
        yield f"too few films for a score of their own: {few}"


def _comments(calibration: Calibration, tool: Tool) -> Iterator[str]:
    yield DISCLAIMER
    yield f"From results of {tool.name} {tool.version}, {tool.made_with()}."
    yield "It holds for that scorer and these settings only. Intervals are 95 %, by bootstrap."
    yield from figure_lines(calibration)
    yield from body_part_lines(calibration)
    yield from (f"Warning: {line}" for line in calibration.warnings())


def _score(found: Threshold) -> str:
    words = f"{found.shown_score:.6g}"
    if found.score_interval is None:
        return words
    low, high = found.score_interval
    return f"{words} ({low:.3f} to {high:.3f})"


def _rate(found: Threshold) -> str:
    here = f"{found.rate:.3f} on these films"
    if found.expected is None:
        return here
    low, high = found.expected
    return f"{here}; {low:.2f} to {high:.2f} expected on as many others like them"


def _share(figure: Figure) -> str:
    ends = "" if figure.low is None else f" ({figure.low:.2f} to {figure.high:.2f})"
    return f"{figure.value:.2f}{ends}"


def _before(before: Shown) -> str:
    words = f"with shown_score {before.shown_score:.6g}: {before.rate:.3f} false positives per film"
    if before.sensitivity.value is None:
        return words
    return f"{words}, sensitivity {_share(before.sensitivity)}"
