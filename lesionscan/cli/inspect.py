"""`lesionscan inspect`: what was read from one file, decided and assumed."""

from pathlib import Path
from typing import Annotated

import typer

from lesionscan.cli.reading_options import (
    BurnedInOption,
    KeepUidsOption,
    PolarityOption,
    SettingsOption,
    SpacingOption,
    chosen_settings,
)
from lesionscan.cli.terminal import RefusedError, complain, note, one_line, stoppable

_LETTERS = 48


def inspect(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="One film.")],
    frame: Annotated[
        int | None, typer.Option("--frame", min=1, help="Which picture of a file with several.")
    ] = None,
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
    from lesionscan.detection.pipeline import normalise_film
    from lesionscan.reading import UnreadableFileError, read_radiograph
    from lesionscan.reporting.atomic import write_bytes
    from lesionscan.reporting.inspection import inspection, inspection_letters, inspection_png
    from lesionscan.reporting.records import DISCLAIMER

    with stoppable("stopped"):
        try:
            radiograph = read_radiograph(file, settings=chosen, frame=frame)
        except UnreadableFileError as error:
            complain(f"{one_line(str(file))}: {error.code}: {error.message}")
            raise typer.Exit(1) from None
        except ValueError as error:  # no picture of that number
            raise RefusedError(f"--frame: {error}") from None
        film = normalise_film(radiograph, chosen)
        print(one_line(file.name))
        facts = inspection(radiograph, film)
        widest = max(len(name) for name, _ in facts)
        for name, words in facts:
            print(f"  {name:<{widest}}  {words}")
        burned_in = radiograph.acquisition.get("burned_in_annotation") == "YES"
        if burned_in and not chosen.allow_burned_in:
            note("no picture: identifying text may be burned in (--allow-burned-in makes one)")
        else:
            print("\n".join(inspection_letters(film, columns=_LETTERS)))
            if picture is not None:
                write_bytes(picture, inspection_png(film))
                print(f"picture: {picture}")
    print(DISCLAIMER)
