"""Self-contained HTML page of one pair of films, and the page that lists the pairs.

Pictures are embedded, and the Content-Security-Policy allows only the one style and the one script,
by their hashes.
"""

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from urllib.parse import quote

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.comparison.compare import Comparison
from lesionscan.comparison.picture import Views, views_of, words_of
from lesionscan.comparison.record import ComparisonRecord
from lesionscan.results.record import DISCLAIMER

_MARK = re.compile("@([A-Z_]+)@")
_QUALITY = 85
_LONG_SIDE_PX = 1100
_CHANGES = ("grown", "new", "merged", "shrunk", "gone", "split", "not_comparable", "stable")
"""States, in their order on the list of pairs."""


def comparison_page(comparison: Comparison) -> bytes:
    """Return the page of a pair, as UTF-8."""
    record = comparison.record
    views = views_of(comparison, long_side_px=_LONG_SIDE_PX)
    script = _asset("compare.js")
    rows, cols = views.before.shape
    slots = {
        "SCRIPT": script,
        "TITLE": f"{escape(record.before.name)} &rarr; {escape(record.after.name)}",
        "FIT": _fit_words(record),
        "COLUMNS": str(cols),
        "ROWS": str(rows),
        "BEFORE": _data_uri(views.before),
        "AFTER": _data_uri(views.after),
        "OUTLINES": _paths(views),
        "LESIONS": _list_of(record),
    }
    page = _framed("lesionscan comparison", _filled("compare.html", slots), script=script)
    return page.encode("utf-8")


def frame_of_pairs() -> tuple[str, str]:
    """Return the start and the end of the page that lists the pairs."""
    start, end = _framed("lesionscan comparisons", _asset("pairs.html")).split("@PAIRS@")
    return start, end


def line_of_pair(name: str, page: str, record: ComparisonRecord) -> str:
    """Return the list item of a pair.

    Parameters
    ----------
    name
        Name of the pair.
    page
        Relative link to its page.
    record
        The comparison.
    """
    if record.error is not None:
        words = f"{record.status}: {record.error.message}"
        return f"<li>{escape(name)}: {escape(words)}</li>\n"
    states = Counter(str(one.state) for one in record.lesions)
    found = [state for state in _CHANGES if states[state]]
    counts = ", ".join(f"{states[state]} {state.replace('_', ' ')}" for state in found)
    link = f'<a href="{quote(page)}">{escape(name)}</a>'
    return f'<li class="{found[0] if found else ""}">{link}: {counts or "no lesion"}</li>\n'


def _framed(title: str, body: str, *, script: str = "") -> str:
    """Return a page: its body in the frame that both pages have, and its one script allowed."""
    style = _asset("compare.css")
    slots = {
        "SCRIPT_SOURCE": f"script-src '{_hash(script)}'; " if script else "",
        "STYLE_HASH": _hash(style),
        "STYLE": style,
        "TITLE": title,
        "DISCLAIMER": escape(DISCLAIMER),
        "BODY": body,
    }
    return _filled("frame.html", slots)


def _filled(name: str, slots: Mapping[str, str]) -> str:
    """Fill an asset's placeholders, in one pass: one in a film's name is not replaced."""
    return _MARK.sub(lambda mark: slots[mark[1]], _asset(name))


def _asset(name: str) -> str:
    return (files("lesionscan.comparison") / "assets" / name).read_bytes().decode("utf-8")


def _hash(text: str) -> str:
    """Return the Content-Security-Policy source that allows only this text (W3C CSP3, 2.3.1)."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _data_uri(film: NDArray[np.uint8]) -> str:
    done, data = cv2.imencode(".jpg", film, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise ValueError(f"no JPEG can be made of an array {film.dtype} {film.shape}")
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode('ascii')}"


def _paths(views: Views) -> str:
    """Return the outlines as SVG polygons with numbers."""
    parts = []
    for number, outlines in enumerate(views.outlines, start=1):
        for name, side in (("first", outlines[0]), ("second", outlines[1])):
            for outline in side:
                step = max(1, len(outline) // 120)
                points = " ".join(f"{x:.1f},{y:.1f}" for y, x in outline[::step])
                parts.append(f'<polygon class="{name}" points="{points}"/>')
        place = next((outline for side in outlines for outline in side), None)
        if place is not None:
            y, x = place.min(axis=0)[0], place.max(axis=0)[1]
            parts.append(f'<text x="{x + 6:.0f}" y="{y + 6:.0f}">{number}</text>')
    return "".join(parts)


def _fit_words(record: ComparisonRecord) -> str:
    fit = record.registration
    if fit is None:
        return ""
    return (
        f"bones overlap {fit.overlap:.2f}, residual {fit.residual_px:.1f} px, magnification "
        f"{fit.magnification:.3f}, turned by {fit.turn_deg:.0f}&deg;"
    )


def _list_of(record: ComparisonRecord) -> str:
    if not record.lesions:
        return "<li>no lesion is shown on either film</li>"
    return "".join(
        f'<li class="{one.state}">{escape(words_of(one))}</li>' for one in record.lesions
    )
