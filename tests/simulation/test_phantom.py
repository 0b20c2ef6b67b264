"""Whole phantoms: shapes, truth, contrast, polarity, determinism."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from lesionscan.simulation.body.lesions import Lesion
from lesionscan.simulation.dicom_file import dicom_bytes
from lesionscan.simulation.exposure.film import Film, draw_film
from lesionscan.simulation.fields import Grid, generator
from lesionscan.simulation.parts.lower_limb import knee
from lesionscan.simulation.phantom import BODY_PARTS, Phantom, Take, make_phantom
from lesionscan.simulation.planting.planted import Evidence, contrast_and_noise, measure
from lesionscan.simulation.random_lesions import draw_lesions

HOLE = Lesion("femur", 0.75, 0.0, 14.0, removed=0.9, margin_mm=0.5)
FILM = Film(marker="none")


def _bone_bright(phantom: Phantom) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return the image scaled to [0, 1], bone bright, whatever its polarity."""
    top = 2**phantom.film.bits - 1
    picture = phantom.stored / top
    inverted = phantom.film.photometric == "MONOCHROME1"
    return np.asarray(1.0 - picture if inverted else picture, dtype=np.float64)


@pytest.mark.parametrize("body_part", list(BODY_PARTS))
def test_every_body_part_has_bright_bone_and_lesions_in_it(body_part: str) -> None:
    """Bone is brighter than the rest, lesions lie in bone, and their facts agree with the masks."""
    phantom = make_phantom(body_part, 3, lesions=2, long_side_px=200, film=FILM)
    picture = _bone_bright(phantom)
    assert picture[phantom.bone].mean() > picture[~phantom.bone].mean() + 0.15
    assert 0.02 < phantom.bone.mean() < 0.7
    assert not (phantom.lesions.astype(bool) & ~phantom.bone).any()
    for lesion in phantom.planted:
        mask = phantom.lesions == lesion.label
        rows, cols = np.nonzero(mask)
        assert lesion.area_px == mask.sum()
        assert lesion.centroid_px == pytest.approx((rows.mean(), cols.mean()), abs=0.01)
        assert lesion.area_mm2 == pytest.approx(lesion.area_px * phantom.spacing_mm**2, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("body_part", list(BODY_PARTS))
@pytest.mark.parametrize("seed", [1, 2])
def test_every_body_part_is_made_of_every_person_at_every_size(body_part: str, seed: int) -> None:
    """Random patients, poses and implants give valid phantoms of 128 and 190 pixels."""
    size = (128, 190)[seed - 1]
    phantom = make_phantom(
        body_part, seed, lesions=2, long_side_px=size, variation=None, implant=None
    )
    assert max(phantom.stored.shape) == size
    assert phantom.bone.mean() > 0.02
    assert not (phantom.lesions.astype(bool) & ~phantom.bone).any()


@pytest.mark.parametrize("body_part", ["knee", "hand", "skull_lateral", "pelvis"])
def test_bone_labels_agree_with_the_bone_mask(body_part: str) -> None:
    """Exactly the pixels of the bone mask have a bone's number, and every number has a name."""
    phantom = make_phantom(body_part, 3, long_side_px=256, film=FILM)
    assert np.array_equal(phantom.bones > 0, phantom.bone)
    assert phantom.bones.max() <= len(phantom.bone_names)
    assert len(set(phantom.bone_names)) == len(phantom.bone_names)


def test_a_bone_label_names_the_bone_that_is_there() -> None:
    """The upper bone of a knee is the femur, the lower one the tibia, the thin one the fibula."""
    phantom = make_phantom("knee", 3, long_side_px=256, film=FILM)
    row = {
        name: np.nonzero(phantom.bones == number)[0]
        for number, name in enumerate(phantom.bone_names, start=1)
    }
    assert row["femur"].mean() < row["tibia"].mean()
    assert row["fibula"].size < 0.5 * row["tibia"].size
    assert row["patella"].size > 0


def test_a_lesion_lies_in_the_bone_it_names() -> None:
    """Over 80 % of a lesion's pixels have the label of its bone."""
    phantom = make_phantom("knee", 4, lesions=(HOLE,), long_side_px=256, film=FILM)
    label = phantom.bone_names.index("femur") + 1
    assert (phantom.bones[phantom.lesions == 1] == label).mean() > 0.8


def test_bones_are_mirrored_with_the_picture() -> None:
    """The bone labels of a left knee are those of the right one, mirrored."""
    right = make_phantom("knee", 6, lesions=0, long_side_px=200, film=FILM)
    left = make_phantom("knee", 6, lesions=0, long_side_px=200, film=replace(FILM, laterality="L"))
    assert np.array_equal(left.bones, right.bones[:, ::-1])


def test_a_lesion_is_darker_than_the_bone_around_it() -> None:
    """A lesion is darker than the intact bone, but brighter than the flesh beside the bone."""
    with_hole = make_phantom("knee", 4, lesions=(HOLE,), long_side_px=400, film=FILM)
    without = make_phantom("knee", 4, lesions=0, long_side_px=400, film=FILM)
    mask = with_hole.lesions == 1
    assert with_hole.planted[0].contrast_to_noise > 2
    assert with_hole.planted[0].removed_to_noise > 2
    assert _bone_bright(with_hole)[mask].mean() < _bone_bright(without)[mask].mean() - 0.05
    beside = ~with_hole.bone
    beside[:, :100] = beside[:, 220:] = False
    assert _bone_bright(with_hole)[mask].mean() > _bone_bright(with_hole)[beside].mean()


def test_more_removed_bone_means_more_contrast() -> None:
    """The signal removed, relative to the noise, rises with the share of bone removed."""
    ratios = [
        make_phantom(
            "knee", 4, lesions=(replace(HOLE, removed=fraction),), long_side_px=400, film=FILM
        )
        .planted[0]
        .removed_to_noise
        for fraction in (0.2, 0.5, 0.9)
    ]
    assert ratios == sorted(ratios)
    assert ratios[2] > 3 * ratios[0]


def test_more_removed_bone_is_more_bone_loss() -> None:
    """Bone loss rises with the share removed in the lesion's middle; at 0.9 it is about 0.75."""
    losses = [
        make_phantom(
            "knee", 4, lesions=(replace(HOLE, removed=fraction),), long_side_px=256, film=FILM
        )
        .planted[0]
        .bone_loss
        for fraction in (0.2, 0.5, 0.9)
    ]
    assert losses == sorted(losses)
    assert losses[0] == pytest.approx(0.15, abs=0.1)
    assert losses[2] == pytest.approx(0.75, abs=0.2)


def test_polarities_are_complements() -> None:
    """The same film stored as MONOCHROME1 is the complement of that as MONOCHROME2."""
    bright = make_phantom("hand", 5, long_side_px=256, film=FILM)
    dark = make_phantom("hand", 5, long_side_px=256, film=replace(FILM, photometric="MONOCHROME1"))
    assert np.array_equal(dark.stored, 4095 - bright.stored)


def test_left_is_the_mirror_image_of_right() -> None:
    """The masks of a left knee are those of the right one, mirrored; the noise is its own."""
    right = make_phantom("knee", 6, lesions=(HOLE,), long_side_px=256, film=FILM)
    left = make_phantom(
        "knee", 6, lesions=(HOLE,), long_side_px=256, film=replace(FILM, laterality="L")
    )
    assert np.array_equal(left.lesions, right.lesions[:, ::-1])
    assert np.array_equal(left.bone, right.bone[:, ::-1])
    mirrored = right.stored[:, ::-1]
    assert np.corrcoef(left.stored.ravel(), mirrored.ravel())[0, 1] > 0.999
    assert np.mean(left.stored != mirrored) > 0.5


def test_a_shutter_is_black_and_an_unexposed_border_is_white() -> None:
    """Outside the field, a shutter is 0, and an unexposed border is brighter than 95 % of bone."""
    shut = make_phantom("ankle", 7, long_side_px=256, film=replace(FILM, collimation="shutter"))
    bright = make_phantom("ankle", 7, long_side_px=256, film=replace(FILM, collimation="bright"))
    assert (shut.stored[0] == 0).all()
    assert np.median(bright.stored[0]) > np.quantile(bright.stored[bright.bone], 0.95)


def test_a_lead_letter_is_bright_and_in_air() -> None:
    """A marker adds bright pixels, and only where the film was dark."""
    bare = _bone_bright(make_phantom("knee", 8, lesions=0, long_side_px=300, film=FILM))
    for marker in ("plain", "ring"):
        film = replace(FILM, marker=marker)
        marked = _bone_bright(make_phantom("knee", 8, lesions=0, long_side_px=300, film=film))
        letter = marked - bare > 0.4
        assert 20 < letter.sum() < 3000
        assert bare[letter].mean() < 0.3


def test_growth_plates_are_dark_bands_and_no_lesions() -> None:
    """Open growth plates change the image but not the truth."""
    adult = make_phantom("knee", 9, lesions=0, long_side_px=256, film=FILM)
    child = make_phantom("knee", 9, lesions=0, long_side_px=256, film=FILM, growth_plates=True)
    assert (_bone_bright(adult) - _bone_bright(child)).max() > 0.1
    assert not child.lesions.any()
    assert child.planted == ()


@pytest.mark.parametrize("size", [128, 256, 700])
def test_the_long_side_is_what_was_asked_for(size: int) -> None:
    """The long side has the requested size, and the spacing follows from the field."""
    phantom = make_phantom("femur", 10, long_side_px=size, film=FILM)
    assert max(phantom.stored.shape) == size
    assert phantom.spacing_mm == pytest.approx(320.0 / size)


def test_a_picture_keeps_its_anatomy_at_another_size() -> None:
    """The same seed at half the size has lesions at half the coordinates."""
    large = make_phantom("shoulder", 11, lesions=2, long_side_px=600, film=FILM)
    small = make_phantom("shoulder", 11, lesions=2, long_side_px=300, film=FILM)
    assert len(large.planted) == len(small.planted) > 0
    for one, other in zip(large.planted, small.planted, strict=True):
        assert np.array(one.centroid_px) / 2 == pytest.approx(other.centroid_px, abs=2.5)


def test_arrays_of_a_phantom_are_read_only() -> None:
    """The image of a phantom is read-only."""
    phantom = make_phantom("hand", 12, long_side_px=128)
    with pytest.raises(ValueError, match="read-only"):
        phantom.stored[0, 0] = 1


_PROGRAM = """
import hashlib
from lesionscan.simulation.dicom_file import dicom_bytes
from lesionscan.simulation.phantom import make_phantom
data = dicom_bytes(make_phantom("{part}", 42, lesions=2, long_side_px=256))
print(hashlib.sha256(data).hexdigest())
"""


@pytest.mark.slow
@pytest.mark.parametrize("part", ["hip", "hand"])
@pytest.mark.parametrize("narrow", [False, True])
def test_another_process_makes_the_same_bytes(part: str, narrow: bool) -> None:
    """The same seed gives the same file in a new process, with wide or narrow SIMD in NumPy."""
    environment = dict(os.environ)
    if narrow:
        environment["NPY_DISABLE_CPU_FEATURES"] = "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX"
    made = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _PROGRAM.format(part=part)],
        capture_output=True, text=True, check=True, env=environment,
    ).stdout.strip()  # fmt: skip
    here = dicom_bytes(make_phantom(part, 42, lesions=2, long_side_px=256))
    assert made == hashlib.sha256(here).hexdigest()


