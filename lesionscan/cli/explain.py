"""`lesionscan explain`: draw the steps of the search of a film in one picture."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lesionscan.cli.engine_options import MemoryOption, TimeoutOption
from lesionscan.cli.reading_options import (
    BurnedInOption,
    FrameOption,
    PolarityOption,
    ScorerOption,
    SettingsOption,
    SpacingOption,
    check_picture,
    chosen_frame,
    chosen_settings,
)
from lesionscan.cli.supervised import Answer, answer_about
from lesionscan.cli.terminal import RefusedError, one_line

if TYPE_CHECKING:
    from lesionscan.settings import Settings


def explain(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="Film file.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="PNG to write, one tile per step.")],
    frame: FrameOption = None,
    settings: SettingsOption = None,
    scorer: ScorerOption = None,
    polarity: PolarityOption = None,
    spacing: SpacingOption = None,
    allow_burned_in: BurnedInOption = None,
    timeout: TimeoutOption = None,
    max_memory: MemoryOption = None,
) -> None:
    """Draw the steps of the search: exposed field, bone, network, candidates and reasons."""
    chosen = chosen_settings(
        settings, polarity=polarity, spacing=spacing, allow_burned_in=allow_burned_in
    )
    check_picture("--out", out, image)
    job = _Job(image, frame, chosen, scorer)
    answer_about(image, _explained, job, picture=out, timeout=timeout, max_memory=max_memory)


@dataclass(frozen=True, slots=True)
class _Job:
    """Arguments of `_explained`."""

    image: Path
    frame: int | None
    settings: "Settings"
    scorer: Path | None


def _explained(job: _Job) -> Iterator[Answer]:
    from lesionscan.detection.pipeline import find_in_steps
    from lesionscan.detection.scorer.errors import ScorerError
    from lesionscan.detection.scorer.scorer_file import load_scorer
    from lesionscan.reading import UnreadableFileError, open_radiographs
    from lesionscan.reporting.caption import caption_words
    from lesionscan.reporting.explanation import explanation_png
    from lesionscan.reporting.overlay import may_be_drawn

    try:
        scorer = load_scorer(job.scorer)
        with open_radiographs(job.image, settings=job.settings) as frames:
            number = chosen_frame(job.image, job.frame, frames.count)
            radiograph, viewed = frames.read(number), frames.show(number)
        if not may_be_drawn(radiograph, job.settings):
            withheld = "no picture: identifying text may be burned in (--allow-burned-in makes one)"
            yield Answer(failure=withheld)
            return
        steps, findings = find_in_steps(radiograph, job.settings, scorer)
    except ScorerError as error:
        raise RefusedError(one_line(str(error))) from error
    except UnreadableFileError as error:
        yield Answer(failure=f"{error.code}: {error.message}")
        return
    found = caption_words(findings.candidates, assessed=findings.assessed)[0]
    line = f"{one_line(job.image.name)}: {found}"
    yield Answer((line,), explanation_png(steps, findings, viewed))
