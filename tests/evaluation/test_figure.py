"""The figure shows each set in its own panel, with chance, interval and disclaimer."""

import dataclasses
import io
import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from lesionscan.evaluation.evaluate import Evaluation, evaluate
from lesionscan.evaluation.figure import _names, _picture, froc_figure
from lesionscan.evaluation.results import Tool
from tests.evaluation.made import MadeFilm, make, write_results
from tests.evaluation.paper import FILMS, A, C

TOOL = Tool("lesionscan", "1", "a" * 64)


def two_sets(folder: Path) -> Evaluation:
    """Return an evaluation of two equal sets, compared with the same results."""
    films = [
        dataclasses.replace(film, name=name + film.name, facts={**film.facts, "set": name})
        for name in ("one", "two")
        for film in FILMS[:-1]
    ]
    results, truth = make(folder, films)
    return evaluate(results, truth, against=results, resamples=40)


def test_the_figure_is_a_png_and_an_svg(tmp_path: Path) -> None:
    """The figure is a valid PNG, in colour on white, and an SVG."""
    png, svg = froc_figure(two_sets(tmp_path))
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.format == "PNG"
        pixels = np.asarray(picture.convert("RGB"))
    assert pixels.shape[0] > 500
    assert (pixels[0, 0] == 255).all()
    assert np.unique(pixels.reshape(-1, 3), axis=0).shape[0] > 50
    assert svg.startswith(b"<?xml")


def test_each_set_has_its_own_panel(tmp_path: Path) -> None:
    """Each set with a curve has a panel with both programs, chance and the seven rates."""
    evaluation = two_sets(tmp_path)
    picture = _picture(evaluation, evaluation.sets[:2])
    assert len(picture.axes) == 2
    for axes, name in zip(picture.axes, ("one", "two"), strict=True):
        assert axes.get_title().startswith(f"{name}\n3 lesions on 2 films, 3 lesion-free")
        assert [tick.get_text() for tick in axes.get_xticklabels()] == [
            "1/8", "1/4", "1/2", "1", "2", "4", "8",
        ]  # fmt: skip
        legend = axes.get_legend()
        assert legend is not None
        words = [text.get_text() for text in legend.get_texts()]
        assert words[0].startswith("made, first, CPM 0.52 (")
        assert words[1].startswith("random points, CPM 0.0")
        assert words[2].startswith("made, second, CPM 0.52 (")
        assert len(words) == 3
        dashes = [line.get_linestyle() for line in axes.get_lines()]
        assert {"-", "-.", "--"} <= set(dashes)
    assert picture.get_supxlabel() == "Research use only; not a diagnosis."


def test_another_bone_mask_has_its_own_chance_curve(tmp_path: Path) -> None:
    """A program with another search area has its own chance curve."""
    results, truth = make(tmp_path, [A, C])
    bone = dataclasses.replace(A, tool_bone=(0, 0, 60, 50))
    other = write_results(tmp_path / "other", truth, [bone, C])
    evaluation = evaluate(results, truth, against=other, resamples=0)
    lines = _picture(evaluation, evaluation.sets).axes[0].get_lines()
    assert [line.get_linestyle() for line in lines].count("--") == 2


def test_the_line_is_the_curve(tmp_path: Path) -> None:
    """The curve has a step at the left end (no false positive) and one at 1 per film."""
    evaluation = evaluate(*make(tmp_path, FILMS), resamples=0)
    line = _picture(evaluation, evaluation.sets[:1]).axes[0].get_lines()[0]
    assert line.get_drawstyle() == "steps-post"
    assert np.asarray(line.get_xdata()).tolist() == [1 / 32, 1 / 32, 1.0, 32.0]
    assert np.asarray(line.get_ydata()) == pytest.approx([0, 1 / 3, 2 / 3, 2 / 3])


def test_a_program_that_marks_nothing_has_a_line_at_0(tmp_path: Path) -> None:
    """A program without candidates has a curve at sensitivity 0."""
    films = [dataclasses.replace(film, candidates=()) for film in (A, C)]
    evaluation = evaluate(*make(tmp_path, films), resamples=0)
    axes = _picture(evaluation, evaluation.sets).axes[0]
    assert np.asarray(axes.get_lines()[0].get_ydata()).tolist() == [0.0, 0.0]
    assert "CPM 0.00" in axes.get_legend_handles_labels()[1][0]


