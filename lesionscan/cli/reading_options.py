"""Options of the commands that read films."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lesionscan.cli.terminal import RefusedError, one_line

if TYPE_CHECKING:
    from lesionscan.settings import Settings

FrameOption = Annotated[
    int | None,
    typer.Option(
        "--frame", min=1, help="Number of the image in a file with several images, from 1."
    ),
]
ScorerOption = Annotated[
    Path | None,
    typer.Option(
        "--scorer",
        help="Scorer file written by `lesionscan train` (default: the shipped scorer).",
    ),
]
SettingsOption = Annotated[Path | None, typer.Option("--settings", help="TOML file with settings.")]
PolarityOption = Annotated[
    Literal["auto", "bone-bright", "bone-dark"] | None,
    typer.Option(
        "--polarity",
        help="Whether bone is bright or dark as displayed; auto follows the file, and "
        "assumes bright bone if the file does not state it.",
    ),
]
SpacingOption = Annotated[
    str | None,
    typer.Option(
        "--spacing",
        metavar="MM",
        help="Pixel spacing in mm that replaces the file's: 0.143, or 0.143,0.150 for rows"
        " and columns. A single number is the shorter side of pixels that are not "
        "square.",
    ),
]
KeepUidsOption = Annotated[
    bool | None,
    typer.Option(
        "--keep-uids", help="Write study, series and instance UIDs, which can identify a patient."
    ),
]
BurnedInOption = Annotated[
    bool | None,
    typer.Option(
        "--allow-burned-in",
        help="Also write pictures of films that declare burned-in identifying text.",
    ),
]
SearchOption = Annotated[
    Literal["full", "quick"] | None,
    typer.Option(
        "--search",
        help="full finds more small lesions; quick runs the network at one resolution, in "
        "about half the time.",
    ),
]
OverlayOption = Annotated[
    bool | None,
    typer.Option("--overlay/--no-overlay", help="Write an overlay per film."),
]
OverlayMaxOption = Annotated[
    int | None,
    typer.Option(
        "--overlay-max",
        metavar="PX",
        min=256,
        max=8192,
        help="Long side of the largest overlay (default: 1600).",
    ),
]


def chosen_settings(
    file: Path | None,
    *,
    polarity: str | None = None,
    spacing: str | None = None,
    keep_uids: bool | None = None,
    allow_burned_in: bool | None = None,
    overlay: bool | None = None,
    overlay_max: int | None = None,
    search: str | None = None,
) -> "Settings":
    """Return the settings of a file, or the defaults, overridden by command-line options.

    Raises
    ------
    RefusedError
        If the file or the spacing cannot be used.
    """
    from lesionscan.settings import Settings, SettingsError

    try:
        settings = Settings() if file is None else Settings.from_file(file)
    except SettingsError as error:
        raise RefusedError(one_line(str(error))) from error
    options = {
        "polarity": polarity,
        "spacing_mm": None if spacing is None else _spacing(spacing),
        # without the option, the file's value is kept
        "keep_uids": keep_uids or None,
        "allow_burned_in": allow_burned_in or None,
        "overlay": overlay,
        "overlay_max_px": overlay_max,
        "search": search,
    }
    return settings.model_copy(
        update={name: value for name, value in options.items() if value is not None}
    )


def _spacing(text: str) -> float | tuple[float, float]:
    """Parse one or two distances; `Settings` checks their range."""
    from lesionscan.settings import Settings

    rows, comma, columns = text.partition(",")
    try:
        mm = (float(rows), float(columns)) if comma else float(rows)
        Settings(spacing_mm=mm)
    except ValueError:  # pydantic's error is a ValueError too
        raise RefusedError(
            f"--spacing {one_line(text)}: give mm from 0.005 to 10, as 0.143, or 0.143,0.150 for "
            "rows and columns"
        ) from None
    return mm


def check_picture(option: str, picture: Path, film: Path) -> None:
    """Refuse an unsuitable path for a picture.

    Parameters
    ----------
    option
        Name of the option.
    picture
        Path of the PNG to write.
    film
        The film that is read.

    Raises
    ------
    RefusedError
        If the name does not end in .png, the folder does not exist, or it is the film's own path.
    """
    if picture.suffix.lower() != ".png":
        raise RefusedError(f"{option} {one_line(str(picture))}: give a name that ends in .png")
    if not picture.parent.is_dir():
        raise RefusedError(f"{option} {one_line(str(picture))}: the folder does not exist")
    if picture.exists() and film.exists() and picture.samefile(film):
        raise RefusedError(f"{option} {one_line(str(picture))} is the film itself; give another")


def chosen_frame(file: Path, frame: int | None, count: int) -> int:
    """Return the number of the image to read, from 1 on.

    Parameters
    ----------
    file
        The file.
    frame
        Value of `--frame`, or None.
    count
        Number of images in the file.

    Raises
    ------
    RefusedError
        If there are several images and none was chosen, or there is no such image.
    """
    name = one_line(str(file))
    if frame is None and count > 1:
        raise RefusedError(f"{name} contains {count} images; choose one with --frame 1 to {count}")
    if frame is not None and frame > count:
        images = "one image" if count == 1 else f"{count} images"
        raise RefusedError(f"--frame {frame}: {name} contains {images}")
    return frame or 1
