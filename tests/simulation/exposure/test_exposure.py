"""Films of a known body: voltage, metal, dose, markers, shutters, storage and determinism."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from lesionscan.simulation.body.assembly import Body, assemble
from lesionscan.simulation.body.lesions import Lesion
from lesionscan.simulation.exposure.expose import Exposed, expose
from lesionscan.simulation.exposure.film import Film, draw_film, exposed_field, heel
from lesionscan.simulation.exposure.markings import burnt_in_text, lead_marker, marker_strokes
from lesionscan.simulation.exposure.tone import ToneFamily
from lesionscan.simulation.fields import Grid, generator
from lesionscan.simulation.phantom import BODY_PARTS

ANATOMY = BODY_PARTS["knee"](generator(4))
GRID = Grid(256, round(256 * ANATOMY.field_mm[0] / ANATOMY.field_mm[1]), ANATOMY.field_mm[1] / 256)
HOLE = Lesion("femur", 0.88, 0.0, 14.0, removed=0.9, margin_mm=0.5)
FILM = Film(marker="none")
TONES: tuple[ToneFamily, ...] = ("s-curve", "linear", "detail", "scanned")


@pytest.fixture(scope="module")
def body() -> Body:
    """Return a knee with a hole in its femur."""
    return assemble(4, ANATOMY, GRID, (HOLE,))


def _taken(body: Body, film: Film) -> Exposed:
    return expose(4, ANATOMY, GRID, body, film)


def _grey(exposed: Exposed, film: Film) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return the stored image scaled to [0, 1], bone bright."""
    share = exposed.stored / (2**film.bits - 1)
    return np.asarray(1.0 - share if film.photometric == "MONOCHROME1" else share)


def test_the_voltage_follows_the_thickness(body: Body) -> None:
    """A knee gets 65 to 75 kV by default, or else the voltage of the film's settings."""
    assert _taken(body, FILM).kv in {65, 70, 75}
    assert _taken(body, replace(FILM, kv=55)).kv == 55


def test_more_bone_is_never_darker(body: Body) -> None:
    """Adding 2 mm of bone increases the log image at every pixel of the bone."""
    film = replace(FILM, kv=70, dose=50.0)
    bone = body.bone_volume_mm > 2.0
    more = replace(body, bone_mm=body.bone_mm + 2.0 * bone)
    before, after = (_taken(b, film).evidence.log for b in (body, more))
    assert float((after - before)[bone].min()) > 0.05


def test_metal_is_brighter_than_any_bone(body: Body) -> None:
    """A titanium plate of 12 mm is brighter than bone and hides the lesion behind it."""
    metal = np.zeros(GRID.shape)
    rows, cols = np.nonzero(body.truth)
    box = np.s_[rows.min() - 4 : rows.max() + 5, cols.min() - 4 : cols.max() + 5]
    metal[box] = 12.0
    exposed = _taken(replace(body, metal_mm=metal), FILM)
    bone = exposed.bone.copy()
    bone[box] = False
    picture = _grey(exposed, FILM)
    assert np.median(picture[box]) > np.quantile(picture[bone], 0.99)
    assert not exposed.lesions.any()


def test_noise_falls_with_the_dose(body: Body) -> None:
    """Four times the dose halves the noise of the log image behind bone."""

    def noise(dose: float) -> float:
        film = replace(FILM, dose=dose)
        one, other = (
            expose(seed, ANATOMY, GRID, body, film).evidence.log[body.bone_mm > 2]
            for seed in (1, 2)
        )
        return float((one - other).std())

    assert noise(0.25) / noise(1.0) == pytest.approx(2.0, rel=0.1)


def test_what_a_lesion_took_away_is_known(body: Body) -> None:
    """The drop is 0 outside the lesion, and inside it is what filling the lesion would add."""
    film = replace(FILM, kv=70, dose=50.0, blur_mm=0.0)
    evidence = _taken(body, film).evidence
    assert float(evidence.drop[body.removed_mm == 0].max()) < 1e-9
    filled = replace(
        body,
        bone_mm=body.bone_mm + body.removed_mm,
        muscle_mm=body.muscle_mm - body.removed_mm,
        removed_mm=np.zeros(GRID.shape),
    )
    inner = body.removed_mm > 0.7 * body.removed_mm.max()
    step = (_taken(filled, film).evidence.log - evidence.log)[inner].mean()
    assert evidence.drop[inner].mean() == pytest.approx(step, rel=0.12)


def test_a_body_without_bone_in_the_field_has_a_film(body: Body) -> None:
    """A body without bone has an empty bone mask and a film with contrast."""
    flesh = replace(
        body,
        bone_mm=np.zeros(GRID.shape),
        bone_volume_mm=np.zeros(GRID.shape),
        removed_mm=np.zeros(GRID.shape),
        truth=np.zeros(GRID.shape, np.uint16),
    )
    exposed = _taken(flesh, FILM)
    assert not exposed.bone.any()
    assert np.ptp(_grey(exposed, FILM)) > 0.2


