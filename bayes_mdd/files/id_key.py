"""Keys with which ids of participants are hashed, and the one function that hashes."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from bayes_mdd.errors import SpecError, UnreadableFileError
from bayes_mdd.files.regular import read_bytes
from bayes_mdd.files.replace import write_error

#: Fewest bytes of a key: fewer can be tried out.
LEAST_BYTES: Final = 16
#: Largest file that is taken for a key.
MOST_BYTES: Final = 2**20
#: Hexadecimal digits of a hashed id: 64 bits, so that two of a million ids hardly ever agree.
DIGITS: Final = 16
_HEX: Final = re.compile(rb"[0-9a-fA-F]{32,}")


def read_key(key: str | Path | bytes) -> bytes:
    """Read a key.

    Parameters
    ----------
    key : str, Path or bytes
        A file with at least 16 bytes, such as `make_key` writes, or the key itself as bytes.

    Returns
    -------
    bytes
        The key.

    Raises
    ------
    SpecError
        If the file cannot be read, or the key is too short.
    """
    if isinstance(key, bytes):
        content, what = key, "the key"
    else:
        what = f"the key file {key}"
        try:
            content = read_bytes(key, limit=MOST_BYTES, empty=True).strip()
        except UnreadableFileError as error:
            raise SpecError(
                f"{what} cannot be read: {error} Pass the file with the key of the hashes, or make "
                "one with the option --hash-ids of a command."
            ) from error
        if _HEX.fullmatch(content) and not len(content) % 2:
            content = bytes.fromhex(content.decode())
    if len(content) < LEAST_BYTES:
        raise SpecError(
            f"{what} holds {len(content)} bytes; at least {LEAST_BYTES} random ones are needed, "
            "because a short key can be found by trying all."
        )
    return content


def make_key(path: str | Path) -> bool:
    """Write a random key to a new file that only its owner can read.

    Parameters
    ----------
    path : str or Path
        The file; one that exists is left as it is.

    Returns
    -------
    bool
        Whether a key was made.

    Raises
    ------
    WriteError
        If the file cannot be written.
    """
    path = Path(path)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    except OSError as error:
        raise write_error(path, error) from error
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32) + "\n")
    return True


def hash_each(ids: Iterable[object], key: bytes) -> dict[str, str]:
    """Hash ids with a key (HMAC-SHA256).

    Parameters
    ----------
    ids : iterable
        Ids; ``sub-`` before an id does not count, so that a participant has one hash in all files.
    key : bytes
        The key.

    Returns
    -------
    dict of str to str
        Hash of each id, ``sub-`` and 16 hexadecimal digits.

    Raises
    ------
    SpecError
        If two ids have the same hash.

    Examples
    --------
    >>> hash_each(["sub-01", "01"], b"0123456789abcdef")
    {'sub-01': 'sub-f7b3c32b961619ea', '01': 'sub-f7b3c32b961619ea'}
    """
    plain = {str(i): str(i).removeprefix("sub-") for i in ids}
    hashed = {
        name: "sub-" + hmac.new(key, name.encode(), hashlib.sha256).hexdigest()[:DIGITS]
        for name in set(plain.values())
    }
    if len(set(hashed.values())) < len(hashed):
        raise SpecError("two ids have the same hash: use another key.")
    return {i: hashed[name] for i, name in plain.items()}
