"""`lesionscan inspect`: show how a file is read."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lesionscan.cli.engine_options import MemoryOption, TimeoutOption
from lesionscan.cli.reading_options import (
    BurnedInOption,
    FrameOption,
    KeepUidsOption,
    PolarityOption,
    SettingsOption,
    SpacingOption,
    check_picture,
    chosen_frame,
    chosen_settings,
)
from lesionscan.cli.supervised import Answer, answer_about
from lesionscan.cli.terminal import one_line

if TYPE_CHECKING:
    from lesionscan.settings import Settings


def inspect(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Film file.")],
    frame: FrameOption = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            "--picture", help="PNG to write: the film as it is searched, with the exposed field."
        ),
    ] = None,
    settings: SettingsOption = None,
    polarity: PolarityOption = None,
    spacing: SpacingOption = None,
    keep_uids: KeepUidsOption = None,
    allow_burned_in: BurnedInOption = None,
    timeout: TimeoutOption = None,
    max_memory: MemoryOption = None,
) -> None:
    """Show how a file is read: the first thing to check when results look wrong."""
    chosen = chosen_settings(
        settings,
        polarity=polarity,
        spacing=spacing,
        keep_uids=keep_uids,
        allow_burned_in=allow_burned_in,
    )
    if picture is not None:
        check_picture("--picture", picture, file)
    job = _Job(file, frame, chosen, wants_picture=picture is not None)
    answer_about(file, _inspected, job, picture=picture, timeout=timeout, max_memory=max_memory)


@dataclass(frozen=True, slots=True)
class _Job:
    """Arguments of `_inspected`."""

    file: Path
    frame: int | None
    settings: "Settings"
    wants_picture: bool


def _inspected(job: _Job) -> Iterator[Answer]:
    from lesionscan.detection.pipeline import find_candidates, normalise_film
    from lesionscan.reading import UnreadableFileError, open_radiographs
    from lesionscan.reporting.inspection import inspection, inspection_png
    from lesionscan.reporting.overlay import may_be_drawn

    try:
        with open_radiographs(job.file, settings=job.settings) as frames:
            number = chosen_frame(job.file, job.frame, frames.count)
            radiograph = frames.read(number)
            shown = frames.show(number) if job.wants_picture else None
    except UnreadableFileError as error:
        yield Answer(failure=f"{error.code}: {error.message}")
        return
    film = normalise_film(radiograph, job.settings)
    facts = inspection(film, find_candidates(radiograph, job.settings))
    widest = max(len(name) for name, _ in facts)
    lines = [one_line(job.file.name)]
    lines += [f"  {name:<{widest}}  {words}" for name, words in facts]
    if not job.wants_picture:
        yield Answer(tuple(lines))
        return
    if not may_be_drawn(radiograph, job.settings):
        withheld = "no picture: identifying text may be burned in (--allow-burned-in makes one)"
        yield Answer(tuple(lines), note=withheld)
        return
    yield Answer(tuple(lines), inspection_png(film, shown))
