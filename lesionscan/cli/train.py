"""`lesionscan train`: train a scorer."""

from pathlib import Path
from typing import Annotated

import typer

from lesionscan.cli.engine_options import JobsOption, cores
from lesionscan.cli.terminal import RefusedError, complain, say, stoppable
from lesionscan.training.options import (
    BONE_STEPS,
    LEAST_DATA_STEPS,
    LESION_STEPS,
    PHANTOMS,
    STEPS_PER_FILM,
    VARIANTS,
    TrainingOptions,
)

_STOPPED = "stopped; rerun the command to resume: phantoms and the last checkpoint are kept"


def train(
    out: Annotated[Path, typer.Argument(metavar="SCORER", help="Scorer file to write.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Truth folder with your labelled films.")
    ] = None,
    films: Annotated[
        Path | None,
        typer.Option(
            "--films",
            help="Truth folder with normal films to plant lesions in; entries with another "
            '"use" than "train" are skipped.',
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--start",
            metavar="SCORER",
            help="Scorer file to start from, or 'shipped' (the default if only --data is given).",
        ),
    ] = None,
    phantoms: Annotated[
        int | None,
        typer.Option(
            min=0, help=f"Number of phantoms (default: {PHANTOMS}; 0 if only --data is given)."
        ),
    ] = None,
    variants: Annotated[int, typer.Option(min=1, help="Planted films per normal film.")] = VARIANTS,
    bone_steps: Annotated[
        int,
        typer.Option(min=1, help="Batches in which a new network first learns to segment bone."),
    ] = BONE_STEPS,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            help=f"Training batches after that (default: {LESION_STEPS}; from an existing "
            f"scorer, {STEPS_PER_FILM} per labelled film with lesions, between "
            f"{LEAST_DATA_STEPS} and {LESION_STEPS}).",
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", "-s", min=0, help="Random seed; the same seed gives the same scorer."
        ),
    ] = 1,
    work: Annotated[
        Path | None,
        typer.Option(help="Folder for phantoms and checkpoints (default: beside SCORER)."),
    ] = None,
    leave_out: Annotated[
        str | None,
        typer.Option(
            metavar="K/N",
            help="Leave out part K of N of the --data and --films films, for testing.",
        ),
    ] = None,
    at_most: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Use at most this many --data films with lesions, and the same share of those"
            " without.",
        ),
    ] = None,
    jobs: JobsOption = None,
) -> None:
    r"""Train a scorer, starting from the shipped one or from scratch; needs the extra `train`.

    Install it with: pip install 'lesionscan\[train]' (PyTorch).

    A truth folder has index.json, images/ and masks/, as `evaluate` reads it.

    Rerun the command to resume a stopped training.
    """
    from concurrent.futures.process import BrokenProcessPool

    from lesionscan.detection.scorer.errors import ScorerError
    from lesionscan.evaluation.truth import TruthError
    from lesionscan.training.errors import TrainingError

    try:
        options = TrainingOptions.filled_in(
            out,
            films=films,
            data=data,
            start=start,
            phantoms=phantoms,
            variants=variants,
            bone_steps=bone_steps,
            steps=steps,
            seed=seed,
            jobs=jobs or cores(),
            work=work,
            leave_out=leave_out,
            at_most=at_most,
        )
        try:
            from lesionscan.training import recipe
        except ModuleNotFoundError as error:
            raise RefusedError(
                f"{error.name} is not installed; run: pip install 'lesionscan[train]'"
            ) from error
        with stoppable(_STOPPED):
            recipe.train(options, say)
    except (TrainingError, TruthError, ScorerError) as error:
        raise RefusedError(str(error)) from error
    except BrokenProcessPool:
        complain("a worker process died, most likely because memory ran out; use fewer --jobs")
        raise typer.Exit(1) from None
