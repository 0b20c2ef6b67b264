"""COCO files have the candidates' exact masks, and COCO's tools score them as `evaluate` does."""

import json
import shutil
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from lesionscan import __version__
from lesionscan.evaluation.evaluate import evaluate
from lesionscan.evaluation.judge import JudgedFilm, judge
from lesionscan.evaluation.matching import lesion_pixels, match_candidates, reach_px
from lesionscan.evaluation.results import read_result
from lesionscan.evaluation.truth import TruthFilm, load_truth
from lesionscan.reporting.coco import compressed, run_lengths, write_coco
from lesionscan.results.labels import LabelsError, candidate_boxes, read_labels
from lesionscan.results.own_files import OwnFiles
from lesionscan.results.record import ResultRecord
from tests.evaluation.made import Box, MadeFilm, make
from tests.reporting.made import Disk, Film, make_findings
from tests.results.test_record import as_json, as_record, failed_json, parsed

# raised by pycocotools 2.0.11 with numpy 2 when it decodes masks
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

Labels = NDArray[np.integer[Any]]


def written(out: Path, name: str = "coco.json") -> Any:  # noqa: ANN401 - any JSON value
    """Read one of the files."""
    return json.loads((out / name).read_text(encoding="ascii"))


def two_films() -> Iterator[tuple[ResultRecord, Labels | None]]:
    """Yield a film with two candidates, one that failed and one without candidates."""
    yield as_record(), make_findings().labels
    yield parsed(failed_json()), None
    empty = Film(disks=(), rows=50)
    yield as_record(empty, "b/größe.png"), make_findings(empty).labels


