"""What every viewer of a page shares: the drawing library and the surface of a brain, packed."""

from __future__ import annotations

import base64
import gzip
import re
from functools import lru_cache
from typing import Any, Final

import numpy as np

from bayes_mdd.results.region_surface import SIDES, load_mesh

#: Where nilearn's pages hold plotly: a script whose first comment names the library.
_SCRIPT: Final = re.compile(r"<script[^>]*>(\s*/\*\*?[^/]*?plotly\.js[\s\S]*?)</script>")
#: Precision of coordinates in the page, in mm.
_STEP: Final = 0.01


@lru_cache(maxsize=1)
def find_library() -> str | None:
    """Take the source of plotly out of a page that nilearn makes.

    nilearn has no public function that returns it, and the file has no fixed place in the package.

    Returns
    -------
    str or None
        JavaScript, with its licence in the first comment; None where nilearn's pages no longer
        hold it in the expected way.
    """
    from nilearn.plotting import view_connectome

    page = view_connectome(np.array([[0.0, 1.0], [1.0, 0.0]]), np.eye(2, 3)).html
    found = _SCRIPT.search(page)
    if found is None or "Plotly" not in found.group(1):
        return None
    return found.group(1).strip()


@lru_cache(maxsize=1)
def pack_library() -> str | None:
    """Compress the library for a page.

    Returns
    -------
    str or None
        gzip in base64; None where there is none.
    """
    source = find_library()
    return None if source is None else pack(source.encode("utf-8"))


@lru_cache(maxsize=1)
def pack_brain() -> str:
    """Compress the pial surface of fsaverage5, which nilearn ships.

    Returns
    -------
    str
        See `pack_mesh`.
    """
    return pack_mesh(load_mesh())


def pack_mesh(mesh: Any) -> str:
    """Compress a surface.

    Parameters
    ----------
    mesh : nilearn.surface.PolyMesh
        Both hemispheres.

    Returns
    -------
    str
        gzip in base64. For each hemisphere (left, right): number of vertices and of faces (int32),
        coordinates in 0.01 mm (int16: all x, all y, all z), vertices of the faces (int32: all of
        the first corner, of the second, of the third); little-endian.
    """
    packed = []
    for side in SIDES:
        part = mesh.parts[side]
        places, faces = np.asarray(part.coordinates), np.asarray(part.faces)
        packed += [
            np.array([len(places), len(faces)], dtype="<i4").tobytes(),
            np.rint(places.T / _STEP).astype("<i2").tobytes(),
            faces.T.astype("<i4").tobytes(),
        ]
    return pack(b"".join(packed))


def pack(data: bytes) -> str:
    """Compress bytes for a page; the same bytes give the same text.

    Parameters
    ----------
    data : bytes
        Content.

    Returns
    -------
    str
        gzip in base64.
    """
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode("ascii")
