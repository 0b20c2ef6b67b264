"""Scorer files: written, read back, and refused with a one-line message if invalid."""

import hashlib
import io
import json
import os
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lesionscan.detection.scorer import scorer_file
from lesionscan.detection.scorer.errors import ScorerError
from lesionscan.detection.scorer.scorer_file import (
    Scorer,
    ScorerCard,
    TermEffect,
    load_scorer,
    shipped_scorer,
    write_scorer,
)
from lesionscan.detection.scorer.terms import TERMS
from tests.detection.scorer.made import LONG_SIDE_PX, onnx_network, scorer_bytes, scorer_card

WHOLE = scorer_bytes()


def _zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def _with_card(change: Callable[[dict[str, Any]], None]) -> bytes:
    """Return a scorer file whose scorer.json was changed by hand."""
    entries = scorer_card(("enclosed", (0.0, 1.0), (-2.0, 2.0))).model_dump(mode="json")
    change(entries)
    return _zipped({"network.onnx": onnx_network(), "scorer.json": json.dumps(entries).encode()})


def test_a_scorer_comes_back_as_it_was_written(tmp_path: Path) -> None:
    """Name, grid, offset, terms and metadata are read back, and the hash is that of the file."""
    card = scorer_card(("size", (0.0, 0.1, 0.5), (-1.0, 0.5, 0.25)), offset=-3.5, name="one")
    path = tmp_path / "one.scorer"
    path.write_bytes(write_scorer(onnx_network(), card))

    scorer = Scorer.from_file(path)

    assert (scorer.name, scorer.offset, scorer.terms) == ("one", -3.5, card.terms)
    assert scorer.about == {"films": 3, "sources": ("made", "by hand")}
    assert scorer.network.long_sides_px == (LONG_SIDE_PX,)
    assert scorer.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_same_parts_give_the_same_bytes() -> None:
    """The same parts give the same bytes, with a fixed date instead of the current time."""
    assert scorer_bytes() == WHOLE
    with zipfile.ZipFile(io.BytesIO(WHOLE)) as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_deflated_file_is_read_too() -> None:
    """A scorer file that another program has deflated can be read."""
    with zipfile.ZipFile(io.BytesIO(WHOLE)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}

    assert Scorer.from_bytes(_zipped(parts, zipfile.ZIP_DEFLATED)).name == "made"


def test_a_scorer_can_be_sent_to_another_process() -> None:
    """A scorer that was pickled and unpickled has the same hash and terms."""
    scorer = Scorer.from_bytes(WHOLE)
    sent = pickle.loads(pickle.dumps(scorer))  # noqa: S301 - our own bytes

    assert (sent.sha256, sent.terms) == (scorer.sha256, scorer.terms)


def test_a_table_is_linear_between_its_points_and_flat_beyond() -> None:
    """Effects are linear between (1, 0), (2, 10) and (4, -10), and constant beyond them."""
    table = TermEffect(name="size", at=(1.0, 2.0, 4.0), effect=(0.0, 10.0, -10.0))

    assert [table.of(value) for value in (-5, 1, 1.5, 2, 3, 99)] == [0, 0, 5, 10, 0, -10]


def test_the_shipped_scorer_is_read_once() -> None:
    """The shipped scorer has terms and is loaded once per process."""
    assert shipped_scorer() is shipped_scorer()
    assert shipped_scorer() is load_scorer(None)
    assert shipped_scorer().terms


