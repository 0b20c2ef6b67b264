"""`lesionscan plant`: plant lesions in real films, as truth for `evaluate`."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from lesionscan.cli.engine_options import JobsOption
from lesionscan.cli.making import Made, OutArgument, SeedOption, make
from lesionscan.cli.terminal import RefusedError, note, one_line

if TYPE_CHECKING:
    from lesionscan.radiograph import BoolImage, Radiograph


NamedFilm: TypeAlias = tuple[Path, str, Mapping[str, object]]
"""File of a film, its name in the truth folder, and its facts."""


@dataclass(frozen=True, slots=True)
class PlantJob:
    """A film and how to plant lesions in it."""

    path: Path
    name: str
    bone: Path | None
    out: Path
    seed: tuple[int, ...]
    variants: int
    lesions: tuple[int, int]
    diameters: tuple[float, float] | None
    originals: bool
    facts: Mapping[str, object] = field(default_factory=dict)


def plant(
    images: Annotated[
        Path,
        typer.Argument(metavar="IMAGES", help="Normal films: a folder, or a truth folder."),
    ],
    out: OutArgument,
    seed: SeedOption,
    bone: Annotated[
        Path | None,
        typer.Option(
            "--bone",
            help="Folder with the bone mask NAME.bone.png (not 0 = bone) of each film NAME.",
        ),
    ] = None,
    variants: Annotated[
        int,
        typer.Option(
            "--variants", min=1, max=999, help="Films with planted lesions per normal film."
        ),
    ] = 1,
    lesions: Annotated[
        tuple[int, int],
        typer.Option(
            "--lesions", metavar="MIN MAX", help="Lowest and highest number of lesions per film."
        ),
    ] = (1, 2),
    diameters: Annotated[
        tuple[float, float] | None,
        typer.Option(
            "--diameters",
            metavar="MIN MAX",
            help="Lowest and highest lesion diameter in % of the film's long side, "
            "log-uniform. By default, sizes follow the bone.",
        ),
    ] = None,
    only_set: Annotated[
        str | None, typer.Option("--set", help="Use only this set of a truth folder.")
    ] = None,
    originals: Annotated[
        bool,
        typer.Option(
            "--originals/--no-originals",
            help="Also keep the films without lesions, on which false positives are counted.",
        ),
    ] = True,
    jobs: JobsOption = None,
) -> None:
    """Plant simulated lytic lesions in normal films, inside given bone outlines."""
    if not 1 <= lesions[0] <= lesions[1]:
        raise RefusedError(
            f"lesions must be two ascending numbers of at least 1, got {lesions[0]} {lesions[1]}"
        )
    if diameters is not None and not 0 < diameters[0] <= diameters[1] <= 100:
        raise RefusedError(
            "diameters must be two ascending numbers above 0 and at most 100 (% of the film's "
            f"long side), got {diameters[0]:g} {diameters[1]:g}"
        )
    if bone is not None and not bone.is_dir():
        raise RefusedError(f"{bone} is not a folder; give the folder of the bone masks (--bone)")
    if (images / "index.json").is_file():
        masks: Path | None = images / "masks" if bone is None else bone
        films = _normal_films(images, only_set)
    elif only_set is not None:
        raise RefusedError(f"{images} has no index.json and therefore no sets; omit --set")
    else:
        masks, films = bone, _found_films(images, out)
    work = [
        PlantJob(
            path, name, _mask_of(masks, name), out, (seed, number), variants, lesions,
            None if diameters is None else (diameters[0] / 100, diameters[1] / 100),
            originals, facts,
        )
        for number, (path, name, facts) in enumerate(films)
    ]  # fmt: skip
    if bone is not None and all(job.bone is None for job in work):
        raise RefusedError(f"{bone} has no mask for any film; they are named NAME.bone.png")
    _check_names(work)
    without = sum(job.bone is None for job in work)
    if without:
        note(
            f"{without:,} of {len(work):,} films have no bone mask; lesionscan's own is used, so "
            "lesions may cross joints"
        )
    make(out, _plant_in, work, jobs)


def _normal_films(truth: Path, only_set: str | None) -> list[NamedFilm]:
    """Return the films of a truth folder that have no lesion."""
    from lesionscan.evaluation.truth import TruthError, load_truth

    try:
        films = load_truth(truth)
    except TruthError as error:
        raise RefusedError(str(error)) from error
    sets = sorted({film.set_name for film in films})
    if only_set is not None and only_set not in sets:
        raise RefusedError(f"{truth} has no set {only_set!r}; its sets are {', '.join(sets)}")
    normal = [
        (film.image, film.name, film.facts)
        for film in films
        if film.lesions == 0 and only_set in (None, film.set_name)
    ]
    if not normal:
        raise RefusedError(f"{truth} has no film without lesions to plant some in")
    return normal


def _found_films(images: Path, out: Path) -> list[NamedFilm]:
    """Return the films of a folder, with unique names without folders."""
    from lesionscan.batch.discover import InputError, discover

    try:
        films = discover([images], out=out).films
    except InputError as error:
        raise RefusedError(str(error)) from error
    whole = [film.name.replace("/", "_").lstrip(".") for film in films]
    short = [name.rpartition(".")[0] or name for name in whole]
    counts = Counter(short)
    # knee.png and knee.dcm keep their endings, because they would have the same name
    names = [b if counts[b] == 1 else a for a, b in zip(whole, short, strict=True)]
    return [(film.path, name, {}) for film, name in zip(films, names, strict=True)]


def _check_names(work: list[PlantJob]) -> None:
    """Refuse films whose files would overwrite each other."""
    from lesionscan.simulation.planted_folder import variant_name

    owners: dict[str, str] = {}
    for job in work:
        for name in (job.name, *(variant_name(job.name, n) for n in range(1, job.variants + 1))):
            if name in owners:
                raise RefusedError(
                    f"{one_line(job.path.name)} and {one_line(owners[name])} would both be written "
                    f"as {one_line(name)}; rename one, or omit films with planted lesions"
                )
            owners[name] = job.path.name


def _mask_of(masks: Path | None, name: str) -> Path | None:
    """Return the path of a film's bone mask, if it exists."""
    if masks is None:
        return None
    from lesionscan.truth_names import BONE_ENDING

    mask = masks / f"{name}{BONE_ENDING}"
    return mask if mask.is_file() else None


