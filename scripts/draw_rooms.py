"""Draw docs/rooms.svg, the packages of lesionscan/ and their imports: scripts/draw_rooms.py.

A package is one layer above the highest package that it imports. An arrow that other arrows imply
(from A to C, where A imports B and B imports C) is left out. A test compares the picture with what
this script draws.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "lesionscan"
TARGET = ROOT / "docs" / "rooms.svg"

GROUND = "ground"
"""Name for the top-level modules."""
BOX = (118, 34)
"""Width and height of a package, in pixels."""
GAP = (52, 52)
"""Between the packages of a layer, and between layers."""
MARGIN = 14


def main() -> None:
    """Write the picture."""
    TARGET.write_text(picture(imports()), encoding="utf-8")
    print(TARGET)


def imports() -> dict[str, set[str]]:
    """Return the other packages that each package imports, also inside functions."""
    found: dict[str, set[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        inside = path.relative_to(PACKAGE).with_suffix("").parts
        if inside == ("__init__",):
            continue
        room = _room(inside[0])
        found.setdefault(room, set()).update(_imported_by(path) - {room})
    return found


def _imported_by(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [
        node.module if node.module != "lesionscan" else f"lesionscan.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    ]
    names += [
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    ]
    parts = [name.split(".") for name in names]
    return {
        _room(part[1])
        for part in parts
        if part[0] == "lesionscan" and len(part) > 1 and not part[1].startswith("__")
    }


def _room(name: str) -> str:
    return name if (PACKAGE / name).is_dir() else GROUND


def floors(arrows: dict[str, set[str]]) -> dict[str, int]:
    """Return the layer of each package, 0 for those that import no other.

    Raises
    ------
    ValueError
        When packages import each other in a cycle.
    """
    found: dict[str, int] = {}
    while len(found) < len(arrows):
        ready = {room for room in arrows.keys() - found.keys() if arrows[room] <= found.keys()}
        if not ready:
            raise ValueError(f"import cycle among {sorted(arrows.keys() - found.keys())}")
        found |= {
            room: 1 + max((found[other] for other in arrows[room]), default=-1) for room in ready
        }
    return found


def without_implied(arrows: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return the arrows that no other arrows imply."""
    below: dict[str, set[str]] = {}
    for room in sorted(arrows, key=floors(arrows).__getitem__):
        below[room] = arrows[room].union(*(below[other] for other in arrows[room]))
    return {
        room: {
            other
            for other in imported
            if not any(other in below[between] for between in imported - {other})
        }
        for room, imported in arrows.items()
    }


def picture(arrows: dict[str, set[str]]) -> str:
    """Return the packages and arrows as SVG."""
    return "\n".join(_lines(arrows)) + "\n"


def _rows(arrows: dict[str, set[str]], floor: dict[str, int]) -> list[list[str]]:
    """Return the packages of each layer, the top one first, each below what imports it."""
    place: dict[str, float] = {}
    rows: list[list[str]] = []
    for number in range(max(floor.values()), -1, -1):
        row = [room for room in arrows if floor[room] == number]
        above = {
            room: [place[other] for other in place if room in arrows[other]] or [0.0]
            for room in row
        }
        row.sort(key=lambda room: (sum(above[room]) / len(above[room]), room))
        place |= {room: index - (len(row) - 1) / 2 for index, room in enumerate(row)}
        rows.append(row)
    return rows


def _lines(arrows: dict[str, set[str]]) -> Iterator[str]:
    floor = floors(arrows)
    rows = _rows(without_implied(arrows), floor)
    step = (BOX[0] + GAP[0], BOX[1] + GAP[1])
    width = 2 * MARGIN + max(map(len, rows)) * step[0] - GAP[0]
    height = 2 * MARGIN + len(rows) * step[1] - GAP[1]
    corner = {
        room: (
            (width - len(row) * step[0] + GAP[0]) / 2 + place * step[0],
            MARGIN + number * step[1],
        )
        for number, row in enumerate(rows)
        for place, room in enumerate(row)
    }
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="14">'
    )
    yield "<title>Packages of lesionscan; arrows point to what is imported</title>"
    yield (
        '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 Z" fill="#667"/></marker></defs>'
    )
    yield f'<rect width="{width}" height="{height}" fill="#fff"/>'
    for room, imported in sorted(without_implied(arrows).items()):
        left, top = corner[room]
        for other in sorted(imported):
            end, below = corner[other]
            yield (
                f'<line x1="{left + BOX[0] / 2:g}" y1="{top + BOX[1]:g}" '
                f'x2="{end + BOX[0] / 2:g}" y2="{below:g}" stroke="#667" '
                'marker-end="url(#head)"/>'
            )
    for room, (left, top) in corner.items():
        yield (
            f'<rect x="{left:g}" y="{top:g}" width="{BOX[0]}" height="{BOX[1]}" rx="5" '
            'fill="#e8eef7" stroke="#345"/>'
        )
        yield (
            f'<text x="{left + BOX[0] / 2:g}" y="{top + BOX[1] / 2 + 5:g}" '
            f'text-anchor="middle" fill="#123">{escape(room)}</text>'
        )
    yield "</svg>"


if __name__ == "__main__":
    main()
