"""Regions on the vertices of a cortical surface that can be drawn."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial import cKDTree

from bayes_mdd.errors import DataContractError, SpecError, UnreadableFileError
from bayes_mdd.files.regular import own_errors, require_file
from bayes_mdd.files.text import MAX_TABLE, read_text
from bayes_mdd.results.images import XYZ, build_label_canvas, place_regions
from bayes_mdd.results.surface_atlas import CORTEX, SurfaceAtlas, read_surface_atlas

SIDES: Final = ("left", "right")
#: The surface that nilearn ships.
SHIPPED: Final = "fsaverage5"
#: Reach of the coordinates of a region without an atlas, in mm.
RADIUS: Final = 10.0
#: Reach of a labelled voxel in the middle of cortex, in mm; a voxel where this is larger.
DEPTH: Final = 2.5
_WHAT: Final = "surface"
_DIMENSIONALITY: Final = re.compile(r"Dimensionality\s*=\s*[\"']\s*(-?\d+)")


@dataclass(frozen=True, eq=False)
class RegionSurface:
    """A surface, and the region of each of its vertices.

    Parameters
    ----------
    mesh : nilearn.surface.PolyMesh
        Both hemispheres.
    region : mapping of str to ndarray of int, shape (vertex,)
        By side, position of the region in the table, -1 outside all of them.
    depth : nilearn.surface.SurfaceImage or None
        Depth of the sulci, where it is known.
    how : str
        How regions were placed, in words.
    n_hidden : int
        Number of regions without a vertex.
    """

    mesh: Any
    region: Mapping[str, npt.NDArray[np.intp]]
    depth: Any
    how: str
    n_hidden: int

    def paint(self, values: npt.ArrayLike) -> Any:
        """Put one number per region on the vertices.

        Parameters
        ----------
        values : array_like, shape (region,)
            In the order of the table of regions.

        Returns
        -------
        nilearn.surface.SurfaceImage
            NaN outside the regions.
        """
        from nilearn.surface import SurfaceImage

        # Position -1, outside all regions, reads the NaN at the end.
        padded = np.append(np.asarray(values, dtype=np.float32), np.float32(np.nan))
        return SurfaceImage(self.mesh, {side: padded[self.region[side]] for side in SIDES})


def place_on_surface(
    regions: pd.DataFrame,
    *,
    atlas: Any = None,
    surface_atlas: str | Path | None = None,
    mesh: Mapping[str, Any] | None = None,
    radius: float = RADIUS,
) -> RegionSurface:
    """Find the region of every vertex of a surface.

    Parameters
    ----------
    regions : DataFrame
        See `bayes_mdd.results.regions.region_table`.
    atlas : path or nibabel image, optional
        Label image of the regions in MNI space, which is projected.
    surface_atlas : str or Path, optional
        Surface atlas of the regions (``.dlabel.nii``).
    mesh : mapping of str to path or mesh, optional
        ``left`` and ``right``: the surface that is drawn, e.g. ``.surf.gii``. By default
        fsaverage5, which nilearn ships; a surface atlas on other vertices needs its own.
    radius : float, default 10.0
        Without an atlas, a vertex belongs to the nearest region within this distance of its MNI
        coordinates, in mm.

    Returns
    -------
    RegionSurface
        At least one region has a vertex.

    Raises
    ------
    SpecError
        If both atlases are given, or `radius` is not above 0.
    DataContractError
        If the regions have no place, no region reaches the surface, or atlas and surface do not
        fit.
    UnreadableFileError
        If a file cannot be read.
    """
    if atlas is not None and surface_atlas is not None:
        raise SpecError("atlas and surface_atlas exclude each other; give one of them.")
    if not radius > 0:
        raise SpecError(f"radius must be above 0 mm, got {radius}.")
    surface = load_mesh(mesh)
    if surface_atlas is not None:
        known = read_surface_atlas(Path(surface_atlas), regions)
        found = _read_vertices(known, surface)
        how = f"vertices of {known.name}"
    elif atlas is not None:
        found = _project_labels(regions, atlas, surface, shipped=mesh is None)
        how = "label image projected to the surface"
    else:
        found = _reach(regions, surface, radius)
        how = f"vertices within {radius:g} mm of the coordinates of a region"
    seen = np.unique(np.concatenate([found[side] for side in SIDES]))
    n_seen = int((seen >= 0).sum())
    if not n_seen:
        raise DataContractError(
            _WHAT, ["no region reaches the cortical surface; check that the atlas is in MNI space."]
        )
    depth = _load_depth() if mesh is None else None
    return RegionSurface(surface, found, depth, how, len(regions) - n_seen)


def load_mesh(mesh: Mapping[str, Any] | None = None) -> Any:
    """Load the surface of both hemispheres.

    Parameters
    ----------
    mesh : mapping of str to path or mesh, optional
        ``left`` and ``right``; by default the pial surface of fsaverage5.

    Returns
    -------
    nilearn.surface.PolyMesh
        Both hemispheres.

    Raises
    ------
    SpecError
        If a hemisphere is missing.
    UnreadableFileError
        If a file cannot be read.
    """
    from nilearn.datasets import load_fsaverage
    from nilearn.surface import PolyMesh

    if mesh is None:
        return load_fsaverage(SHIPPED)["pial"]
    if set(mesh) != set(SIDES):
        raise SpecError(f"mesh must have the keys 'left' and 'right', got {sorted(mesh)}.")
    for side in SIDES:
        if isinstance(mesh[side], str | os.PathLike):
            require_file(mesh[side])
            _check_dimensions(Path(mesh[side]))
    with own_errors(Path(str(mesh["left"])), "a surface (.surf.gii)"):
        surface = PolyMesh(**{side: mesh[side] for side in SIDES})
        for part in surface.parts.values():
            _check_mesh(np.asarray(part.coordinates), np.asarray(part.faces))
        return surface


def _check_dimensions(path: Path) -> None:
    """Refuse GIFTI files with an impossible number of dimensions, up to which nibabel counts."""
    if not path.name.lower().endswith((".gii", ".gii.gz")):
        return
    stated = _DIMENSIONALITY.findall(read_text(path, limit=MAX_TABLE))
    if wrong := [n for n in stated if len(n) > 1 or n not in "123456"]:
        raise UnreadableFileError(
            f"{path.name} cannot be read as a surface (.surf.gii): it declares arrays of "
            f"{wrong[0]} dimensions. Copy it again, or create it again."
        )


def _check_mesh(points: npt.NDArray[Any], faces: npt.NDArray[Any]) -> None:
    if points.ndim != 2 or points.shape[1] != 3 or not np.isfinite(points).all():
        raise ValueError("its points are not three finite numbers each")
    known = faces.ndim == 2 and faces.shape[1] == 3 and faces.size > 0
    if not known or faces.min() < 0 or faces.max() >= len(points):
        raise ValueError("its triangles do not consist of its points")


def _load_depth() -> Any:
    from nilearn.datasets import load_fsaverage_data

    return load_fsaverage_data(SHIPPED, data_type="sulcal")


def _sizes(surface: Any) -> dict[str, int]:
    return {side: int(surface.parts[side].n_vertices) for side in SIDES}


def _read_vertices(atlas: SurfaceAtlas, surface: Any) -> dict[str, npt.NDArray[np.intp]]:
    sizes, found = _sizes(surface), {}
    for side, structure in zip(SIDES, CORTEX, strict=True):
        own = atlas.vertices(structure)
        found[side] = np.full(sizes[side], -1, dtype=np.intp) if own is None else own
        if len(found[side]) != sizes[side]:
            raise DataContractError(
                _WHAT,
                [
                    f"{atlas.name} has {len(found[side])} vertices in the {side} hemisphere, the "
                    f"surface {sizes[side]}: give the surface of the atlas, "
                    "mesh={'left': 'L.surf.gii', 'right': 'R.surf.gii'}."
                ],
            )
    return found


def _project_labels(
    regions: pd.DataFrame, atlas: Any, surface: Any, *, shipped: bool
) -> dict[str, npt.NDArray[np.intp]]:
    """Give each vertex the region of the nearest labelled voxel in reach, in the middle of cortex.

    `nilearn.surface.vol_to_surf` fails at vertices outside the image.
    """
    from nilearn.datasets import load_fsaverage

    canvas = build_label_canvas(regions, atlas)
    voxels = np.argwhere(canvas.region >= 0)
    owner = np.append(canvas.region[tuple(voxels.T)], -1)
    tree = cKDTree(nib.affines.apply_affine(canvas.affine, voxels))
    step = float(np.sqrt((canvas.affine[:3, :3] ** 2).sum(axis=0)).max())
    inner = load_fsaverage(SHIPPED)["white_matter"] if shipped else surface
    found = {}
    for side in SIDES:
        middle = (surface.parts[side].coordinates + inner.parts[side].coordinates) / 2
        reach = max(DEPTH, step)
        found[side] = owner[tree.query(middle, distance_upper_bound=reach)[1]]
    return found


def _reach(regions: pd.DataFrame, surface: Any, radius: float) -> dict[str, npt.NDArray[np.intp]]:
    placed = place_regions(regions)
    if not placed.any():
        raise DataContractError(
            _WHAT,
            [
                "the regions have no MNI coordinates: give atlas=FILE (label image in MNI space), "
                "surface_atlas=FILE.dlabel.nii, or columns x, y, z in regions.tsv before the fit."
            ],
        )
    tree = cKDTree(regions.loc[placed, XYZ].to_numpy(dtype=float))
    # A vertex out of reach gets the index past the last region, which reads the -1 at the end.
    owner = np.append(np.flatnonzero(placed), -1)
    return {
        side: owner[tree.query(surface.parts[side].coordinates, distance_upper_bound=radius)[1]]
        for side in SIDES
    }
