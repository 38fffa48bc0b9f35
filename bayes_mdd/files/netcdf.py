"""netCDF files whose writing cannot end the process, and whose changes are noticed.

HDF5 ends the process by signal 11 when a file cannot be closed because the disk is full. It is
therefore given a file object that never fails: what the disk does not take is kept in memory until
HDF5 has finished, and then the failure is raised.
"""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from bayes_mdd.errors import WriteError
from bayes_mdd.files.regular import own_errors, require_file
from bayes_mdd.files.replace import replacing, write_error
from bayes_mdd.files.seal import check_seal, seal

if TYPE_CHECKING:
    import xarray as xr


def write_netcdf(data: xr.Dataset | xr.DataTree, path: Path) -> Path:
    """Write a Dataset or DataTree as netCDF with a checksum, under a temporary name first.

    Parameters
    ----------
    data : Dataset or DataTree
        The content.
    path : Path
        The file; what was there is kept until the new file is complete.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    WriteError
        If the file cannot be written, for example because the disk is full.
    """
    check_space(path.parent, data.nbytes, path)
    with replacing(path) as temporary:
        with _NeverFailing(temporary) as file:
            try:
                data.to_netcdf(file, engine="h5netcdf")
            finally:
                # Also in place of what HDF5 makes of a failure.
                if file.failure is not None:
                    raise write_error(path, file.failure)
        seal(temporary)
        sync(temporary)
    return path


def read_netcdf(path: Path, what: str) -> xr.DataTree:
    """Read a file of `write_netcdf` whole.

    Parameters
    ----------
    path : Path
        The file. Files of earlier versions, without a checksum, are read as well.
    what : str
        What it is read as, for messages, e.g. ``"a run"``.

    Returns
    -------
    DataTree
        Its groups, in memory.

    Raises
    ------
    UnreadableFileError
        If it is not a regular file, or damaged.
    """
    import xarray as xr

    require_file(path)
    with own_errors(path, what):
        # First, because damaged HDF5 can end the process or ask for any amount of memory.
        check_seal(path)
        with xr.open_datatree(path, engine="h5netcdf") as stored:
            return stored.load()


def sync(path: Path) -> None:
    """Wait until the disk has everything: some file systems refuse only then.

    Parameters
    ----------
    path : Path
        A file.
    """
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def check_space(folder: Path, needed: int, path: Path) -> None:
    """Check that a disk has room, before anything is written.

    Parameters
    ----------
    folder : Path
        An existing folder.
    needed : int
        Bytes.
    path : Path
        What will be written, for the message.

    Raises
    ------
    WriteError
        If the disk has less free space than needed.
    """
    try:
        free = shutil.disk_usage(folder).free
    except OSError:  # a file system that does not tell
        return
    if free < needed:
        raise WriteError(
            f"Cannot write {path}: it needs about {_megabytes(needed)} and the disk has "
            f"{_megabytes(free)} free. Free space, or choose another folder, and repeat the "
            "command."
        )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


class _NeverFailing(io.RawIOBase):
    """A file for HDF5: failures of the disk are remembered instead of raised."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
        self._position = 0
        self._size = 0
        #: What the disk did not take, by position, in the order of writing.
        self._kept: list[tuple[int, bytes]] = []
        self.failure: OSError | None = None

    def __enter__(self) -> _NeverFailing:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def close(self) -> None:
        """Leave the file open, whoever believes to be the owner."""

    def flush(self) -> None:
        """Nothing is buffered."""

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def write(self, data: object) -> int:
        view = memoryview(data).cast("B")  # type: ignore[arg-type]
        done = 0
        while self.failure is None and done < len(view):
            try:
                done += os.pwrite(self._descriptor, view[done:], self._position + done)
            except OSError as error:
                self.failure = error
        if done < len(view):
            self._kept.append((self._position + done, bytes(view[done:])))
        self._position += len(view)
        self._size = max(self._size, self._position)
        return len(view)

    def readinto(self, target: object) -> int:
        view = memoryview(target).cast("B")  # type: ignore[arg-type]
        length = min(len(view), max(self._size - self._position, 0))
        content = bytearray(os.pread(self._descriptor, length, self._position).ljust(length, b"\0"))
        for start, kept in self._kept:
            first = max(start, self._position)
            last = min(start + len(kept), self._position + length)
            if first < last:
                content[first - self._position : last - self._position] = kept[
                    first - start : last - start
                ]
        view[:length] = content
        self._position += length
        return length

    def truncate(self, size: int | None = None) -> int:
        self._size = self._position if size is None else size
        if self.failure is None:
            try:
                os.ftruncate(self._descriptor, self._size)
            except OSError as error:
                self.failure = error
        return self._size
