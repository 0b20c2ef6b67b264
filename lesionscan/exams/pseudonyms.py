"""Pseudonyms of patients and exams: keyed hashes, and the key file.

A plain hash of a patient number can be reversed by hashing all numbers; HMAC-SHA-256 (RFC 2104)
with a secret key of 256 random bits cannot.
"""

import hmac
import os
import re
import secrets
import stat
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from lesionscan.files import read_bounded
from lesionscan.results.atomic import create_private

_KEY_BYTES = 32
_KEY = re.compile(rb"[0-9a-f]{64}\n?")
_DIGITS = 16
"""Hexadecimal digits of a pseudonym (64 bits): a collision among a million has probability 3e-8."""


class KeyFileError(Exception):
    """A key file that cannot be used; the message names the file, the cause and the remedy."""


class Pseudonyms:
    """Makes pseudonyms; the same identity and key give the same pseudonym.

    Parameters
    ----------
    key
        32 secret bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def patient(self, identity: str) -> str:
        """Return the pseudonym of a patient: "p" and 16 hexadecimal digits."""
        return f"p{self._digits('patient', identity)}"

    def exam(self, identity: str) -> str:
        """Return the pseudonym of an exam: "e" and 16 hexadecimal digits."""
        return f"e{self._digits('exam', identity)}"

    def _digits(self, kind: str, identity: str) -> str:
        # surrogateescape: file names and headers may hold bytes that are no text
        message = f"{kind}\0{identity}".encode("utf-8", "surrogateescape")
        return hmac.new(self._key, message, sha256).hexdigest()[:_DIGITS]


def open_key(path: Path, *, apart_from: Iterable[Path]) -> tuple[Pseudonyms, bool]:
    """Read the key file, or create it.

    Parameters
    ----------
    path
        The key file; created with mode 0600.
    apart_from
        Folders that must not contain it, because they are shared with the results.

    Returns
    -------
    pseudonyms : Pseudonyms
        Made with that key.
    is_new : bool
        Whether the file was created.

    Raises
    ------
    KeyFileError
        If the file is in one of the folders, cannot be read, is readable by others, or is not a key
        file.
    lesionscan.results.atomic.OutputError
        If it cannot be created.
    """
    for folder in apart_from:
        if path.resolve().is_relative_to(folder.resolve()):
            raise KeyFileError(
                f"{path} would be shared with the results; keep the key outside of {folder}"
            )
    if not os.path.lexists(path):
        key = secrets.token_bytes(_KEY_BYTES)
        create_private(path, key.hex().encode("ascii") + b"\n")
        return Pseudonyms(key), True
    try:
        text = read_bounded(path, max_bytes=2 * _KEY_BYTES + 1)
        mode = path.stat().st_mode
    except OSError as error:
        raise KeyFileError(
            f"key file {path} cannot be read ({error.strerror}); check the path"
        ) from error
    if not _KEY.fullmatch(text):
        raise KeyFileError(
            f"{path} is no key file; name the one that an earlier call has made, or one that is "
            "not there yet"
        )
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyFileError(f"key file {path} can be read by others; chmod 600 it")
    return Pseudonyms(bytes.fromhex(text.decode("ascii"))), False