def test_four_sets_are_in_two_rows(tmp_path: Path) -> None:
    """There are three panels per row, and unused ones are hidden."""
    films = [
        dataclasses.replace(film, name=name + film.name, facts={"set": name})
        for name in "wxyz"
        for film in (A, C)
    ]
    evaluation = evaluate(*make(tmp_path, films), resamples=0)
    axes = _picture(evaluation, evaluation.sets).axes
    assert [one.get_visible() for one in axes] == [True] * 4 + [False] * 2


def test_without_a_curve_the_figure_says_so(tmp_path: Path) -> None:
    """Without any curve, the figure contains a message instead."""
    evaluation = evaluate(*make(tmp_path, [MadeFilm("n")]), resamples=0)
    picture = _picture(evaluation, ())
    assert [text.get_text() for text in picture.texts][-1] == (
        "no set has both a lesion and a lesion-free film"
    )
    assert froc_figure(evaluation)[0].startswith(b"\x89PNG")


def test_names_are_drawn_as_they_are(tmp_path: Path) -> None:
    """Names with dollar signs or characters missing from the font are drawn literally."""
    films = [dataclasses.replace(film, facts={"set": "$\\bad$ 骨"}) for film in (A, C)]
    evaluation = evaluate(*make(tmp_path, films), resamples=0)
    assert froc_figure(evaluation)[0].startswith(b"\x89PNG")
    title = _picture(evaluation, evaluation.sets).axes[0].get_title()
    assert title.startswith(r"\$\bad\$ 骨")


def test_the_users_own_style_changes_nothing(tmp_path: Path) -> None:
    """The user's matplotlib settings do not change the figure."""
    evaluation = evaluate(*make(tmp_path, FILMS), resamples=20)
    plain = froc_figure(evaluation)
    with mpl.rc_context({"lines.linewidth": 9, "axes.facecolor": "black", "svg.hashsalt": "x"}):
        assert froc_figure(evaluation) == plain


def test_the_figure_contains_no_date(tmp_path: Path) -> None:
    """Neither the metadata of the PNG nor the SVG contain a date."""
    png, svg = froc_figure(evaluate(*make(tmp_path, FILMS), resamples=0))
    with Image.open(io.BytesIO(png)) as picture:
        picture.load()
        facts = str(picture.info)
    for text in (facts, svg.decode("utf-8")):
        assert not re.search(r"20\d\d[-:]\d\d[-:]\d\d|creation", text, re.IGNORECASE)


@pytest.mark.parametrize(
    ("other", "names"),
    [
        (None, ("lesionscan", "")),
        (Tool("peer", "1", "a" * 64), ("lesionscan", "peer")),
        (Tool("lesionscan", "2", "a" * 64), ("lesionscan 1", "lesionscan 2")),
        (TOOL, ("lesionscan, first", "lesionscan, second")),
    ],
)
def test_programs_are_named_so_that_they_differ(other: Tool | None, names: tuple[str, str]) -> None:
    """Programs are named by name, then version, then settings, else "first" and "second"."""
    assert _names(TOOL, other) == names


def test_settings_tell_two_runs_of_a_version_apart() -> None:
    """Runs of one version are distinguished by the first digits of the hash of the settings."""
    one, two = _names(TOOL, Tool("lesionscan", "1", "b" * 64))
    assert (one, two) == (
        "lesionscan 1 settings aaaaaaaa",
        "lesionscan 1 settings bbbbbbbb",
    )


def test_scorers_tell_two_runs_of_a_version_apart() -> None:
    """Runs with equal settings are distinguished by the first digits of the scorers' hashes."""
    one, two = (Tool("lesionscan", "1", "a" * 64, digit * 64) for digit in "cd")
    assert _names(one, two) == (
        "lesionscan 1 settings aaaaaaaa, scorer cccccccc",
        "lesionscan 1 settings aaaaaaaa, scorer dddddddd",
    )
