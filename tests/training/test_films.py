"""Films of truth folders are converted to training films of one size, with their masks."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lesionscan.detection.scorer.network import Network
from lesionscan.detection.scorer.preprocessing import Preprocessing
from lesionscan.evaluation.truth import TruthFilm, load_truth
from lesionscan.png import encode_png
from lesionscan.simulation.phantom import make_phantom
from lesionscan.simulation.phantom_folder import phantom_film
from lesionscan.simulation.truth_folder import KnownFilm, write_truth_folder
from lesionscan.training.films import (
    FAINT,
    LESION,
    LONG_SIDE_PX,
    TrainingFilm,
    planted_films,
    source_of,
    training_film,
)
from tests.detection.scorer.made import onnx_network
from tests.training.made import made_film

NO_BONE = -20.0


def network(bias: float = NO_BONE) -> Network:
    """Return a network that finds no bone anywhere, or some with another bias."""
    return Network(onnx_network(lucency=0.0, bias=bias), Preprocessing(), (64,))


def gradient(shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a picture that gets brighter from left to right."""
    return np.broadcast_to(np.linspace(20, 240, shape[1]).astype(np.uint8), shape).copy()


def known(
    name: str = "one", *, shape: tuple[int, int] = (200, 160), lesions: int = 0, **facts: object
) -> KnownFilm:
    """Return a film with square lesions in a row and no bone mask."""
    labels = np.zeros(shape, np.uint16)
    for label in range(1, lesions + 1):
        labels[50:80, 40 * label : 40 * label + 30] = label
    return KnownFilm(name, "png", encode_png(gradient(shape)), labels, facts=facts)


def folder(path: Path, *films: KnownFilm) -> tuple[TruthFilm, ...]:
    """Write films as a truth folder and load it."""
    write_truth_folder(path, films)
    return load_truth(path)


@pytest.fixture(scope="module")
def knee(tmp_path_factory: pytest.TempPathFactory) -> TruthFilm:
    """Return a small phantom without lesions, with its bone mask."""
    made = phantom_film("knee", make_phantom("knee", 1, lesions=0, long_side_px=400))
    return folder(tmp_path_factory.mktemp("knee"), made)[0]


def test_all_of_a_film_has_one_size(tmp_path: Path) -> None:
    """Picture and masks have one size, even if film and working grid round differently."""
    shape = (1000, 644)  # 494.6 columns
    film = KnownFilm(
        "one", "png", encode_png(gradient(shape)), np.zeros(shape, np.uint16), np.ones(shape, bool)
    )
    made = training_film(folder(tmp_path, film)[0], bone_outline="near")
    assert made.image.shape == made.lesions.shape == made.bone.shape == (LONG_SIDE_PX, 495)
    assert made.bone_outline == "near"
    assert (made.bone == 255).all()


def test_a_small_film_keeps_its_size_and_its_lesions(tmp_path: Path) -> None:
    """A film smaller than the training size is not resized, nor are its lesions."""
    made = training_film(folder(tmp_path, known(lesions=1))[0], bone_outline="whole")
    assert made.image.shape == (200, 160)
    expected = np.zeros((200, 160), np.uint8)
    expected[50:80, 40:70] = LESION
    np.testing.assert_array_equal(made.lesions, expected)
    assert made.has_lesions


def test_a_film_without_bone_mask_says_nothing_about_bone(tmp_path: Path) -> None:
    """A film without a bone mask has the bone outline "none" and an empty mask."""
    made = training_film(folder(tmp_path, known())[0], bone_outline="whole")
    assert made.bone_outline == "none"
    assert not made.bone.any()
    assert not made.has_lesions


@pytest.mark.parametrize(
    ("facts", "value"),
    [
        ({"contrast_to_noise": 0.9, "removed_to_noise": 1.4}, FAINT),
        ({"contrast_to_noise": 1.0, "removed_to_noise": 1.4}, LESION),
        ({"contrast_to_noise": 0.9, "removed_to_noise": 1.5}, LESION),
        ({"contrast_to_noise": 0.9}, LESION),
        ({"contrast_to_noise": None, "removed_to_noise": "low"}, LESION),
        ({}, LESION),
    ],
)
def test_only_a_lesion_known_to_be_hidden_is_faint(
    tmp_path: Path, facts: dict[str, object], value: int
) -> None:
    """A lesion is faint only if both noise ratios are given and low; other lesions are not."""
    film = known(lesions=2, lesion_facts=[{"label": 2, **facts}])
    made = training_film(folder(tmp_path, film)[0], bone_outline="whole")
    assert made.lesions[60, 50] == LESION
    assert made.lesions[60, 90] == value


