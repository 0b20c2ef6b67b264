"""The sample images: ten phantoms, made from seeds.

`lesionscan demo` makes them from an installed package, `scripts/make_sample_images.py` in the
repository.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lesionscan.simulation.body.lesions import Lesion
from lesionscan.simulation.dicom_file import SpacingTag, TransferSyntax
from lesionscan.simulation.exposure.film import Film
from lesionscan.simulation.phantom import make_phantom
from lesionscan.simulation.phantom_folder import phantom_film
from lesionscan.simulation.truth_folder import KnownFilm, write_truth_folder


@dataclass(frozen=True, slots=True)
class Sample:
    """Recipe of a sample image; see `make_phantom` and `dicom_bytes` for the fields."""

    name: str
    body_part: str
    seed: int
    film: Film
    note: str
    lesions: tuple[Lesion, ...] = ()
    growth_plates: bool = False
    long_side_px: int = 960
    transfer_syntax: TransferSyntax = "native"
    spacing_tag: SpacingTag = "ImagerPixelSpacing"


SAMPLES: tuple[Sample, ...] = (
    Sample(
        "knee_normal", "knee", 9, Film(bits=12, laterality="R", marker="ring"),
        "No lesion. Notch, overlapping kneecap, scars of the growth plates and a nutrient canal "
        "are normal.",
        long_side_px=880,
    ),
    Sample(
        "femur_punched_out", "femur", 12, Film(bits=12, laterality="L", marker="plain"),
        "Five small punched-out holes without a rim, as in multiple myeloma.",
        (
            Lesion("femur", 0.405, 0.10, 9.0, elongation=1.15, removed=0.52, margin_mm=0.35,
                   shell_mm=0.3),
            Lesion("femur", 0.465, -0.45, 6.0, removed=0.8, margin_mm=0.3, shell_mm=0.3),
            Lesion("femur", 0.555, 0.35, 11.0, elongation=1.3, angle_deg=12.0, removed=0.65,
                   margin_mm=0.4, shell_mm=0.3),
            Lesion("femur", 0.645, -0.30, 7.5, removed=0.48, margin_mm=0.35, shell_mm=0.3),
            Lesion("femur", 0.76, 0.30, 12.0, removed=0.7, margin_mm=0.5, shell_mm=0.3),
        ),
        long_side_px=1040, transfer_syntax="rle",
    ),
    Sample(
        "knee_giant_cell", "knee", 31,
        Film("MONOCHROME1", bits=14, laterality="L", marker="plain", collimation="shutter",
             border_mm=7.0, tilt_deg=1.6),
        "A large eccentric geographic lesion of the lateral condyle with a thin rim, as a giant "
        "cell tumour.",
        (
            Lesion("femur", 0.90, -0.45, 32.0, elongation=1.25, angle_deg=8.0, removed=0.9,
                   margin_mm=0.8, wobble=0.07, septa=0.2, shell_mm=0.6, rim_mm=1.2),
        ),
        transfer_syntax="jpeg-ls",
    ),
    Sample(
        "shoulder_simple_cyst", "shoulder", 23, Film(bits=12, laterality="R", marker="plain"),
        "A central, slightly expansile cyst below an open growth plate, as a simple bone cyst.",
        (
            Lesion("humerus", 0.245, 0.0, 34.0, elongation=1.75, removed=0.72, margin_mm=0.7,
                   wobble=0.06, septa=0.35, shell_mm=0.8, rim_mm=0.8, expansile=True),
        ),
        growth_plates=True, transfer_syntax="jpeg2000",
    ),
    Sample(
        "wrist_expansile", "wrist", 46,
        Film("MONOCHROME1", bits=12, laterality="L", marker="ring", dose=0.8),
        "The end of the radius expanded to a thin shell with septa, as a giant cell tumour.",
        (
            Lesion("radius", 0.12, 0.10, 34.0, elongation=1.15, removed=0.5, margin_mm=0.6,
                   wobble=0.07, septa=0.7, shell_mm=0.5, expansile=True),
        ),
        long_side_px=880, spacing_tag="none",
    ),
    Sample(
        "hand_enchondromas", "hand", 58, Film(bits=12, laterality="L", marker="ring"),
        "Two small bones of the hand hollowed out, as enchondromas.",
        (
            Lesion("proximal_phalanx_4", 0.32, 0.0, 9.0, elongation=1.6, removed=0.65,
                   margin_mm=0.4, shell_mm=0.7),
            Lesion("metacarpal_2", 0.80, 0.0, 10.0, elongation=1.4, removed=0.95,
                   margin_mm=0.4, shell_mm=0.8),
        ),
        long_side_px=1040, transfer_syntax="jpeg-ls",
    ),
    Sample(
        "ankle_sclerotic_rim", "ankle", 64,
        Film(bits=10, laterality="R", marker="plain", collimation="bright", border_mm=7.0,
             tilt_deg=-2.2),
        "An eccentric lesion of the tibial metaphysis with a sclerotic rim, as a non-ossifying "
        "fibroma; the border of the field is unexposed and bright.",
        (
            Lesion("tibia", 0.74, -0.52, 17.0, elongation=1.8, angle_deg=-6.0, removed=0.7,
                   margin_mm=0.6, wobble=0.09, rim_mm=3.2, septa=0.3, shell_mm=0.5),
        ),
        long_side_px=1040, transfer_syntax="rle",
    ),
    Sample(
        "hip_permeative", "hip", 78,
        Film("MONOCHROME1", bits=12, laterality="L", marker="plain", collimation="shutter",
             border_mm=6.0, tilt_deg=-1.5, dose=0.9),
        "A moth-eaten, poorly defined lesion of the upper shaft and a smaller one in the ischium, "
        "as metastases; bowel gas and the obturator foramen are normal.",
        (
            Lesion("femur", 0.47, 0.0, 34.0, elongation=1.7, angle_deg=6.0, removed=0.62,
                   margin_mm=3.2, wobble=0.10, moth_eaten=0.7, shell_mm=0.2),
            Lesion("hip_bone", 0.84, 0.05, 11.0, removed=0.7, margin_mm=0.9, wobble=0.08,
                   moth_eaten=0.2, shell_mm=0.4),
        ),
        long_side_px=900, transfer_syntax="jpeg2000",
    ),
    Sample(
        "ankle_child_normal", "ankle", 83, Film(bits=12, laterality="L", marker="plain"),
        "No lesion, but open growth plates: lucent bands that a detector must not report.",
        growth_plates=True, transfer_syntax="jpeg-ls", spacing_tag="none",
    ),
    Sample(
        "knee_child_fibula", "knee", 95,
        Film("MONOCHROME1", bits=12, laterality="R", marker="ring", compression=0.45),
        "A thin-walled expansile lesion of the fibula, as an aneurysmal bone cyst, and a small "
        "hole in the tibia, among open growth plates.",
        (
            Lesion("fibula", 0.22, 0.0, 16.0, elongation=1.6, removed=0.9, margin_mm=0.5,
                   septa=0.3, shell_mm=0.9, expansile=True),
            Lesion("tibia", 0.27, 0.25, 9.0, elongation=1.2, removed=0.7, margin_mm=0.6,
                   rim_mm=1.5),
        ),
        growth_plates=True, long_side_px=900, transfer_syntax="jpeg2000", spacing_tag="none",
    ),
)  # fmt: skip
"""Ten recipes, in the order of index.json."""

README = """# Sample images