def random_labels(seed: int, shape: tuple[int, int]) -> Labels:
    """Return labels of three candidates with holes, specks and ragged edges."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, shape) * (rng.random(shape) < rng.random())
    return np.asarray(labels, np.uint16)


# -- the files


def test_the_dataset_says_what_was_found(tmp_path: Path) -> None:
    """Films that were read have their size, and all listed candidates their data."""
    paths = write_coco(OwnFiles(tmp_path), two_films())
    assert paths.dataset == tmp_path / "coco.json"
    assert paths.results == tmp_path / "coco_results.json"
    dataset = written(tmp_path)
    assert dataset["info"]["version"] == __version__
    assert dataset["info"]["disclaimer"] == "Research use only; not a diagnosis."
    assert dataset["licenses"] == []
    assert dataset["categories"] == [{"id": 1, "name": "lytic lesion candidate"}]
    assert dataset["images"] == [
        {"id": 1, "file_name": "a/knee.dcm", "width": 200, "height": 300, "frame": 1},
        {"id": 2, "file_name": "b/größe.png", "width": 200, "height": 50, "frame": 1},
    ]
    first, second = dataset["annotations"]
    counts = first.pop("segmentation")
    assert first == {
        "id": 1, "image_id": 1, "category_id": 1, "area": 613, "bbox": [86, 136, 29, 29],
        "iscrowd": 0, "score": 0.9, "candidate_id": 1, "shown": True,
    }  # fmt: skip
    assert (second["id"], second["candidate_id"], second["shown"]) == (2, 2, False)
    assert written(tmp_path, "coco_results.json")[0] == {
        "image_id": 1, "category_id": 1, "segmentation": counts, "score": 0.9,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("films", "expected"),
    [
        (
            [("a/three.tif", 1, 3), ("a/three.tif", 2, 3), ("a/three.tif", 3, 3), ("b.png", 1, 1)],
            [
                "a/three.tif.frame001.tif",
                "a/three.tif.frame002.tif",
                "a/three.tif.frame003.tif",
                "b.png",
            ],
        ),
        (
            [("IM0001", 1, 2), ("IM0001", 2, 2)],
            ["IM0001.frame001.dcm", "IM0001.frame002.dcm"],
        ),
        (
            [("knee.dcm", 1, 1), ("knee.png", 1, 1), ("knee", 1, 1)],
            ["knee.dcm", "knee.png.png", "knee.dcm.dcm"],
        ),
        (
            [("1.2.1", 1, 1), ("1.2.2", 1, 1), ("1.2.2.3", 1, 1)],
            ["1.2.1", "1.2.2.2", "1.2.2.3.3"],
        ),
    ],
)
def test_no_two_pictures_share_a_name(
    tmp_path: Path, films: list[tuple[str, int, int]], expected: list[str]
) -> None:
    """File names are unique, for datumaro also without ending; both programs load the files."""
    labels = make_findings().labels

    def results() -> Iterator[tuple[ResultRecord, Labels]]:
        for file, frame, frames in films:
            result = as_json(name=file)
            result["input"] |= {"frame": frame, "frames": frames}
            yield parsed(result), labels

    write_coco(OwnFiles(tmp_path), results())
    images = written(tmp_path)["images"]
    assert [image["file_name"] for image in images] == expected
    assert [image["frame"] for image in images] == [frame for _, frame, _ in films]
    coco_api = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    loaded = coco_api.COCO(str(tmp_path / "coco.json"))
    assert sorted(loaded.getImgIds()) == [image["id"] for image in images]
    assert all(len(loaded.getAnnIds([image["id"]])) == 2 for image in images)
    datumaro: Any = pytest.importorskip("datumaro", reason="datumaro is not installed")
    place = tmp_path / "set" / "annotations"
    place.mkdir(parents=True)
    (tmp_path / "set" / "images").mkdir()  # needed for datumaro to detect a data set
    shutil.copy(tmp_path / "coco.json", place / "instances_default.json")
    items = datumaro.Dataset.import_from(str(tmp_path / "set"), "coco_instances")
    assert {item.id for item in items} == {name.rpartition(".")[0] for name in expected}
    assert all(len({one.id for one in item.annotations}) == 2 for item in items)


def test_a_run_without_films_gives_files(tmp_path: Path) -> None:
    """A run without films gives empty lists, not broken JSON."""
    write_coco(OwnFiles(tmp_path), [])
    assert written(tmp_path)["images"] == written(tmp_path)["annotations"] == []
    assert written(tmp_path, "coco_results.json") == []


def test_the_same_films_give_the_same_bytes(tmp_path: Path) -> None:
    """The same films give the same bytes."""
    for name in ("one", "two"):
        write_coco(OwnFiles(tmp_path / name), two_films())
    for name in ("coco.json", "coco_results.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_nothing_is_left_of_a_film_that_cannot_be_used(tmp_path: Path) -> None:
    """Labels of another film stop the export, and neither file is written."""
    films = [*two_films(), (as_record(), np.zeros((3, 3), np.uint16))]
    with pytest.raises(LabelsError, match="has 3 x 3 pixels, but the JSON states 300 x 200"):
        write_coco(OwnFiles(tmp_path), films)
    assert list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_the_films(tmp_path: Path) -> None:
    """From 15 to 60 films, peak memory grows by less than 1 kB per film."""
    disks = tuple(
        Disk(15 + 30 * row, 15 + 30 * col, 9, 0.9) for row in range(6) for col in range(6)
    )
    film = Film(rows=190, columns=190, disks=disks)
    result, labels = as_record(film), make_findings(film).labels

    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            write_coco(OwnFiles(tmp_path), ((result, labels) for _ in range(count)))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1)
    few, many = peak(15), peak(60)
    annotations = (tmp_path / "coco.json").stat().st_size
    assert many - few < 45 * 1000
    assert annotations > 10 * (many - few)


# -- COCO's own tools

mask_api = pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed")
coco_api = pytest.importorskip("pycocotools.coco")
cocoeval = pytest.importorskip("pycocotools.cocoeval")


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (7, 5), (40, 300), (300, 40)])
@pytest.mark.parametrize("seed", range(6))
def test_run_lengths_are_those_of_pycocotools(shape: tuple[int, int], seed: int) -> None:
    """Encoded masks equal those of pycocotools character by character, and decode correctly."""
    labels = random_labels(seed, shape)
    result = as_json()
    numbers = [int(number) for number in np.unique(labels[labels > 0])]
    result["image"] |= {"rows": shape[0], "columns": shape[1]}
    result["candidates"] = [result["candidates"][0] | {"id": number} for number in numbers]
    for number, box in candidate_boxes(parsed(result), labels).items():
        text = compressed(run_lengths(labels, number, box))
        mask = np.asfortranarray(labels == number, np.uint8)
        assert text == mask_api.encode(mask)["counts"].decode("ascii")
        read = mask_api.decode({"size": list(shape), "counts": text})
        np.testing.assert_array_equal(read, mask)


@pytest.mark.parametrize("corner", [(0, 0), (0, -1), (-1, 0), (-1, -1)])
def test_a_mask_in_a_corner_is_exact(corner: tuple[int, int]) -> None:
    """Masks of one corner pixel or the whole picture are encoded exactly."""
    for shape, fill in (((6, 9), False), ((6, 9), True), ((3000, 2500), False)):
        labels = np.full(shape, int(fill), np.uint16)
        labels[corner] = 1
        box = (slice(0, shape[0]), slice(0, shape[1]))
        text = compressed(run_lengths(labels, 1, box))
        assert text == mask_api.encode(np.asfortranarray(labels, np.uint8))["counts"].decode()


def load(dataset: dict[str, Any]) -> Any:  # noqa: ANN401 - a class without types
    """Load a dataset into the COCO API."""
    loaded = coco_api.COCO()
    loaded.dataset = dataset
    loaded.createIndex()
    return loaded


def test_both_files_load(tmp_path: Path) -> None:
    """Both files load in pycocotools, with boxes and areas as stated."""
    write_coco(OwnFiles(tmp_path), two_films())
    dataset = coco_api.COCO(str(tmp_path / "coco.json"))
    detected = dataset.loadRes(str(tmp_path / "coco_results.json"))
    assert sorted(detected.getImgIds()) == [1, 2]
    for ours, theirs in zip(
        dataset.dataset["annotations"], detected.dataset["annotations"], strict=True
    ):
        assert (theirs["area"], list(theirs["bbox"])) == (ours["area"], ours["bbox"])
        assert dataset.annToMask(ours).sum() == ours["area"]


# -- compared with `lesionscan evaluate`


def truth_as_coco(
    films: tuple[TruthFilm, ...], images: list[dict[str, Any]], *, widened: bool
) -> dict[str, Any]:
    """Return a truth folder as COCO ground truth for the images of an export.

    Parameters
    ----------
    films
        The truth.
    images
        The images of the export.
    widened
        Whether to add the pixels where a centroid still hits the lesion.
    """
    by_name = {image["file_name"]: image for image in images}
    annotations: list[dict[str, Any]] = []
    for film in films:
        image = by_name[film.image.name]
        shape = (image["height"], image["width"])
        lesions = film.read_lesions(shape)
        for number, pixels in lesion_pixels(
            np.zeros(shape, int) if lesions is None else lesions
        ).items():
            mask = np.zeros(shape, np.uint8, order="F")
            mask[tuple(pixels.T)] = 1
            if widened:
                near = ndimage.distance_transform_edt(mask == 0) <= reach_px(shape)
                mask = np.asfortranarray(near, np.uint8)
            annotations.append({
                "id": len(annotations) + 1, "image_id": image["id"], "category_id": 1,
                "segmentation": mask_api.encode(mask), "area": int(mask.sum()),
                "bbox": [0, 0, shape[1], shape[0]], "iscrowd": 0, "number": number,
            })  # fmt: skip
    return {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "x"}]}


def random_films(seed: int) -> list[MadeFilm]:
    """Make films with hits, repeated hits, near misses, false positives and misses.

    Lesions and candidates are placed in cells of 20 px, so that no candidate is near two lesions;
    with odd side lengths, centroids are at pixel centres.
    """
    rng = np.random.default_rng(seed)
    films = []
    for number in range(12):
        lesions: list[Box] = []
        boxes: list[Box] = []
        for cell in rng.permutation(48)[:14]:
            top, left = 20 * (int(cell) // 8), 20 * (int(cell) % 8)
            kind = rng.integers(0, 6)
            if kind < 4 and number % 3:  # every third film has no lesions
                lesions.append((top + 5, left + 3, top + 14, left + 14))
            if kind == 0:  # two hits
                boxes.append((top + 5, left + 3, top + 14, left + 8))
            if kind in {0, 1}:
                boxes.append((top + 5, left + 9, top + 14, left + 14))
            if kind == 2:  # centroid one pixel outside: still a hit
                boxes.append((top + 5, left + 14, top + 14, left + 15))
            if kind == 3:  # two pixels outside: no hit
                boxes.append((top + 5, left + 15, top + 14, left + 16))
            if kind == 4:
                boxes.append((top + 2, left + 2, top + 7, left + 9))
        scores = np.sort(rng.permutation(997)[: len(boxes)] / 1000)[::-1]
        order = rng.permutation(len(boxes))
        found = tuple(
            (float(score), boxes[place]) for score, place in zip(scores, order, strict=True)
        )
        films.append(MadeFilm(f"f{number:02d}", tuple(lesions), found, shape=(120, 160)))
    return films


def exported(results: Path, films: tuple[TruthFilm, ...], out: Path) -> dict[str, Any]:
    """Export the results of a folder, and return the dataset."""

    def each() -> Iterator[tuple[ResultRecord, Labels]]:
        for film in films:
            made = json.loads((results / f"{film.image.name}.json").read_text("utf-8"))
            result = as_json(name=film.image.name)  # adds the fields that `evaluate` does not need
            result["image"] |= made["image"]
            result["candidates"] = [result["candidates"][0] | one for one in made["candidates"]]
            yield parsed(result), read_labels(results / f"{film.image.name}.labels.png")

    write_coco(OwnFiles(out), each())
    dataset: dict[str, Any] = written(out)
    return dataset


def scored(truth: dict[str, Any], detections: list[dict[str, Any]], threshold: float) -> Any:  # noqa: ANN401
    """Match detections to truth with the COCO API at one overlap threshold."""
    ground = load(truth)
    run = cocoeval.COCOeval(ground, ground.loadRes(detections), "segm")
    run.params.iouThrs = np.array([threshold])
    run.params.maxDets = [1, 10, 100]
    run.params.areaRng, run.params.areaRngLbl = [[0, 1e10]], ["all"]
    run.evaluate()
    run.accumulate()
    return run


def at_centroids(dataset: dict[str, Any]) -> list[dict[str, Any]]:
    """Return an export's candidates as detections of one pixel, at their centroids."""
    detections = []
    for annotation in dataset["annotations"]:
        mask = mask_api.decode(annotation["segmentation"])
        row, column = np.argwhere(mask).mean(axis=0)
        assert (row, column) == (round(row), round(column))
        point = np.zeros(mask.shape, np.uint8, order="F")
        point[round(row), round(column)] = 1
        detections.append({
            "image_id": annotation["image_id"], "category_id": 1, "score": annotation["score"],
            "segmentation": mask_api.encode(point), "candidate_id": annotation["candidate_id"],
        })  # fmt: skip
    return detections


