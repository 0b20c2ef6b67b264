"""Compare films with transformed copies of themselves, and with those of other people.

Used by `compare_checks.py films`.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from lesionscan import Settings, read_radiograph
from lesionscan.comparison import RefusedPairError, compare_films, film_of_file
from lesionscan.png import encode_png


def with_itself(path: Path) -> list[tuple[str, list[tuple[str, float | None]] | str]]:
    """Compare a film with itself in other forms; return states and changes, or the refusal."""
    said: list[tuple[str, list[tuple[str, float | None]] | str]] = []
    with tempfile.TemporaryDirectory() as name:
        before = film_of_file(path)
        for form, other, settings in _forms(path, Path(name)):
            try:
                record = compare_films(before, film_of_file(other, settings=settings)).record
            except RefusedPairError as error:
                said.append((form, str(error.code)))
                continue
            said.append(
                (form, [(one.state, one.diameter_change_percent) for one in record.lesions])
            )
    return said


def _forms(path: Path, folder: Path) -> Iterator[tuple[str, Path, Settings]]:
    pixels = read_radiograph(path).pixels
    low, high = float(pixels.min()), float(pixels.max())
    grey = np.asarray(np.rint(255 * (pixels - low) / max(high - low, 1e-6)), np.uint8)
    rows, cols = grey.shape
    turn = cv2.getRotationMatrix2D(((cols - 1) / 2, (rows - 1) / 2), -12.0, 1.0)
    top, left = rows // 10, cols // 10
    forms = {
        "turned by 12 degrees": cv2.warpAffine(grey, turn, (cols, rows)),
        "turned by 90 degrees": np.rot90(grey),
        "rescaled to 0.7": cv2.resize(grey, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA),
        "inverted": 255 - grey,
        "cropped to 80 %": grey[top : rows - top, left : cols - left],
    }
    for form, picture in forms.items():
        target = folder / f"{form.replace(' ', '_')}.png"
        target.write_bytes(encode_png(np.ascontiguousarray(picture, np.uint8)))
        yield form, target, Settings(polarity="bone-dark" if form == "inverted" else "bone-bright")
    packed = folder / "packed.jpg"
    Image.fromarray(grey).save(packed, quality=75)
    yield "JPEG of quality 75", packed, Settings(polarity="bone-bright")


def refusal_of(pair: tuple[Path, Path]) -> str | None:
    """Return why films of two people are not compared; None where they are."""
    try:
        compare_films(*map(film_of_file, pair))
    except RefusedPairError as error:
        return str(error.code)
    return None


def print_films(
    done: Sequence[tuple[str, list[tuple[str, float | None]] | str]], refused: Sequence[str | None]
) -> None:
    """Print states and changes of films compared with themselves, by form, and the refusals."""
    for form in dict(done):
        own = [said for name, said in done if name == form]
        lesions = [lesion for said in own if not isinstance(said, str) for lesion in said]
        states = Counter(state for state, _ in lesions)
        changes = [abs(change) for _, change in lesions if change is not None]
        within = sum(change <= 5.0 for change in changes)
        print(
            f"{form}: {len(own)} films, {sum(isinstance(said, str) for said in own)} refused; "
            f"{', '.join(f'{count} {state}' for state, count in states.most_common())}; "
            f"{within} of {len(changes)} changes within 5 %"
        )
    count = sum(one is not None for one in refused)
    print(f"films of other people or parts: {count} of {len(refused)} refused")