Ten phantom radiographs with known lytic lesions, to try lesionscan on. **They are computed: no
patient, no X-ray.** Thickness maps of bone and soft tissue were drawn from textbook proportions
and exposed like films: attenuation (Beer-Lambert), scatter, blur, noise and a tone curve.

- `images/NAME.dcm`: the radiographs (DICOM; native, RLE, JPEG-LS and JPEG 2000, all lossless)
- `masks/NAME.lesions.png`: the truth, one number per lesion; `masks/NAME.bone.png`: 255 = bone
- `index.json`: how each was made, and the position, size and contrast of every lesion

| image | lesions | what it shows |
| --- | --- | --- |
{rows}

`python scripts/make_sample_images.py` makes the same files again, byte for byte; the recipes are
in `lesionscan/simulation/samples.py`. Use them freely: CC0 1.0 or MIT, as you like. Results on
phantoms say nothing about results on patients.
"""


def sample_films() -> Iterator[KnownFilm]:
    """Make the sample phantoms one by one, in the order of `SAMPLES`."""
    for sample in SAMPLES:
        phantom = make_phantom(
            sample.body_part,
            sample.seed,
            lesions=sample.lesions,
            long_side_px=sample.long_side_px,
            film=sample.film,
            growth_plates=sample.growth_plates,
        )
        yield phantom_film(
            sample.name,
            phantom,
            transfer_syntax=sample.transfer_syntax,
            spacing_tag=sample.spacing_tag,
            note=sample.note,
        )


def write_samples(folder: Path) -> Path:
    """Write the sample images with their truth and a README; return the path of index.json."""
    index = write_truth_folder(folder, sample_films())
    rows = "\n".join(f"| {s.name} | {len(s.lesions)} | {s.note} |" for s in SAMPLES)
    (folder / "README.md").write_bytes(README.format(rows=rows).encode("utf-8"))
    return index
