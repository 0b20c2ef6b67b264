"""`lesionscan explain`: how one film was searched, step by step, in one picture."""

from pathlib import Path
from typing import Annotated

import typer

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
from lesionscan.cli.terminal import RefusedError, complain, one_line, stoppable


def explain(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="One film.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="PNG to write: each step as a tile.")],
    frame: FrameOption = None,
    settings: SettingsOption = None,
    scorer: ScorerOption = None,
    polarity: PolarityOption = None,
    spacing: SpacingOption = None,
    allow_burned_in: BurnedInOption = None,
) -> None:
    """Draw how a film was searched: field, bone, what the network sees, candidates and reasons."""
    chosen = chosen_settings(
        settings, polarity=polarity, spacing=spacing, allow_burned_in=allow_burned_in
    )
    check_picture("--out", out, image)
    from lesionscan.detection.pipeline import find_in_steps
    from lesionscan.detection.scorer.errors import ScorerError
    from lesionscan.detection.scorer.scorer_file import load_scorer
    from lesionscan.reading import UnreadableFileError, open_radiographs
    from lesionscan.reporting.atomic import write_bytes
    from lesionscan.reporting.caption import caption_words
    from lesionscan.reporting.explanation import explanation_png
    from lesionscan.reporting.overlay import may_be_drawn
    from lesionscan.reporting.records import DISCLAIMER

    with stoppable("stopped"):
        try:
            weights = load_scorer(scorer)
            with open_radiographs(image, settings=chosen) as frames:
                number = chosen_frame(image, frame, frames.count)
                radiograph, viewed = frames.read(number), frames.show(number)
        except ScorerError as error:
            raise RefusedError(one_line(str(error))) from error
        except UnreadableFileError as error:
            complain(f"{one_line(str(image))}: {error.code}: {error.message}")
            raise typer.Exit(1) from None
        if not may_be_drawn(radiograph, chosen):
            complain(
                f"{one_line(str(image))}: no picture: identifying text may be burned in "
                "(--allow-burned-in makes one)"
            )
            raise typer.Exit(1)
        try:
            steps, findings = find_in_steps(radiograph, chosen, weights)
        except ScorerError as error:
            raise RefusedError(one_line(str(error))) from error
        write_bytes(out, explanation_png(steps, findings, viewed))
    print(f"{one_line(image.name)}: {caption_words(findings)[0]}")
    print(f"picture: {one_line(str(out))}")
    print(DISCLAIMER)
