"""The FROC figure of an evaluation: one panel per set, with chance curve and interval."""

import io
import warnings
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from lesionscan.evaluation.evaluate import Evaluation, SetEvaluation
from lesionscan.evaluation.froc import RATE_NAMES, RATES, Curve
from lesionscan.evaluation.results import Tool
from lesionscan.evaluation.summary import Figure, SetFigures
from lesionscan.results.record import DISCLAIMER

# Okabe & Ito's palette: blue and vermilion differ for colour-blind readers and in grey.
OURS, OTHERS, GREY = "#0072B2", "#D55E00", "#555555"
DPI = 150
_COLUMNS = 3


def froc_figure(evaluation: Evaluation) -> tuple[bytes, bytes]:
    """Draw the figure as PNG and as SVG.

    The same evaluation and matplotlib give the same bytes: no date, and fixed ids in the SVG.

    Parameters
    ----------
    evaluation
        Sets without a curve (without lesions, or without lesion-free films) have no panel.
    """
    drawn = [one for one in evaluation.sets if one.program.figures.curve is not None]
    # the default style, regardless of the user's matplotlibrc
    fixed = {"svg.hashsalt": "lesionscan", "svg.fonttype": "path", "font.size": 9.0}
    with (
        style.context(["default", fixed]),
        mpl.rc_context({"backend": "agg"}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # it draws a box instead
        picture = _picture(evaluation, drawn)
        files: list[bytes] = []
        for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None})):
            stream = io.BytesIO()
            picture.savefig(stream, format=kind, dpi=DPI, metadata=metadata)
            files.append(stream.getvalue())
    return files[0], files[1]


def _picture(evaluation: Evaluation, drawn: Sequence[SetEvaluation]) -> Picture:
    across = min(max(len(drawn), 1), _COLUMNS)
    down = -(-max(len(drawn), 1) // across)
    # a single panel is wide enough for the line below it
    picture = Picture(figsize=(max(4.4 * across, 5.4), 4.3 * down + 0.3), layout="constrained")
    picture.supxlabel(DISCLAIMER, fontsize=7, color=GREY)
    if not drawn:
        picture.text(0.5, 0.5, "no set has both a lesion and a lesion-free film", ha="center")
        return picture
    panels = picture.subplots(down, across, squeeze=False)
    for axes, one in zip(panels.flat, drawn, strict=False):
        _panel(axes, one, evaluation.tool, evaluation.other_tool)
    for axes in panels.flat[len(drawn) :]:
        axes.set_visible(False)
    return picture


def _panel(axes: Axes, one: SetEvaluation, tool: Tool, other_tool: Tool | None) -> None:
    figures = one.program.figures
    programs = [(one.program, OURS, "solid"), (one.other, OTHERS, "dashdot")]
    shown: list[str] = []
    for (program, colour, dash), name in zip(programs, _names(tool, other_tool), strict=True):
        if program is not None and program.figures.curve is not None:
            _draw(axes, program.figures, program.figures.curve, (name, colour, dash))
            chance = f"random points, CPM {program.figures.chance_cpm or 0:.2f}"
            if chance not in shown:  # the second program's bone mask may differ
                band, grey = program.figures.band, OTHERS if shown else GREY
                axes.plot(band.rates, band.chance, color=grey, linestyle="dashed", label=chance)
            shown.append(chance)
    axes.set_xscale("log", base=2)
    axes.set_xlim(RATES[0], RATES[-1])
    axes.set_xticks(RATES, RATE_NAMES)
    axes.set_ylim(0, 1)
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.grid(visible=True, color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("false positives per lesion-free film")
    axes.set_ylabel("sensitivity (lesions)")
    axes.set_title(
        f"{_plain(one.name)}\n{figures.lesions:,} lesions on {figures.lesion_films:,} films, "
        f"{figures.lesion_free_films:,} lesion-free",
        fontsize=9,
    )
    # below the panel: a good curve runs through the upper left corner
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize=7.5, frameon=False)


def _draw(axes: Axes, figures: SetFigures, curve: Curve, line: tuple[str, str, str]) -> None:
    """Draw a program's curve, the seven rates and the interval; line: name, colour, dashes."""
    name, colour, dash = line
    # No interpolation: sensitivity is constant up to the next operating point, and after the last.
    # Points left of the scale (no or few false positives) are drawn at its edge.
    rates = np.append(np.maximum(curve.false_positives_per_film, RATES[0] / 4), 4 * RATES[-1])
    levels = np.append(curve.sensitivity, curve.sensitivity[-1] if curve.sensitivity.size else 0)
    axes.step(
        np.append(RATES[0] / 4, rates),
        np.append(0.0, levels),
        where="post",
        color=colour,
        linestyle=dash,
        linewidth=1.6,
        label=f"{_plain(name)}, CPM {_words(figures.cpm)}",
    )
    axes.plot(
        RATES,
        [np.nan if one.value is None else one.value for one in figures.sensitivity],
        linestyle="none",
        marker="o",
        markersize=4,
        color=colour,
        clip_on=False,
    )
    axes.fill_between(
        figures.band.rates,
        figures.band.low,
        figures.band.high,
        color=colour,
        alpha=0.18,
        linewidth=0,
    )


def _names(tool: Tool, other: Tool | None) -> tuple[str, str]:
    """Return the programs' names, with version, settings and scorer if the names are equal."""
    if other is None:
        return tool.name, ""
    one, two = (
        (one.name, f"{one.name} {one.version}", f"{one.name} {one.version} {one.made_with()}")
        for one in (tool, other)
    )
    for pair in zip(one, two, strict=True):
        if pair[0] != pair[1]:
            return pair
    return f"{tool.name}, first", f"{other.name}, second"


def _plain(text: str) -> str:
    """Escape dollar signs, which matplotlib would read as mathematics."""
    return text.replace("$", r"\$")


def _words(one: Figure) -> str:
    if one.value is None:
        return "unknown"
    if one.low is None or one.high is None:
        return f"{one.value:.2f}"
    return f"{one.value:.2f} ({one.low:.2f} to {one.high:.2f})"