def outcome_in_coco(run: Any, image_id: int) -> tuple[set[tuple[int, int]], set[int], set[int]]:  # noqa: ANN401
    """Return a film's (lesion, candidate) hits, repeats and false positives as matched by COCO."""
    film = next(each for each in run.evalImgs if each is not None and each["image_id"] == image_id)
    overlaps = run.ious[image_id, 1]
    hits, repeats, others = set(), set(), set()
    for place, (number, matched) in enumerate(
        zip(film["dtIds"], film["dtMatches"][0], strict=True)
    ):
        candidate = run.cocoDt.anns[number]["candidate_id"]
        if matched:
            hits.add((run.cocoGt.anns[int(matched)]["number"], candidate))
        elif len(overlaps) and np.any(overlaps[place]):
            repeats.add(candidate)
        else:
            others.add(candidate)
    return hits, repeats, others


def average_precision(judged: list[JudgedFilm], lesions: int) -> float:
    """Return COCO's average precision, computed from the counts of `evaluate`.

    COCO counts a repeated hit as a false positive; `evaluate` counts it as neither.
    """
    outcomes = []
    for film in judged:
        right = {lesion.candidate_id for lesion in film.lesions} - {None}
        outcomes += [(one.score, one.id in right) for one in film.result.candidates]
    outcomes.sort(key=lambda outcome: -outcome[0])
    found = np.cumsum([right for _, right in outcomes])
    precision = found / np.arange(1, len(found) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(found / lesions, np.linspace(0, 1, 101), side="left")
    return float(np.mean([envelope[place] if place < len(found) else 0.0 for place in at]))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_coco_matches_as_evaluate_does(tmp_path: Path, seed: int) -> None:
    """With the criterion of `evaluate`, COCO gives the same matches, recall and AP.

    Expressed in COCO's terms, that criterion is: the candidate is the pixel at the centroid of its
    mask, the lesion is dilated by the tolerance, and any overlap is enough.
    """
    results, truth = make(tmp_path, random_films(seed))
    films = load_truth(truth)
    dataset = exported(results, films, tmp_path / "coco")
    run = scored(truth_as_coco(films, dataset["images"], widened=True), at_centroids(dataset), 1e-9)

    judged = [judge(film, read_result(results, film)) for film in films]
    kinds = np.zeros(3, int)
    for image, film in zip(dataset["images"], judged, strict=True):
        centroids = [one.centroid_px for one in film.result.candidates]
        lesions = film.film.read_lesions(film.result.shape)
        match = match_candidates(
            centroids,
            np.zeros(film.result.shape or (1, 1), int) if lesions is None else lesions,
            scores=[one.score for one in film.result.candidates],
        )
        ids = [one.id for one in film.result.candidates]
        expected = (
            {(lesion, ids[index]) for lesion, index in match.hits},
            {ids[index] for index in match.repeats},
            {ids[index] for index in match.others},
        )
        assert outcome_in_coco(run, image["id"]) == expected
        hits = {(one.facts.number, one.candidate_id) for one in film.lesions if one.candidate_id}
        assert hits == expected[0]
        assert len(film.scores.false_positives) == len(expected[2])
        kinds += [len(part) for part in expected]
    assert kinds.min() > 5  # all three kinds occurred

    figures = evaluate(results, truth, resamples=0).sets[0].program.figures
    recall = figures.sensitivity_all_listed.value
    assert 0 < kinds[0] < figures.lesions
    assert run.eval["recall"].ravel()[-1] == pytest.approx(recall) == kinds[0] / figures.lesions
    ap = float(run.eval["precision"][0, :, 0, 0, -1].mean())
    assert ap == pytest.approx(average_precision(judged, figures.lesions))


@pytest.mark.parametrize("seed", [4, 5])
def test_overlaps_are_those_of_the_label_images(tmp_path: Path, seed: int) -> None:
    """IoU by pycocotools equals IoU counted on the pixels, and gives the Dice of `evaluate`."""
    results, truth = make(tmp_path, random_films(seed))
    films = load_truth(truth)
    dataset = exported(results, films, tmp_path / "coco")
    run = scored(
        truth_as_coco(films, dataset["images"], widened=False),
        written(tmp_path / "coco", "coco_results.json"),
        0.5,
    )
    compared = 0
    for image, film in zip(dataset["images"], films, strict=True):
        result = read_result(results, film)
        labels = result.read_labels()
        lesions = film.read_lesions(labels.shape)
        if lesions is None or not result.candidates:
            continue
        expected = np.array([
            [
                ((labels == one.id) & (lesions == number)).sum()
                / ((labels == one.id) | (lesions == number)).sum()
                for number in lesion_pixels(lesions)
            ]
            for one in sorted(result.candidates, key=lambda one: -one.score)
        ])  # fmt: skip
        np.testing.assert_allclose(run.ious[image["id"], 1], expected, rtol=1e-12)
        for lesion in judge(film, result).lesions:
            if lesion.candidate_id is not None:
                iou = expected[(lesion.rank or 0) - 1, lesion.facts.number - 1]
                assert lesion.dice == pytest.approx(2 * iou / (1 + iou))
                compared += 1
    assert compared > 10
    # no pixel belongs to two candidates
    for image in dataset["images"]:
        masks = [
            mask_api.decode(each["segmentation"])
            for each in dataset["annotations"]
            if each["image_id"] == image["id"]
        ]
        assert np.sum(masks, axis=0).max(initial=0) <= 1