def _plant_in(job: PlantJob) -> Made:
    """Read a film, find its bone if it has no mask, plant lesions, and write the films."""
    from lesionscan.reading import UnreadableFileError, read_radiograph
    from lesionscan.simulation.planted_folder import NormalFilm, plant_variants
    from lesionscan.simulation.truth_folder import write_film

    try:
        radiograph = read_radiograph(job.path)
        film = NormalFilm(
            name=job.name,
            pixels=radiograph.pixels,
            bone=_bone(radiograph, job.bone),
            bone_from="lesionscan" if job.bone is None else "mask",
            spacing=radiograph.spacing,
            facts=job.facts,
        )
        known = plant_variants(
            film, job.seed,
            variants=job.variants, lesions=job.lesions, diameters=job.diameters,
            original=job.originals,
        )  # fmt: skip
        return Made([write_film(job.out, one) for one in known])
    except UnreadableFileError as error:
        return Made([], f"{one_line(job.name)}: left out ({error.code}): {error}")
    except ValueError as error:
        return Made([], f"{one_line(job.name)}: left out: {error}")


def _bone(radiograph: "Radiograph", mask: Path | None) -> "BoolImage":
    """Return the bone mask from its file, or lesionscan's own."""
    from lesionscan.detection.pipeline import find_candidates
    from lesionscan.results.pictures import PictureError, read_grey

    if mask is None:
        findings = find_candidates(radiograph)
        if not findings.assessed:
            raise ValueError("lesionscan does not find its bone; give a bone mask")
        return findings.bone
    try:
        bone = read_grey(mask) > 0
    except PictureError as error:
        raise ValueError(f"{mask.name} {error}") from error
    if bone.shape != radiograph.shape:
        raise ValueError(
            f"{mask.name} is {bone.shape[0]} x {bone.shape[1]} px, the film "
            f"{radiograph.shape[0]} x {radiograph.shape[1]}; give the mask of this film"
        )
    return bone