def test_another_process_draws_the_same_patient() -> None:
    """A random patient with an implant gives the same bytes in a new process with narrow SIMD."""
    options = "lesions=2, long_side_px=200, variation=None, implant='plate'"
    program = _PROGRAM.replace("lesions=2, long_side_px=256", options)
    environment = {
        **os.environ,
        "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX",
    }
    made = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program.format(part="lower_leg")],
        capture_output=True, text=True, check=True, env=environment,
    ).stdout.strip()  # fmt: skip
    here = make_phantom(
        "lower_leg", 42, lesions=2, long_side_px=200, variation=None, implant="plate"
    )
    assert made == hashlib.sha256(dicom_bytes(here)).hexdigest()


def test_another_seed_makes_other_bones() -> None:
    """Different seeds give different bone masks."""
    one, other = (make_phantom("hand", seed, long_side_px=128, film=FILM) for seed in (1, 2))
    assert not np.array_equal(one.bone, other.bone)


def test_contrast_and_noise_of_a_known_disc() -> None:
    """A disc 0.5 darker in noise of 0.05 has contrast 0.5 and noise 0.05."""
    y, x = np.mgrid[:200, :200]
    disc = np.hypot(y - 100, x - 100) < 30
    log = 2.0 - 0.5 * disc + 0.05 * generator(1).standard_normal((200, 200))
    contrast, noise = contrast_and_noise(log, disc, ~disc, spacing_mm=0.25, margin_mm=0.5)
    assert contrast == pytest.approx(0.5, abs=0.01)
    assert noise == pytest.approx(0.05, rel=0.1)


