"""Reviews are parsed strictly, and equal decisions are written as equal bytes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lesionscan.review import record
from lesionscan.review.record import ReviewError, load_review, parse_review, review_json
from tests.review.made import SQUARE, film_review, plain_review


def test_a_review_comes_back_as_it_was() -> None:
    """A written review is read back unchanged, with notes and outlines."""
    films = {
        "b": film_review(c2="rejected", c10="unsure", missed=(SQUARE,)),
        "a/1.dcm": film_review(),
    }
    review = parse_review(json.dumps(plain_review(**films)).encode())
    assert parse_review(review_json(review)) == review
    plain = json.loads(review_json(review))
    assert plain["films"]["b"]["missed"] == [{"outline_px": SQUARE, "note": "seen"}]
    assert plain["films"]["b"]["candidates"]["10"] == {"decision": "unsure", "note": ""}
    assert {key: plain[key] for key in ("schema_version", "kind", "reviewer")} == {
        "schema_version": "1.0", "kind": "lesionscan review", "reviewer": "R"
    }  # fmt: skip


def test_the_order_of_decisions_does_not_matter() -> None:
    """Films and candidates are sorted, candidates by number; each film is one line."""
    one = plain_review(b=film_review(c10="unsure", c2="rejected"), a=film_review())
    two = plain_review(a=film_review(), b=film_review(c2="rejected", c10="unsure"))
    written = review_json(parse_review(json.dumps(one).encode()))
    assert written == review_json(parse_review(json.dumps(two).encode()))
    lines = [line for line in written.decode().splitlines() if line.startswith("    ")]
    assert [line[:8] for line in lines] == ['    "a":', '    "b":']
    assert lines[1].index('"2"') < lines[1].index('"10"')


def test_letters_of_all_scripts_are_written_as_they_are() -> None:
    """Names are written without escapes, so that they are legible in the file."""
    written = review_json(parse_review(json.dumps(plain_review(膝=film_review())).encode()))
    assert '"膝"' in written.decode("utf-8")


def break_film(key: str, value: object) -> Callable[[dict[str, Any]], object]:
    """Return a function that changes the review of a film."""
    return lambda review: review["films"]["a/b"].update({key: value})


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda review: review.update(schema_version="2.0"), "^schema_version should be '1.0'$"),
        (lambda review: review.update(kind="other"), "^kind should be 'lesionscan review'$"),
        (lambda review: review.pop("tool"), "^tool Field required$"),
        (lambda review: review.update(more=1), "^more Extra inputs are not permitted$"),
        (lambda review: review["tool"].update(scorer_sha256="x"), "^tool.scorer_sha256 String"),
        (lambda review: review["films"].update({"../x": film_review()}), "not a valid name"),
        (lambda review: review["films"].update({"/etc/x": film_review()}), "not a valid name"),
        (lambda review: review["films"].update({"a//x": film_review()}), "not a valid name"),
        (lambda review: review["films"].update({"a\0x": film_review()}), r"a\?x.* not a valid"),
        (lambda review: review["films"].update({"": film_review()}), "not a valid name"),
        (break_film("reviewed", 1), "reviewed should be a valid boolean"),
        (break_film("reviewed", "true"), "reviewed should be a valid boolean"),
        (break_film("result_sha256", "ABC"), "result_sha256 String should match pattern"),
        (break_film("note", "x" * 4001), "note String should have at most 4000 characters"),
        (break_film("candidates", {"0": {"decision": "accepted"}}), "String should match pattern"),
        (break_film("candidates", {"1": {"decision": "lesion"}}), "should be 'accepted', 'rejec"),
        (break_film("candidates", {"1": {}}), "candidates.1.decision Field required"),
        (break_film("missed", [{"outline_px": SQUARE[:2]}]), "should have at least 3 items"),
        (break_film("missed", [{"outline_px": [*SQUARE, [0, -9]]}]), "greater than or equal to"),
        (break_film("missed", [{"outline_px": [*SQUARE, [1e6, 0]]}]), "less than or equal to"),
        (break_film("missed", [{"outline_px": [*SQUARE, ["1", 0]]}]), "should be a valid number"),
        (break_film("missed", [{"outline_px": [*SQUARE, [1, 2, 3]]}]), "at most 2 items"),
        (break_film("missed", [{"outline_px": [*SQUARE, [float("nan"), 0]]}]), "finite number"),
        (break_film("missed", [{"outline_px": SQUARE}] * 101), "at most 100 items"),
    ],
)  # fmt: skip
def test_what_is_no_review_is_told_in_one_line(
    edit: Callable[[dict[str, Any]], object], words: str
) -> None:
    """An invalid review gives the location and the reason; nothing is guessed or converted."""
    review = plain_review(**{"a/b": film_review(c1="accepted")})
    edit(review)
    with pytest.raises(ReviewError, match=words) as error:
        parse_review(json.dumps(review).encode())
    assert str(error.value).isprintable()


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'"\xff"', b"[" * 100_000, b"null"])
def test_what_is_no_json_object_is_told(data: bytes) -> None:
    """Truncated JSON, another encoding and other JSON values are rejected."""
    with pytest.raises(ReviewError, match=r"JSON|object"):
        parse_review(data)


def test_a_long_place_is_cut() -> None:
    """A very long name is truncated in the message."""
    review = plain_review(**{"x" * 4000: {}})
    with pytest.raises(ReviewError, match=r"^films\.x{114}\.\.\. Field required$"):
        parse_review(json.dumps(review).encode())


def test_a_file_is_named(tmp_path: Path) -> None:
    """The message for a missing or invalid file has its path and the remedy."""
    path = tmp_path / "review.json"
    with pytest.raises(ReviewError, match=r"review\.json cannot be read \(No such file.*check"):
        load_review(path)
    path.write_text("{}")
    with pytest.raises(ReviewError, match=r"is not a usable review: .* Field required; repair"):
        load_review(path)
    path.write_text(json.dumps(plain_review()))
    assert load_review(path).films == {}


def test_a_file_that_is_too_large_is_not_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is too large, as a film given by mistake, is rejected."""
    monkeypatch.setattr(record, "MOST_BYTES", 3_000_000)
    (tmp_path / "x").write_bytes(bytes(3_000_001))
    with pytest.raises(ReviewError, match="larger than 3 MB"):
        load_review(tmp_path / "x")


def test_thirty_thousand_films_fit() -> None:
    """The limit allows a review of 30,000 films with notes."""
    film = json.dumps(film_review(c1="accepted", c2="rejected", note="x" * 100))
    assert 30_000 * (len(film) + 60) < record.MOST_BYTES


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_is_no_part_of_a_review(tmp_path: Path, encoding: str) -> None:
    """A byte order mark, as written by editors on Windows, is accepted in all encodings."""
    path = tmp_path / "review.json"
    plain = json.dumps(plain_review(b=film_review(c2="rejected")), ensure_ascii=False)
    path.write_bytes(plain.encode(encoding))
    assert load_review(path) == parse_review(plain.encode())


def test_a_review_whose_mark_lies_is_refused(tmp_path: Path) -> None:
    """Bytes that do not match their byte order mark are rejected."""
    path = tmp_path / "review.json"
    path.write_bytes(b"\xff\xfe{")
    with pytest.raises(ReviewError, match="cannot be decoded as text; repair it"):
        load_review(path)