def test_films_of_one_making_have_one_source(tmp_path: Path) -> None:
    """Films of a patient or a case, and a film and its planted copies, have the same source."""
    films = folder(
        tmp_path,
        known("a", set="x", patient=3),
        known("b", set="y", patient=3),
        known("c", set="x", case=3),
        known("c_planted", set="x", source="c"),
        known("d", set="x", case=3),
        known("e"),
        known("e_planted", set="e_planted", source="e"),
        known("f_planted", source="f"),
        known("g_planted", source="f"),
    )
    groups: dict[str, set[str]] = {}
    for film in films:
        groups.setdefault(source_of(film), set()).add(film.name)
    assert sorted(map(sorted, groups.values())) == [
        ["a", "b"], ["c", "c_planted", "d"], ["e", "e_planted"], ["f_planted", "g_planted"],
    ]  # fmt: skip


def test_a_fifth_of_the_sources_is_held_out_for_ever() -> None:
    """About a fifth of the sources are held out, and the choice depends on the source alone."""
    held_out = sum(made_film(source=f"film {number}").held_out for number in range(1000))
    assert 170 <= held_out <= 230
    assert made_film("other name", source="film knee").held_out
    assert not made_film("knee", source="film foot").held_out


def test_the_arrays_cannot_be_changed() -> None:
    """The picture and the masks of a film are read-only."""
    film = made_film()
    for array in (film.image, film.lesions, film.bone):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1


def test_a_normal_film_comes_first_then_its_variants(knee: TruthFilm) -> None:
    """The unchanged film comes first; each variant has lesions in bone and the same source."""
    film, *variants = planted_films(knee, network(), variants=4, seed=1)
    assert film.name == "knee"
    assert not film.has_lesions
    assert len(variants) >= 3
    for variant in variants:
        assert variant.has_lesions
        assert variant.source == film.source == "film knee"
        assert variant.held_out == film.held_out
        assert variant.image.shape == film.image.shape == variant.lesions.shape
        changed = variant.image != film.image
        assert changed[variant.lesions > 0].mean() > 0.5
        assert changed.mean() < 0.5
        assert (variant.bone[variant.lesions > 0] > 127).mean() > 0.9
    assert len({variant.name for variant in variants}) == len(variants)


def test_the_seed_decides_what_is_planted(knee: TruthFilm) -> None:
    """The same seed plants the same lesions, and another seed plants others."""

    def images(seed: int) -> list[bytes]:
        return [
            film.image.tobytes() for film in planted_films(knee, network(), variants=2, seed=seed)
        ]

    assert images(1) == images(1)
    assert images(1)[0] == images(2)[0]
    assert images(1)[1:] != images(2)[1:]


def test_a_film_that_can_carry_no_lesion_comes_alone(tmp_path: Path) -> None:
    """A film without bone has no variants, and its bone map is the network's."""
    film = folder(tmp_path, known())[0]
    alone = planted_films(film, network(), variants=3, seed=1)
    assert [one.name for one in alone] == ["one"]
    assert not alone[0].bone.any()
    assert alone[0].bone_outline == "whole"


def test_the_network_outlines_what_no_mask_does(tmp_path: Path, knee: TruthFilm) -> None:
    """The bone map is the maximum of the network's output and the film's own mask."""
    log_odds_of_a_quarter = float(np.log(0.25 / 0.75))
    film = folder(tmp_path, known())[0]
    assert planted_bone(film, log_odds_of_a_quarter).max() == 64  # 0.25 of 255
    outlined = planted_bone(knee, log_odds_of_a_quarter)
    assert outlined.min() == 64
    assert outlined.max() == 255


def planted_bone(film: TruthFilm, bias: float) -> NDArray[np.uint8]:
    """Return the bone map of a film without variants."""
    only: list[TrainingFilm] = planted_films(film, network(bias), variants=0, seed=1)
    return only[0].bone