def test_contrast_is_measured_without_any_ring() -> None:
    """A lesion that fills the image has a contrast of 0 and a positive noise."""
    log = np.zeros((64, 64))
    everything = np.ones((64, 64), dtype=bool)
    contrast, noise = contrast_and_noise(
        log, everything, ~everything, spacing_mm=0.5, margin_mm=0.5
    )
    assert contrast == 0
    assert noise > 0


def test_drawn_films_are_valid_and_vary() -> None:
    """Random films have both polarities and every kind of collimation."""
    films = [draw_film(generator(seed)) for seed in range(40)]
    assert {film.photometric for film in films} == {"MONOCHROME1", "MONOCHROME2"}
    assert {film.collimation for film in films} == {"none", "shutter", "bright"}


def test_wrong_requests_are_refused() -> None:
    """Unknown parts, negative seeds, tiny images and unknown bones are refused."""
    with pytest.raises(ValueError, match="unknown body part 'nose'; known: knee"):
        make_phantom("nose", 1)
    with pytest.raises(ValueError, match="seed must be 0 or greater, got -1"):
        make_phantom("knee", -1)
    with pytest.raises(ValueError, match="at least 64 px per side"):
        make_phantom("knee", 1, long_side_px=70)
    with pytest.raises(ValueError, match="no bone named 'ulna' in KNEE; it has femur"):
        make_phantom("knee", 1, lesions=(replace(HOLE, bone="ulna"),), long_side_px=128)


