"""Pseudonyms depend on identity and key alone, and cannot be reproduced without the key."""

import hashlib
import hmac
import itertools
import os
import re
import stat
from pathlib import Path

import pytest

from lesionscan.exams.pseudonyms import KeyFileError, Pseudonyms, open_key
from lesionscan.results.atomic import OutputError, create_private

KEY = bytes(range(32))
PATIENT = "7"
"""The shortest patient ID that an archive may use, easily guessed."""


def test_a_pseudonym_is_the_keyed_hash() -> None:
    """A pseudonym is 16 hexadecimal digits of the HMAC-SHA256 of kind and identity."""
    expected = hmac.new(KEY, b"patient\x007", hashlib.sha256).hexdigest()[:16]
    assert Pseudonyms(KEY).patient(PATIENT) == f"p{expected}"
    assert re.fullmatch(r"e[0-9a-f]{16}", Pseudonyms(KEY).exam(PATIENT))
    assert Pseudonyms(KEY).exam(PATIENT)[1:] != expected


def test_a_pseudonym_cannot_be_computed_without_the_key() -> None:
    """A pseudonym cannot be computed from a guessed identity without the 256-bit key.

    Tried are all fixed-length hashes of hashlib, with and without the kind; HMAC with MD5, SHA-1
    and SHA-2 and an empty key, zeros, the identity or the message as the key; and all keys that
    differ from the real one in a single bit.
    """
    secret = Pseudonyms(KEY).patient(PATIENT)[1:]
    messages = [PATIENT.encode(), f"patient\0{PATIENT}".encode(), f"patient{PATIENT}".encode()]
    for message, name in itertools.product(messages, sorted(hashlib.algorithms_guaranteed)):
        if not name.startswith("shake"):
            assert secret not in hashlib.new(name, message, usedforsecurity=False).hexdigest()
            for key in (b"", bytes(32), PATIENT.encode(), message):
                if name.partition("_")[0] in {
                    "sha1",
                    "sha224",
                    "sha256",
                    "sha384",
                    "sha512",
                    "md5",
                }:
                    assert secret not in hmac.new(key, message, name).hexdigest()
    for bit in range(256):
        near = (int.from_bytes(KEY, "big") ^ (1 << bit)).to_bytes(32, "big")
        assert Pseudonyms(near).patient(PATIENT)[1:] != secret


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    """A key file is created with mode 0600 despite umask 0 and then reused; two keys differ."""
    before = os.umask(0)
    try:
        made, is_new = open_key(tmp_path / "key", apart_from=[tmp_path / "results"])
    finally:
        os.umask(before)
    assert is_new
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert re.fullmatch(rb"[0-9a-f]{64}\n", (tmp_path / "key").read_bytes())
    again, is_new = open_key(tmp_path / "key", apart_from=[])
    assert not is_new
    assert again.patient(PATIENT) == made.patient(PATIENT)
    other, _ = open_key(tmp_path / "other", apart_from=[])
    assert other.patient(PATIENT) != made.patient(PATIENT)


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        (b"0" * 64, 0o640, "key file .* can be read by others; chmod 600 it"),
        (b"0" * 63, 0o600, "is no key file; name the one that an earlier call has made"),
        (b"X" * 64, 0o600, "is no key file"),
        (b"0" * 70, 0o600, "cannot be read .larger than .*; check the path"),
    ],
)
def test_a_bad_key_is_refused(tmp_path: Path, text: bytes, mode: int, words: str) -> None:
    """A key file that is malformed, too large or readable by others is refused and not changed."""
    path = tmp_path / "key"
    path.write_bytes(text)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=words):
        open_key(path, apart_from=[])
    assert path.read_bytes() == text


def test_no_key_stands_in_the_results(tmp_path: Path) -> None:
    """A key in the results folder, directly or through a link, is refused and not created."""
    results = tmp_path / "results"
    results.mkdir()
    (tmp_path / "link").symlink_to(results)
    for path in (results / "key", results / "a" / "key", tmp_path / "link" / "key"):
        with pytest.raises(KeyFileError, match="would be shared with the results; keep the key"):
            open_key(path, apart_from=[results])
    assert list(results.iterdir()) == []


def test_a_private_file_replaces_nothing(tmp_path: Path) -> None:
    """A private file never replaces an existing one, and a missing folder is an error."""
    (tmp_path / "key").write_bytes(b"mine")
    with pytest.raises(OutputError, match="key: File exists; name another file"):
        create_private(tmp_path / "key", b"x")
    assert (tmp_path / "key").read_bytes() == b"mine"
    with pytest.raises(OutputError, match="No such file or directory; name another file"):
        create_private(tmp_path / "none" / "key", b"x")
