"""Phantoms as films with known lesions: from a recipe, or at random."""

from dataclasses import dataclass
from pathlib import Path

from lesionscan.simulation.dicom_file import SpacingTag, TransferSyntax, dicom_bytes
from lesionscan.simulation.fields import generator
from lesionscan.simulation.phantom import BODY_PARTS, Phantom, make_phantom
from lesionscan.simulation.planting.planted import facts
from lesionscan.simulation.truth_folder import KnownFilm, write_film

_SYNTAXES: tuple[TransferSyntax, ...] = ("native", "rle", "jpeg-ls", "jpeg2000")


@dataclass(frozen=True, slots=True)
class PhantomJob:
    """One random phantom of a folder, determined by `seed` and `number`.

    Attributes
    ----------
    folder
        The output folder.
    seed, number
        Seed of the folder, and number of the phantom in it, from 1.
    lesions
        Least and greatest number of lesions drawn (fewer if they would touch).
    body_parts
        Names in `BODY_PARTS` to draw from.
    long_side_px
        Least and greatest number of pixels along the longer side.

    Raises
    ------
    ValueError
        If a number is out of range or a body part unknown.
    """

    folder: Path
    seed: int
    number: int
    lesions: tuple[int, int] = (0, 3)
    body_parts: tuple[str, ...] = tuple(BODY_PARTS)
    long_side_px: tuple[int, int] = (700, 1400)

    def __post_init__(self) -> None:
        if min(self.seed, self.number) < 0:
            raise ValueError(f"seed must be 0 or greater, got {self.seed}")
        low, high = self.lesions
        if not 0 <= low <= high:
            raise ValueError(f"lesions must be two rising numbers of 0 or more, got {low} {high}")
        unknown = sorted(set(self.body_parts) - set(BODY_PARTS))
        if unknown or not self.body_parts:
            named = ", ".join(unknown) or "(none)"
            raise ValueError(f"unknown body part {named}; known: {', '.join(BODY_PARTS)}")

    @property
    def name(self) -> str:
        """Return the name of its files."""
        return f"phantom_{self.number:06d}"


def make_and_write(job: PhantomJob) -> dict[str, object]:
    """Make a random phantom, write it with its truth and return its entry for the index."""
    return write_film(job.folder, random_film(job))


def random_film(job: PhantomJob) -> KnownFilm:
    """Draw a phantom: part, patient, pose, implant, lesions, size and storage."""
    rng = generator(job.seed, 90, job.number)
    part = job.body_parts[int(rng.integers(len(job.body_parts)))]
    phantom = make_phantom(
        part,
        int(rng.integers(2**31)),
        lesions=int(rng.integers(job.lesions[0], job.lesions[1] + 1)),
        long_side_px=int(rng.integers(job.long_side_px[0], job.long_side_px[1] + 1)),
        variation=None,
        implant=None,
    )
    syntax = _SYNTAXES[int(rng.integers(len(_SYNTAXES)))]
    tag: SpacingTag = "none" if rng.random() < 0.3 else "ImagerPixelSpacing"
    return phantom_film(job.name, phantom, transfer_syntax=syntax, spacing_tag=tag)


def phantom_film(
    name: str,
    phantom: Phantom,
    *,
    transfer_syntax: TransferSyntax = "native",
    spacing_tag: SpacingTag = "ImagerPixelSpacing",
    note: str = "",
) -> KnownFilm:
    """Return a phantom as a DICOM file with its truth (see `dicom_bytes` for the options)."""
    rows, cols = phantom.stored.shape
    known = {
        "set": "phantom",
        "body_part": phantom.body_part,
        "view": phantom.view,
        "laterality": phantom.film.laterality,
        "seed": phantom.seed,
        "rows": rows,
        "columns": cols,
        "spacing_mm": round(phantom.spacing_mm, 6),
        "spacing_in_file": spacing_tag != "none",
        "photometric_interpretation": phantom.film.photometric,
        "bits_stored": phantom.film.bits,
        "transfer_syntax": transfer_syntax,
        "note": note,
        "bones": list(phantom.bone_names),
        "lesion_facts": [facts(lesion) for lesion in phantom.planted],
    }
    return KnownFilm(
        name=name,
        ending="dcm",
        image=dicom_bytes(phantom, transfer_syntax=transfer_syntax, spacing_tag=spacing_tag),
        lesions=phantom.lesions,
        bone=phantom.bone,
        bones=phantom.bones,
        facts=known,
    )