@pytest.mark.parametrize(
    ("name", "value"), [("bits", 7), ("border_mm", 61.0), ("tilt_deg", 21.0), ("dose", 0.0)]
)
def test_a_film_out_of_range_is_refused(name: str, value: float) -> None:
    """A number outside its range is refused, and the message names it."""
    with pytest.raises(ValueError, match=f"{name} must be"):
        replace(FILM, **{name: value})  # type: ignore[arg-type]


def test_a_phantom_of_unequal_arrays_is_refused() -> None:
    """A phantom whose image and masks have different shapes is refused."""
    phantom = make_phantom("hand", 1, long_side_px=128)
    for name in ("lesions", "bone", "bones"):
        with pytest.raises(ValueError, match="must have one shape"):
            replace(phantom, **{name: getattr(phantom, name)[1:]})


def test_a_bone_number_without_a_name_is_refused() -> None:
    """A phantom whose bone labels have a number without a name is refused."""
    phantom = make_phantom("hand", 1, long_side_px=128)
    with pytest.raises(ValueError, match="but bone_names has only 1 names"):
        replace(phantom, bone_names=("radius",))


def test_a_lesion_without_pixels_cannot_be_measured() -> None:
    """A label that is not in the truth image is refused."""
    nothing = np.zeros((64, 64))
    evidence = Evidence(
        log=nothing,
        drop=nothing,
        intact=nothing,
        truth=nothing.astype(np.uint16),
        bone=nothing > 0,
        spacing_mm=0.5,
    )
    with pytest.raises(ValueError, match="lesion 1 has no pixel"):
        measure(1, HOLE, evidence)


def test_bones_can_be_named_by_place() -> None:
    """The ends of a bone are at 0 (the top) and 1 along it, its sides at -1 and 1 across it."""
    femur = knee(generator(1)).bone("femur")
    left, right = (femur.point_mm(0.5, side)[0] for side in (-1.0, 1.0))
    assert right - left == pytest.approx(2 * femur.point_mm(0.5, 0.0)[2], rel=0.05)
    assert femur.point_mm(1.0, 0.0)[1] > femur.point_mm(0.0, 0.0)[1]
    for along, end in zip((0.0, 1.0), femur.reach(), strict=True):
        x, y, half_width = femur.point_mm(along, 0.0)
        assert femur.local(np.array(x), np.array(y))[0] == pytest.approx(end)
        assert half_width == pytest.approx(0.0, abs=0.01)


