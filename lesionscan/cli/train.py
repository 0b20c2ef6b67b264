"""`lesionscan train`: a scorer of one's own."""

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
            help="Truth folder with normal films to plant lesions in; those whose entry says "
            '"use": "train" or nothing are taken.',
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--start",
            metavar="SCORER",
            help="Scorer file to train on from, or 'shipped'; with --data alone, the shipped one.",
        ),
    ] = None,
    phantoms: Annotated[
        int | None,
        typer.Option(
            min=0, help=f"Phantoms to make (default: {PHANTOMS}; with --data alone, none)."
        ),
    ] = None,
    variants: Annotated[int, typer.Option(min=1, help="Plantings per normal film.")] = VARIANTS,
    bone_steps: Annotated[
        int, typer.Option(min=1, help="Batches from which a new network learns bones.")
    ] = BONE_STEPS,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            help=f"Batches of the training after that (default: {LESION_STEPS}; on from a scorer, "
            f"{STEPS_PER_FILM} per labelled film with lesions, from {LEAST_DATA_STEPS} to "
            f"{LESION_STEPS}).",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", "-s", min=0, help="The same seed gives the same scorer.")
    ] = 1,
    work: Annotated[
        Path | None,
        typer.Option(help="Folder for phantoms and checkpoints (default: beside SCORER)."),
    ] = None,
    leave_out: Annotated[
        str | None,
        typer.Option(
            metavar="K/N",
            help="Leave part K (1 to N) of the --data and --films films out, to measure on them.",
        ),
    ] = None,
    at_most: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Use only so many of the --data films with lesions, and as large a share of "
            "those without.",
        ),
    ] = None,
    jobs: JobsOption = None,
) -> None:
    r"""Train a scorer, on from the shipped one or from nothing; needs the extra `train`.

    pip install 'lesionscan\[train]' installs what it needs (PyTorch). A truth folder has
    index.json, images and masks, as `evaluate` reads it and `review --apply` writes it. Rerun the
    command to resume a training that was stopped.
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
        complain("one of the processes died, most likely for want of memory; give fewer --jobs")
        raise typer.Exit(1) from None