@pytest.mark.parametrize("tone", TONES)
def test_every_tone_shows_bone_in_flesh(body: Body, tone: ToneFamily) -> None:
    """Bone is brighter than flesh, and the polarities are complements."""
    film = replace(FILM, tone=tone, grain=0.01 if tone == "scanned" else 0.0, stretch=0.005, bits=8)
    exposed = _taken(body, film)
    picture = _grey(exposed, film)
    assert picture[exposed.bone].mean() > picture[~exposed.bone].mean() + 0.15
    dark = _taken(body, replace(film, photometric="MONOCHROME1"))
    assert np.array_equal(dark.stored, 255 - exposed.stored)


def test_a_stretched_archive_uses_the_whole_scale(body: Body) -> None:
    """Stretching by 0.01 clips about 1 % of the pixels to white, and some to black."""
    stored = _taken(body, replace(FILM, bits=8, stretch=0.01)).stored
    assert 0.005 < float((stored == 255).mean()) < 0.03
    assert float((stored == 0).mean()) > 0.005
    assert _taken(body, replace(FILM, bits=8)).stored.min() > 0


def test_a_wider_latitude_is_flatter(body: Body) -> None:
    """With a latitude of 3 log units, bone contrasts less with flesh than by default."""
    steps = []
    for latitude in (0.0, 3.0):
        exposed = _taken(body, replace(FILM, latitude=latitude))
        picture = _grey(exposed, FILM)
        steps.append(picture[exposed.bone].mean() - picture[~exposed.bone].mean())
    assert steps[1] < 0.7 * steps[0]


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_gamma_is_an_exponent(body: Body, gamma: float) -> None:
    """Gamma is the exponent of the grey values, bone bright, whatever the polarity."""
    for film in (FILM, replace(FILM, photometric="MONOCHROME1")):
        before, after = (
            _grey(_taken(body, one), film) for one in (film, replace(film, gamma=gamma))
        )
        assert np.abs(after - before**gamma).max() < 1e-3


def test_shading_darkens_one_end() -> None:
    """Shading reduces the beam at the anode's end, whichever end that is."""
    falls = heel(GRID, replace(FILM, shading=0.3, tilt_deg=1.0))
    rises = heel(GRID, replace(FILM, shading=0.3, tilt_deg=-1.0))
    assert falls[-1, 0] == pytest.approx(np.exp(-0.3), rel=0.01)
    assert np.array_equal(rises, falls[::-1])
    assert (heel(GRID, FILM) == 1).all()


@pytest.mark.parametrize(("aperture", "share"), [("rectangle", 1.0), ("octagon", 0.84)])
def test_apertures_have_their_shape(aperture: str, share: float) -> None:
    """Rectangular and octagonal fields have the calculated area."""
    grid = Grid(200, 200, 0.5)
    film = Film(collimation="shutter", border_mm=10.0, aperture=aperture)  # type: ignore[arg-type]
    field = exposed_field(grid, film)
    # borders of 10, 6, 8 and 11 mm leave 84 x 81 mm
    square = 84.0 * 81.0
    # corners cut at 0.45 of half the side: four triangles with legs of 22.5
    expected = square - (2 * 22.5**2 if aperture == "octagon" else 0.0)
    assert expected / square == pytest.approx(share, abs=0.02)
    assert float(field.sum()) * 0.25 == pytest.approx(expected, rel=0.01)


def test_a_circle_is_as_wide_as_the_picture_is_long() -> None:
    """A round field keeps the border at the ends of the film and is cut off at its sides."""
    grid = Grid(200, 160, 0.5)
    field = exposed_field(grid, Film(collimation="shutter", border_mm=5.0, aperture="circle"))
    assert field[100, 0] == field[12, 80] == 1.0
    assert field[8, 80] < 0.01
    assert field[0, 0] == 0.0


def test_shutters_are_black_or_white(body: Body) -> None:
    """Outside the field, a shutter stores the lowest value, or the highest if it is white."""
    film = replace(FILM, collimation="shutter", border_mm=12.0)
    assert (_taken(body, film).stored[0] == 0).all()
    assert (_taken(body, replace(film, white_shutter=True)).stored[0] == 4095).all()


def test_a_lead_marker_covers_a_thin_corner() -> None:
    """A marker lies where the body is thinnest, and its text adds to its area."""
    body = np.ones(GRID.shape)
    body[:80, -90:] = 0.0
    bare, text = (
        lead_marker(
            generator(1), GRID, marker_strokes("R", ring=True, text=t), body=body, beam=body * 0 + 1
        )
        for t in ("", "42")
    )
    assert bare.max() == 1.0
    rows, cols = np.nonzero(bare > 0.5)
    assert rows.max() < 90
    assert cols.min() > GRID.cols - 100
    assert text.sum() > 1.05 * bare.sum()
    assert not lead_marker(generator(1), GRID, (), body=body, beam=body).any()


