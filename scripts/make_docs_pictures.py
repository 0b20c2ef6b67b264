"""Make the pictures of README and docs: python scripts/make_docs_pictures.py.

They show phantoms; the repository has no films of patients. Those of the report page need the
packages of the tests and the program chromium.
"""

import logging
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from contact_sheet import contact_sheet
from draw_calibration import draw_calibration
from numpy.typing import NDArray

from lesionscan import find_candidates, read_radiograph
from lesionscan.comparison import compare_films, film_of_file
from lesionscan.comparison.picture import comparison_png
from lesionscan.png import encode_png
from lesionscan.reporting.conversion import ok_record
from lesionscan.reporting.overlay import displayed, grey_window, overlay_png
from lesionscan.review.server import ReviewServer
from lesionscan.simulation.body.lesions import Lesion
from lesionscan.simulation.dicom_file import write_dicom
from lesionscan.simulation.exposure.film import Film
from lesionscan.simulation.phantom import BODY_PARTS, Phantom, Take, make_phantom
from lesionscan.simulation.planting.plant import plant, prepare

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = "femur_punched_out"
HEIGHT_PX, COLUMNS = 230, 6
VIEWS_SEED = 33
OUTLINE = (0, 191, 255)
"""Amber, in cv2's order of blue, green, red."""


def main() -> None:
    """Write docs/*.png."""
    film = read_radiograph(ROOT / "sample_images" / "images" / f"{SAMPLE}.dcm")
    findings = find_candidates(film)
    record = ok_record(findings, file=SAMPLE, sha256=None)
    window = grey_window(findings.image, findings.exposed)
    shown = displayed(findings.image, window, at_most_px=findings.settings.overlay_max_px)
    pictures = {
        "overlay": overlay_png(record, shown),
        "phantoms": encode_png(phantom_sheet()),
        "planting": encode_png(planting_sheet()),
        "calibrate": calibration(),
        "exams": encode_png(views_sheet()),
        "compare": _smaller(comparison_picture()),
        **screens(),
    }
    (ROOT / "docs").mkdir(exist_ok=True)
    for name, data in pictures.items():
        target = ROOT / "docs" / f"{name}.png"
        target.write_bytes(data)
        print(f"{target}: {len(data) / 1e3:.0f} kB")


def calibration() -> bytes:
    """Return the picture of a calibration on 150 phantoms, 49 of them without lesions."""
    with tempfile.TemporaryDirectory() as name:
        truth, results = Path(name) / "phantoms", Path(name) / "results"
        _lesionscan("phantom", truth, "--count", 150, "--seed", 4000)
        _lesionscan("scan", truth / "images", "--out", results, "--no-overlay")
        return draw_calibration(results, truth)


def views_sheet() -> NDArray[np.uint8]:
    """Return phantoms of a knee from the front and from the side, with lesions outlined."""
    tiles = []
    for part in ("knee", "knee_lateral"):
        phantom = make_phantom(part, VIEWS_SEED, lesions=1, long_side_px=600, film=Film(bits=8))
        outlined = cv2.cvtColor(_grey(phantom), cv2.COLOR_GRAY2BGR)
        mask = (phantom.lesions > 0).astype(np.uint8)
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(outlined, contours, -1, OUTLINE, 2)
        tiles.append(np.asarray(outlined, np.uint8))
    return contact_sheet(tiles, height_px=2 * HEIGHT_PX, columns=2)


def screens() -> dict[str, bytes]:
    """Return screenshots of the samples' report and of a review, and a panel of `explain`."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        results, panel = Path(name) / "results", Path(name) / "explain.png"
        samples = ROOT / "sample_images" / "images"
        _lesionscan("scan", samples, "--out", results)
        _lesionscan("explain", samples / "knee_giant_cell.dcm", "--out", panel)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        wide = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="dark")
        wide.goto((results / "report.html").as_uri())
        wide.wait_for_selector("#candidates > li")
        made = {"report": wide.screenshot()}
        logging.getLogger("waitress").setLevel(logging.CRITICAL)
        server = ReviewServer(results)
        threading.Thread(target=server.run, daemon=True).start()
        wide.goto(server.address)
        wide.wait_for_selector("#saved:text-is('saved')")
        wide.click("text=hand_enchondromas.dcm")
        wide.wait_for_selector("#candidates > li:nth-child(2)")
        for key in ("a", "r"):  # the second is not a planted lesion
            wide.keyboard.press(key)
        wide.wait_for_timeout(1500)  # until it is saved
        made["review"] = wide.screenshot()
        server.close()
        narrow = browser.new_page(viewport={"width": 390, "height": 780}, color_scheme="light")
        narrow.goto((results / "report.html").as_uri())
        narrow.wait_for_selector("#candidates > li")
        made["phone"] = narrow.screenshot()
        browser.close()
        made["explain"] = _smaller(panel.read_bytes())
    return made


def _smaller(data: bytes) -> bytes:
    """Return a picture at half its size."""
    picture = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))
    half = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return encode_png(np.asarray(half, np.uint8))


def _lesionscan(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "lesionscan.cli", *map(str, words)], check=True)


def phantom_sheet() -> NDArray[np.uint8]:
    """Return one phantom of every body part."""
    tiles = [
        _grey(make_phantom(part, 11, lesions=0, long_side_px=600, film=Film(bits=8)))
        for part in BODY_PARTS
    ]
    return contact_sheet(tiles, height_px=HEIGHT_PX, columns=COLUMNS)


def planting_sheet() -> NDArray[np.uint8]:
    """Return four films before and after planting, and with the truth outlined."""
    tiles: list[NDArray[np.uint8]] = []
    for part, seed in (("femur", 21), ("knee", 22), ("humerus", 23), ("ankle", 24)):
        phantom = make_phantom(part, seed, lesions=0, long_side_px=600, film=Film(bits=8))
        grey = _grey(phantom)
        planted = plant(prepare(grey, phantom.bone), seed, lesions=2)
        after = np.asarray(planted.pixels, dtype=np.uint8)
        outlined = cv2.cvtColor(after, cv2.COLOR_GRAY2BGR)
        mask = (planted.lesions > 0).astype(np.uint8)
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(outlined, contours, -1, OUTLINE, 2)
        tiles += [grey, after, np.asarray(outlined, dtype=np.uint8)]
    return contact_sheet(tiles, height_px=HEIGHT_PX, columns=COLUMNS)


def comparison_picture() -> bytes:
    """Return the picture of a comparison: a lesion that has grown, with another exposure."""
    lesion = Lesion("femur", along=0.45, across=0.1, diameter_mm=18.0, removed=0.75)
    takes = (
        (lesion, Take(5), Film(dose=1.0)),
        (
            replace(lesion, diameter_mm=1.4 * lesion.diameter_mm),
            Take(6, turn_deg=9.0, shift=(0.08, -0.05), magnification=1.1),
            Film(dose=0.4, gamma=1.3, tone="detail", detail=0.8),
        ),
    )
    films = []
    with tempfile.TemporaryDirectory() as name:
        for recipe, take, film in takes:
            path = Path(name) / "film.dcm"
            phantom = make_phantom(
                "femur", 21, lesions=(recipe,), long_side_px=900, film=film, take=take
            )
            write_dicom(path, phantom)
            films.append(film_of_file(path))
    return comparison_png(compare_films(*films))


def _grey(phantom: Phantom) -> NDArray[np.uint8]:
    return phantom.stored.astype(np.uint8)


if __name__ == "__main__":
    main()
