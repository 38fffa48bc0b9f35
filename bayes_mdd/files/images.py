"""Reading of NIfTI, CIFTI and other images of nibabel."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from bayes_mdd.errors import UnreadableFileError
from bayes_mdd.files.regular import own_errors, require_file
from bayes_mdd.files.sizes import MAX_BYTES, check_expansion
from bayes_mdd.files.text import open_unpacked

#: Most bytes before the data of a compressed image (header and extensions).
MAX_HEADER = 64 * 2**20
#: Bytes of the header of NIfTI-1, and of NIfTI-2.
_HEADER_1, _HEADER = 348, 540
_BLOCK = 4 * 2**20


def load_image(path: str | Path, what: str = "an image") -> Any:
    """Open an image; its header is checked and its data are not yet read.

    Parameters
    ----------
    path : str or Path
        A file that nibabel can read (``.nii``, ``.nii.gz``, ``.mgz``, CIFTI, ...).
    what : str
        What it is read as, for messages.

    Returns
    -------
    nibabel image
        The image; read its data within `own_errors`, or use `load_image_data`.

    Raises
    ------
    UnreadableFileError
        If the file is not a regular file, not an image, truncated, or declares more data than it
        can contain.
    """
    import nibabel as nib

    path = Path(path)
    size = require_file(path)
    check_header(path, size, what)
    with own_errors(path, what):
        image: Any = nib.load(path)
        for part in image.file_map.values():
            if part.filename and Path(part.filename) != path:
                require_file(part.filename)
        declared = math.prod(image.shape) * int(np.dtype(image.get_data_dtype()).itemsize)
        check_expansion(path.name, size, declared)
        affine = getattr(image, "affine", None)
        if affine is not None and not _is_invertible(affine):
            raise UnreadableFileError(
                f"{path.name} has no valid place in space (its affine cannot be inverted)."
            )
    return image


def load_image_data(
    path: str | Path, dtype: Any = np.float64, what: str = "an image"
) -> tuple[Any, Any]:
    """Open an image and read its data, so that truncated files are detected.

    Parameters
    ----------
    path : str or Path
        A file that nibabel can read.
    dtype : dtype
        Type of the data.
    what : str
        What it is read as, for messages.

    Returns
    -------
    tuple
        The image, and its data as array.

    Raises
    ------
    UnreadableFileError
        As `load_image`, or if the data are truncated or damaged.
    """
    image = load_image(path, what)
    with own_errors(path, what):
        return image, image.get_fdata(dtype=dtype)


def check_header(path: Path, size: int, what: str) -> None:
    """Check the sizes that the header of a NIfTI file declares; other formats pass.

    Parameters
    ----------
    path : Path
        The file.
    size : int
        Its size, in bytes.
    what : str
        What it is read as, for messages.

    Raises
    ------
    UnreadableFileError
        If the dimensions are impossible or the data cannot be in the file.
    """
    if not path.name.lower().endswith((".nii", ".nii.gz")):
        return
    packed = path.suffix.lower() == ".gz"
    limit = MAX_HEADER if packed else size
    with open_unpacked(path) as stream:
        head = stream.read(_HEADER)
        found = _nifti_sizes(head)
        if found is not None and not _extensions_fit(stream, head, found[2], limit):
            raise UnreadableFileError(
                f"{path.name} cannot be read as {what}: an extension of its header is larger than "
                "the file (truncated or damaged)."
            )
    if found is None:
        raise UnreadableFileError(
            f"{path.name} cannot be read as {what}: it has no NIfTI header (another format, or "
            "damaged); copy it again, or convert it."
        )
    dims, bits, offset = found
    if not dims or any(n < 1 for n in dims):
        raise UnreadableFileError(
            f"{path.name} cannot be read as {what}: it declares {_named(dims)}."
        )
    if not 0 <= offset <= limit:
        raise UnreadableFileError(
            f"{path.name} cannot be read as {what}: its data would start at byte {offset:.0f} "
            "(truncated or damaged)."
        )
    declared = math.prod(dims) * bits // 8
    if packed:
        check_expansion(path.name, size, declared)
        _check_rest(path, size)
    elif declared + offset > size or declared > MAX_BYTES:
        raise UnreadableFileError(
            f"{path.name} cannot be read as {what}: it declares {declared} bytes of data and "
            f"contains {size - int(offset)}, so it is truncated or damaged."
        )


def _check_rest(path: Path, size: int) -> None:
    """Decompress to the end, where gzip compares its checksum; nibabel stops before it."""
    unpacked = 0
    with open_unpacked(path) as stream:
        while block := stream.read(_BLOCK):
            unpacked += len(block)
            check_expansion(path.name, size, unpacked)


def _named(dims: tuple[int, ...]) -> str:
    return f"the impossible dimensions {dims}" if dims else "an impossible number of dimensions"


def _nifti_sizes(head: bytes) -> tuple[tuple[int, ...], int, float] | None:
    """Read the dimensions, bits per value and start of the data; None for other formats."""
    for order in "<>":
        if len(head) >= _HEADER_1 and struct.unpack(f"{order}i", head[:4])[0] == _HEADER_1:
            dims = struct.unpack(f"{order}8h", head[40:56])
            bits = struct.unpack(f"{order}h", head[72:74])[0]
            offset = struct.unpack(f"{order}f", head[108:112])[0]
        elif len(head) >= _HEADER and struct.unpack(f"{order}i", head[:4])[0] == _HEADER:
            dims = struct.unpack(f"{order}8q", head[16:80])
            bits = struct.unpack(f"{order}h", head[14:16])[0]
            offset = struct.unpack(f"{order}q", head[168:176])[0]
        else:
            continue
        n = dims[0]
        return (dims[1 : 1 + n] if 1 <= n <= 7 else ()), bits, offset
    return None


def _extensions_fit(stream: BinaryIO, head: bytes, offset: float, limit: int) -> bool:
    """Tell whether the extensions between header and data end before `limit` bytes.

    nibabel takes as much memory as an extension declares.
    """
    order = "<" if struct.unpack("<i", head[:4])[0] in (_HEADER_1, _HEADER) else ">"
    at = struct.unpack(f"{order}i", head[:4])[0]
    stream.seek(at)
    flag = stream.read(4)
    if len(flag) < 4 or not flag[0]:
        return True
    at += 4
    while at + 16 <= (offset or limit):
        stream.seek(at)
        stated = stream.read(4)
        if len(stated) < 4:
            return True
        size = struct.unpack(f"{order}i", stated)[0]
        if size < 8 or at + size > limit:
            return False
        at += size
    return True


def _is_invertible(affine: Any) -> bool:
    values = np.asarray(affine, dtype=np.float64)
    if values.shape != (4, 4) or not np.isfinite(values).all():
        return False
    with np.errstate(all="ignore"):
        volume = np.linalg.det(values[:3, :3])
    return bool(np.isfinite(volume) and volume != 0)
