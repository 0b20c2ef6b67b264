"""Options of a training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from lesionscan.training.errors import TrainingError

PHANTOMS = 900
VARIANTS = 14
BONE_STEPS = 570
LESION_STEPS = 3000
LEAST_DATA_STEPS, STEPS_PER_FILM = 240, 15
"""Steps if the training starts from a scorer: at least so many, and so many per labelled film with
lesions, but at most `LESION_STEPS`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """The options of one training.

    Attributes
    ----------
    out
        Scorer file to write.
    films
        Truth folder with normal films to plant lesions in.
    data
        Truth folder with labelled films.
    start
        Scorer file to start from; "shipped" for the shipped one, None for none.
    phantoms
        Number of phantoms to make.
    variants
        Plantings per normal film.
    bone_steps
        Number of batches in which a new network learns bones.
    steps
        Number of batches after that; if None, it depends on the number of films.
    seed
        Seed of all random numbers.
    jobs
        Number of cores to use.
    work
        Folder for phantoms and checkpoints.
    leave_out
        The part of the films that is left out to measure on, and the number of parts.
    at_most
        Use only so many labelled films with lesions, and the same fraction of those without.
    """

    out: Path
    films: Path | None
    data: Path | None
    start: Path | Literal["shipped"] | None
    phantoms: int
    variants: int
    bone_steps: int
    steps: int | None
    seed: int
    jobs: int
    work: Path
    leave_out: tuple[int, int] | None
    at_most: int | None

    @classmethod
    def filled_in(
        cls,
        out: Path,
        *,
        films: Path | None = None,
        data: Path | None = None,
        start: str | None = None,
        phantoms: int | None = None,
        variants: int = VARIANTS,
        bone_steps: int = BONE_STEPS,
        steps: int | None = None,
        seed: int = 1,
        jobs: int = 2,
        work: Path | None = None,
        leave_out: str | None = None,
        at_most: int | None = None,
    ) -> Self:
        """Check options, and set defaults that depend on other options.

        Parameters
        ----------
        out, films, data, variants, bone_steps, steps, seed, jobs, at_most
            As in the attributes.
        start
            "shipped", or a scorer file; if None, "shipped" with labelled films alone, else none.
        phantoms
            If None, 0 with labelled films alone, else `PHANTOMS`.
        work
            If None, a folder beside `out`.
        leave_out
            "K/N": part K, from 1 to N.

        Raises
        ------
        TrainingError
            If options contradict each other; the message says what to give instead.
        """
        only_data = data is not None and films is None
        made = (0 if only_data else PHANTOMS) if phantoms is None else phantoms
        if start is None and data is not None and not made:
            start = "shipped"
        if data is None and at_most:
            raise TrainingError("--at-most chooses among the films of --data; name its folder")
        if data is None and films is None and leave_out:
            raise TrainingError(
                "--leave-out chooses among the films of --data and --films; name a folder"
            )
        if start is None and not made:
            raise TrainingError(
                "a training from nothing needs --phantoms: only they have all bones outlined"
            )
        if leave_out and films is not None and start == "shipped":
            raise TrainingError(
                "the shipped scorer may have seen the --films films; --leave-out would leave "
                "nothing out"
            )
        if out.is_dir():
            raise TrainingError(f"{out} is a folder; name a file")
        return cls(
            out=out,
            films=films,
            data=data,
            start=_start(start),
            phantoms=made,
            variants=variants,
            bone_steps=bone_steps,
            steps=steps,
            seed=seed,
            jobs=jobs,
            work=work or out.with_suffix(".work"),
            leave_out=None if leave_out is None else _part(leave_out),
            at_most=at_most,
        )


def _start(text: str | None) -> Path | Literal["shipped"] | None:
    if text is None:
        return None
    return "shipped" if text == "shipped" else Path(text)


def _part(text: str) -> tuple[int, int]:
    """Read K/N."""
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts) >= 2):
        raise TrainingError(
            "--leave-out must be K/N with K from 1 to N and N of 2 or more, such as 1/5, not "
            f"{text!r}"
        )
    return int(part), int(parts)
