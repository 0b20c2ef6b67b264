"""`lesionscan inspect`: what was read from one file, decided and assumed."""

from pathlib import Path
from typing import Annotated

import typer

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
from lesionscan.cli.terminal import complain, note, one_line, stoppable

_LETTERS = 48


def inspect(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="One film.")],
    frame: FrameOption = None,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", help="PNG to write: the film as it is searched, and the field."),
    ] = None,
    settings: SettingsOption = None,
    polarity: PolarityOption = None,
    spacing: SpacingOption = None,
    keep_uids: KeepUidsOption = None,
    allow_burned_in: BurnedInOption = None,
) -> None:
    """Show on one screen how a file is read: the first thing to look at when results look wrong."""
    chosen = chosen_settings(
        settings,
        polarity=polarity,
        spacing=spacing,
        keep_uids=keep_uids,
        allow_burned_in=allow_burned_in,
    )
    if picture is not None:
        check_picture("--picture", picture, file)
    from lesionscan.detection.pipeline import find_candidates, normalise_film
    from lesionscan.reading import UnreadableFileError, open_radiographs
    from lesionscan.reporting.atomic import write_bytes
    from lesionscan.reporting.inspection import inspection, inspection_letters, inspection_png
    from lesionscan.reporting.overlay import may_be_drawn
    from lesionscan.reporting.records import DISCLAIMER

    with stoppable("stopped"):
        try:
            with open_radiographs(file, settings=chosen) as frames:
                number = chosen_frame(file, frame, frames.count)
                radiograph = frames.read(number)
                shown = None if picture is None else frames.show(number)
        except UnreadableFileError as error:
            complain(f"{one_line(str(file))}: {error.code}: {error.message}")
            raise typer.Exit(1) from None
        film = normalise_film(radiograph, chosen)
        print(one_line(file.name))
        facts = inspection(film, find_candidates(radiograph, chosen))
        widest = max(len(name) for name, _ in facts)
        for name, words in facts:
            print(f"  {name:<{widest}}  {words}")
        if may_be_drawn(radiograph, chosen):
            print("\n".join(inspection_letters(film, columns=_LETTERS)))
            if picture is not None:
                write_bytes(picture, inspection_png(film, shown), within=picture.parent)
                print(f"picture: {one_line(str(picture))}")
        else:
            note("no picture: identifying text may be burned in (--allow-burned-in makes one)")
    print(DISCLAIMER)
