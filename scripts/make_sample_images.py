"""Write the sample images and their results: python scripts/make_sample_images.py [OUT].

The images and masks are reproduced byte for byte. `expected.json` freezes the candidates shown by
this version, so that changes of the detection are noticed.
"""

import argparse
import json
from pathlib import Path

from lesionscan import find_candidates, read_radiograph
from lesionscan.simulation.samples import write_samples


def main() -> None:
    """Write the sample images into a folder (default: sample_images of this repository)."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).resolve().parent.parent / "sample_images"
    parser.add_argument("out", nargs="?", type=Path, default=default, help="folder to write into")
    folder: Path = parser.parse_args().out
    index = write_samples(folder)
    expected = {path.name: shown(path) for path in sorted((folder / "images").glob("*.dcm"))}
    text = json.dumps(expected, indent=1) + "\n"
    (folder / "expected.json").write_text(text, encoding="utf-8")
    files = [path for path in folder.rglob("*") if path.is_file()]
    total = sum(path.stat().st_size for path in files) / 1e6
    print(f"{index}: {len(files)} files, {total:.1f} MB")


def shown(path: Path) -> list[dict[str, object]]:
    """Return score, location and size of the candidates shown in a film, best first."""
    return [
        {
            "score": round(candidate.score, 3),
            "centroid_px": [round(value, 1) for value in candidate.region.centroid_px],
            "area_px": candidate.region.area_px,
        }
        for candidate in find_candidates(read_radiograph(path)).candidates
        if candidate.shown
    ]


if __name__ == "__main__":
    main()
