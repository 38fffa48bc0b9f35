"""Good files, and paths at which no regular file is found."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bayes_mdd.errors import UnreadableFileError


def _socket(path: Path) -> socket.socket:
    # The path of a socket is limited in length, hence relative.
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        opened = socket.socket(socket.AF_UNIX)
        opened.bind(path.name)
    finally:
        os.chdir(here)
    return opened


SPECIAL: dict[str, Callable[[Path], object]] = {
    "named pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "folder": Path.mkdir,
    "socket": _socket,
    "levels of symbolic links": lambda path: path.symlink_to(path),
    "not downloaded": lambda path: path.symlink_to(path.parent / "gone"),
}


@pytest.fixture(params=SPECIAL)
def special(request: pytest.FixtureRequest) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """The word for a path that is no regular file, and a function that makes it."""
    made: list[object] = []
    yield request.param, lambda path: made.append(SPECIAL[request.param](path))
    for one in made:
        if isinstance(one, socket.socket):
            one.close()


@pytest.fixture
def refused() -> Callable[..., str]:
    """Call a reader, expect the own error, and return its text."""

    def call(read: Callable[..., object], *args: object, **options: object) -> str:
        with pytest.raises(UnreadableFileError) as error:
            read(*args, **options)
        return str(error.value)

    return call