def test_lead_is_bright(body: Body) -> None:
    """Most of a lead marker is brighter than 90 % of the bone."""
    marked = _taken(body, replace(FILM, marker="ring", marker_text="^7"))
    plain = _taken(body, FILM)
    letter = marked.stored.astype(int) - plain.stored > 1500
    assert letter.sum() > 20
    assert np.median(marked.stored[letter]) > np.quantile(plain.stored[plain.bone], 0.9)


def test_text_is_burnt_in_where_there_is_room(body: Body) -> None:
    """Text is drawn only in free corners; it is white, or black on a white shutter."""
    free = np.zeros(GRID.shape, dtype=np.bool_)
    assert not burnt_in_text(generator(1), GRID, free=free).any()
    drawn = [burnt_in_text(generator(seed), GRID, free=~free) for seed in range(3)]
    assert all(0 < float((text > 0.5).mean()) < 0.03 for text in drawn)
    film = replace(FILM, collimation="shutter", border_mm=30.0, burnt_in=True)
    black = expose(11, ANATOMY, GRID, body, film).stored
    white = expose(11, ANATOMY, GRID, body, replace(film, white_shutter=True)).stored
    ink = (black == 4095) & (white == 0)
    assert ink.any()


def test_drawn_films_come_in_every_family() -> None:
    """Random films have all tones, detectors, apertures and bit depths."""
    films = [draw_film(generator(seed)) for seed in range(150)]
    assert {film.tone for film in films} == set(TONES)
    assert {film.detector for film in films} == {"csi", "cr", "film"}
    assert {film.aperture for film in films} == {"rectangle", "octagon", "circle"}
    assert {film.bits for film in films} >= {8, 10, 14}
    assert {film.burnt_in for film in films} == {film.white_shutter for film in films}
    assert all((film.detector == "film") == (film.tone == "scanned") for film in films)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("gamma", 3.0, "gamma must be 0.4 to 2.5"),
        ("blur_mm", -1.0, "blur_mm must be 0 to 3"),
        ("latitude", 5.0, "latitude must be 0 to 4"),
        ("shading", 1.5, "shading must be 0 to 1"),
        ("grain", 0.2, r"grain must be 0 to 0\.1"),
        ("stretch", 0.1, r"stretch must be 0 to 0\.05"),
        ("kv", 72, "kv must be one of 55, 60, 65, 70, 75, 80, got 72"),
        ("flesh", 0.9, "flesh and bone must rise"),
        ("bits", 7, "bits must be 8 to 16"),
        ("marker_text", "AX", "marker_text must hold only .*, got 'X'"),
    ],
)
def test_a_film_out_of_range_is_refused(name: str, value: object, message: str) -> None:
    """A setting outside its range is refused, and the message names it."""
    with pytest.raises(ValueError, match=message):
        replace(FILM, **{name: value})  # type: ignore[arg-type]


_PROGRAM = """
import hashlib
from lesionscan.simulation.exposure.film import Film
from lesionscan.simulation.phantom import make_phantom
for tone in ("detail", "scanned"):
    film = Film(tone=tone, gamma=0.9, shading=0.2, grain=0.01, stretch=0.005, burnt_in=True)
    stored = make_phantom("hand", 5, long_side_px=200, film=film).stored
    print(hashlib.sha256(stored.tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_threads_and_processors_change_no_byte() -> None:
    """One or two threads, and wide or narrow SIMD in NumPy, give the same stored pixels."""
    narrow = {"NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX"}
    outputs = set()
    for change in ({"OMP_NUM_THREADS": "1"}, {"OMP_NUM_THREADS": "2", **narrow}):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _PROGRAM],
            capture_output=True, text=True, check=True, env={**os.environ, **change},
        )  # fmt: skip
        outputs.add(done.stdout)
    assert len(outputs) == 1
    assert len(outputs.pop().split()) == 2


def test_the_same_seed_makes_the_same_film(body: Body) -> None:
    """The same seed gives the same film, and another seed gives another."""
    film = draw_film(generator(9))
    first, second = (
        hashlib.sha256(_taken(body, film).stored.tobytes()).hexdigest() for _ in range(2)
    )
    other = hashlib.sha256(expose(5, ANATOMY, GRID, body, film).stored.tobytes()).hexdigest()
    assert first == second != other


def test_the_heel_effect_takes_no_share_of_a_lesion(body: Body) -> None:
    """Shading dims primary and scatter alike, so it does not change a lesion's signal."""
    seen = _taken(body, FILM).lesions == 1
    even = _taken(body, FILM).evidence.drop[seen].mean()
    shaded = _taken(body, replace(FILM, shading=0.35)).evidence.drop[seen].mean()
    assert shaded == pytest.approx(even, rel=0.03)