def test_a_file_is_read_once(tmp_path: Path) -> None:
    """Loading the same path twice gives the same object."""
    path = tmp_path / "x.scorer"
    path.write_bytes(WHOLE)

    assert load_scorer(path) is load_scorer(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The error for a missing file names the file and the remedy."""
    with pytest.raises(
        ScorerError, match=r"scorer file .*no\.scorer cannot be read .*; check the path"
    ):
        Scorer.from_file(tmp_path / "no.scorer")


def test_what_is_no_ordinary_file_is_refused(tmp_path: Path) -> None:
    """A folder is refused, and so is a named pipe, without waiting for data."""
    os.mkfifo(tmp_path / "pipe")
    for path, cause in ((tmp_path, "a directory"), (tmp_path / "pipe", "not a regular file")):
        with pytest.raises(ScorerError, match=rf"scorer file .*{cause}\); check the path"):
            Scorer.from_file(path)


def test_an_archive_of_many_files_is_refused_unread() -> None:
    """An archive of 101 files is refused, as a list of a million would take too much memory."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(101):
            archive.writestr(str(number), b"")
    with pytest.raises(ScorerError, match="scorer contains more files than a scorer; make it with"):
        Scorer.from_bytes(buffer.getvalue())


def test_files_that_are_too_large_are_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are refused by their size on disk, and members by their stated size."""
    path = tmp_path / "x.scorer"
    path.write_bytes(WHOLE)
    monkeypatch.setattr(scorer_file, "_MAX_FILE_BYTES", 10)
    with pytest.raises(ScorerError, match=r"cannot be read \(larger than 1e-05 MB\)"):
        Scorer.from_file(path)
    monkeypatch.setattr(scorer_file, "_MAX_NETWORK_BYTES", 100)
    with pytest.raises(ScorerError, match=r"network\.onnx is larger than 0.0001 MB"):
        Scorer.from_bytes(WHOLE)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "but has nothing"),
        ({"scorer.json": b"{}"}, r"must contain network\.onnx and scorer\.json, but has 'scorer"),
        (
            {"network.onnx": b"", "scorer.json": b"{}", "x": b""},
            r"has 'network\.onnx', .*, 'x';",
        ),
        ({"network.onnx": b"", "scorer.json": b"{"}, r"scorer\.json is not valid JSON"),
        ({"network.onnx": b"", "scorer.json": b"\xff"}, r"scorer\.json is not valid JSON"),
        ({"network.onnx": b"", "scorer.json": b"[" * 99999}, r"scorer\.json is not valid JSON"),
        ({"network.onnx": b"", "scorer.json": b"[]"}, "has format None, but this version reads 2"),
        ({"network.onnx": b"", "scorer.json": b'{"format": 1}'}, "has format 1, but this version"),
    ],
)
def test_other_archives_are_refused(members: dict[str, bytes], message: str) -> None:
    """Archives with missing or extra members, or with an invalid scorer.json, are refused."""
    with pytest.raises(ScorerError, match=rf"scorer.*{message}"):
        Scorer.from_bytes(_zipped(members))


def test_other_ways_of_packing_are_refused() -> None:
    """A member compressed with bzip2 is refused."""
    data = _zipped({"network.onnx": b"x", "scorer.json": b"{}"}, zipfile.ZIP_BZIP2)
    with pytest.raises(ScorerError, match=r"network\.onnx must be stored or deflated"):
        Scorer.from_bytes(data)


@pytest.mark.parametrize("data", [b"", b"PK", b"{}", WHOLE[: len(WHOLE) // 2], WHOLE[:-30]])
def test_what_is_no_zip_is_refused(data: bytes) -> None:
    """Empty, textual and truncated files are refused."""
    with pytest.raises(ScorerError, match="scorer is not a zip archive or is damaged; make it"):
        Scorer.from_bytes(data)


@settings(max_examples=60)
@given(place=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255))
def test_one_damaged_byte_gives_a_scorer_or_one_line(place: float, value: int) -> None:
    """With any byte replaced, a scorer is read or ScorerError has a one-line message."""
    data = bytearray(WHOLE)
    data[int(place * len(data))] = value
    try:
        Scorer.from_bytes(bytes(data))
    except ScorerError as error:
        assert "\n" not in str(error)  # noqa: PT017 - there may be none


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda card: card["terms"][0].update(name="fuzzy"),
            "not a term; known are borders,",
        ),
        (lambda card: card["terms"][0].update(effect=[1.0]), "enclosed: at has 2 .* effect 1"),
        (
            lambda card: card["terms"][0].update(at=[1.0, 1.0]),
            "at must be strictly ascending",
        ),
        (
            lambda card: card["terms"][0].update(at=[2.0, 1.0]),
            "at must be strictly ascending",
        ),
        (lambda card: card["terms"][0].update(at=[], effect=[]), r"terms\.0\.at .*at least 1"),
        (lambda card: card["terms"][0].update(at=[0.0, float("nan")]), "finite number"),
        (lambda card: card["terms"][0].update(at=[0.0, float("inf")]), "finite number"),
        (lambda card: card["terms"].append(card["terms"][0]), "terms has enclosed more than once"),
        (lambda card: card.update(offset="0"), "offset should be a valid number, got '0'"),
        (
            lambda card: card.update(look_long_sides_px=[8]),
            "look_long_sides_px.0 should be greater than",
        ),
        (lambda card: card.update(look_long_sides_px=[]), "look_long_sides_px"),
        (lambda card: card.update(look_long_sides_px=[64, 64]), "must be strictly ascending"),
        (lambda card: card.update(about={"x": {}}), r"about\.x"),
        (lambda card: card.pop("name"), "name: field required"),
        (lambda card: card.update(weights=1), "weights: extra inputs are not permitted"),
    ],
)
def test_a_card_that_says_nonsense_is_refused(
    change: Callable[[dict[str, Any]], None], message: str
) -> None:
    """Each invalid entry is named in a one-line message."""
    with pytest.raises(ScorerError, match=rf"scorer: scorer\.json: .*{message}") as error:
        Scorer.from_bytes(_with_card(change))
    assert "\n" not in str(error.value)


def test_all_terms_are_named_to_who_asks_for_an_unknown_one() -> None:
    """The message for an unknown term lists all known terms."""
    with pytest.raises(ScorerError, match="not a term") as error:
        Scorer.from_bytes(_with_card(lambda card: card["terms"][0].update(name="fuzzy")))
    assert {term.name for term in TERMS} <= set(re.findall(r"\w+", str(error.value)))


def test_a_network_of_another_kind_is_refused() -> None:
    """An unsuitable network is refused when the file is read, not at the first film."""
    with pytest.raises(ScorerError, match=r"scorer: network\.onnx returns .*; make it with"):
        Scorer.from_bytes(scorer_bytes(onnx=onnx_network(maps=1)))


def test_a_card_without_terms_scores_all_alike_and_is_allowed() -> None:
    """A scorer that has an offset but no terms is valid."""
    assert Scorer.from_bytes(scorer_bytes(ScorerCard(**_plain()))).terms == ()


def _plain() -> dict[str, Any]:
    return {"name": "x", "look_long_sides_px": (64,), "offset": 0.0, "terms": (), "about": {}}
