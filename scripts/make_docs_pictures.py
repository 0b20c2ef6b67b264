"""Make the README's picture again: python scripts/make_docs_picture.py [SAMPLE]."""

import argparse
from pathlib import Path

from lesionscan import find_candidates, read_radiograph
from lesionscan.reporting.overlay import overlay_png

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Scan one sample image and write its overlay to docs/overlay.png."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sample", nargs="?", default="femur_punched_out", help="name of a sample")
    sample: str = parser.parse_args().sample
    radiograph = read_radiograph(ROOT / "sample_images" / "images" / f"{sample}.dcm")
    picture = overlay_png(find_candidates(radiograph))
    target = ROOT / "docs" / "overlay.png"
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(picture)
    print(f"{target}: {len(picture) / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