@pytest.mark.slow
def test_a_phantom_of_ten_megapixels_is_made() -> None:
    """A phantom of over ten megapixels can be made, as benchmarks need it."""
    phantom = make_phantom("knee", 1, long_side_px=3700, film=FILM)
    assert phantom.stored.size > 10e6


@pytest.mark.parametrize("body_part", ["pelvis", "knee"])
def test_the_longer_side_has_the_requested_pixels(body_part: str) -> None:
    """The longer side has the requested number of pixels, in upright and in wide images."""
    assert max(make_phantom(body_part, 3, long_side_px=210).stored.shape) == 210


def test_no_lesion_is_longer_than_its_bone_and_no_vault_balloons() -> None:
    """Random lesions are no longer than their bones, and hollow bones have no expansile ones."""
    for part in ("hand", "skull_lateral", "lumbar_spine"):
        for seed in range(6):
            anatomy = BODY_PARTS[part](generator(seed))
            for lesion in draw_lesions(generator(seed, 1), anatomy, count=4):
                bone = anatomy.bone(lesion.bone)
                long = lesion.diameter_mm * np.sqrt(lesion.elongation)
                assert long <= np.ptp(bone.reach()) * bone.scale
                assert bone.wall is None or not lesion.expansile


def _grid(phantom: Phantom) -> Grid:
    rows, cols = phantom.stored.shape
    return Grid(rows, cols, phantom.spacing_mm)


LESION = replace(HOLE, along=0.5, diameter_mm=16.0)


def test_another_take_changes_only_the_noise() -> None:
    """Another take in the same position has the same bones and lesion, and other noise."""
    first, second = (
        make_phantom("femur", 3, lesions=(LESION,), long_side_px=320, film=FILM, take=Take(seed))
        for seed in (8, 9)
    )
    assert np.array_equal(first.bones, second.bones)
    assert np.array_equal(first.lesions, second.lesions)
    assert np.mean(first.stored != second.stored) > 0.5


def test_in_a_take_lesions_leave_the_bone_unchanged() -> None:
    """A lesion enlarged to 1.5 times its diameter leaves the bone outside it unchanged."""
    film = Film(bits=12, dose=20.0, grain=0.0)
    first, grown = (
        make_phantom("femur", 3, lesions=lesions, long_side_px=320, film=film, take=Take(8))
        for lesions in ((LESION,), (replace(LESION, diameter_mm=24.0),))
    )
    assert grown.planted[0].equivalent_diameter_mm == pytest.approx(
        1.5 * first.planted[0].equivalent_diameter_mm, rel=0.05
    )
    outside = first.bone & (ndimage.binary_dilation(grown.lesions > 0, iterations=8) == 0)
    one, other = (phantom.stored[outside].astype(float) for phantom in (first, grown))
    assert np.corrcoef(one, other)[0, 1] > 0.995


def test_a_take_moves_and_enlarges_the_part() -> None:
    """A take moves the lesion by its matrix and enlarges it by its magnification."""
    take = Take(9, turn_deg=10.0, shift=(0.05, -0.04), magnification=1.1)
    first, second = (
        make_phantom("femur", 3, lesions=(LESION,), long_side_px=320, take=one)
        for one in (Take(8), take)
    )
    matrix = take.matrix(_grid(first))
    row, column = first.planted[0].centroid_px
    x, y = matrix @ [column, row, 1.0]
    assert second.planted[0].centroid_px == pytest.approx((y, x), abs=1.0)
    assert second.planted[0].area_px == pytest.approx(1.21 * first.planted[0].area_px, rel=0.04)


def test_what_no_take_can_show_is_refused() -> None:
    """An expansile lesion, which changes its bone, and a magnification of 0 are refused."""
    balloon = replace(LESION, expansile=True)
    with pytest.raises(ValueError, match="an expansile lesion changes its bone"):
        make_phantom("femur", 3, lesions=(balloon,), long_side_px=200, take=Take(8))
    with pytest.raises(ValueError, match="magnification must be over 0"):
        Take(8, magnification=0.0)
