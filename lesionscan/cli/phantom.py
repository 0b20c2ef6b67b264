"""`lesionscan phantom`: make computed radiographs with known lesions."""

from typing import TYPE_CHECKING, Annotated

import typer

from lesionscan.cli.engine_options import JobsOption
from lesionscan.cli.making import Made, OutArgument, SeedOption, make
from lesionscan.cli.terminal import RefusedError

if TYPE_CHECKING:
    from lesionscan.simulation.phantom_folder import PhantomJob


def phantom(
    out: OutArgument,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Number of films.")],
    seed: SeedOption,
    lesions: Annotated[
        tuple[int, int],
        typer.Option(
            "--lesions", metavar="MIN MAX", help="Lowest and highest number of lesions per film."
        ),
    ] = (0, 3),
    body_part: Annotated[
        list[str] | None,
        typer.Option("--body-part", help="Draw only this body part; may be repeated."),
    ] = None,
    jobs: JobsOption = None,
) -> None:
    """Make phantom radiographs (DICOM) with known lesions, as truth for `evaluate`."""
    from lesionscan.simulation.phantom import BODY_PARTS
    from lesionscan.simulation.phantom_folder import PhantomJob

    parts = tuple(body_part or BODY_PARTS)
    try:
        work = [PhantomJob(out, seed, number, lesions, parts) for number in range(1, count + 1)]
    except ValueError as error:
        raise RefusedError(str(error)) from error
    make(out, _phantom, work, jobs)


def _phantom(job: "PhantomJob") -> Made:
    from lesionscan.simulation.phantom_folder import make_and_write

    return Made([make_and_write(job)])
