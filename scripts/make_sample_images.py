"""Write the sample images again, byte for byte: python scripts/make_sample_images.py [OUT]."""

import argparse
from pathlib import Path

from lesionscan.simulation.samples import write_samples


def main() -> None:
    """Write the sample images into a folder (default: sample_images of this repository)."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).resolve().parent.parent / "sample_images"
    parser.add_argument("out", nargs="?", type=Path, default=default, help="folder to write into")
    folder: Path = parser.parse_args().out
    index = write_samples(folder)
    files = [path for path in folder.rglob("*") if path.is_file()]
    total = sum(path.stat().st_size for path in files) / 1e6
    print(f"{index}: {len(files)} files, {total:.1f} MB")


if __name__ == "__main__":
    main()
