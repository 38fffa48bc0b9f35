"""Averages in spheres at coordinates."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bayes_mdd.features.loading import Floats

type Mask = npt.NDArray[np.bool_]


def average_in_spheres(
    image: Any, mask: Mask, seeds: Floats, radii: Floats, **clean: Any
) -> tuple[Floats, Floats]:
    """Average an image in spheres, over voxels that hold data.

    Parameters
    ----------
    image : nibabel image
        Three- or four-dimensional, finite.
    mask : numpy.ndarray of bool
        Voxels that hold data.
    seeds : numpy.ndarray
        (region, 3), mm in the space of the image.
    radii : numpy.ndarray
        Radius of every sphere (mm).
    **clean
        ``confounds`` and ``sample_mask`` of nilearn's masker.

    Returns
    -------
    tuple of numpy.ndarray
        (time, region), NaN for spheres without a voxel of data, and the share of every sphere's
        voxels that hold data.
    """
    from nilearn.image import new_img_like
    from nilearn.maskers import NiftiSpheresMasker

    coverage = _sphere_coverage(image, mask, seeds, radii)
    mask_image = new_img_like(image, mask.astype(np.int8))
    parts: dict[int, Floats] = {}
    for radius in np.unique(radii):  # the masker takes one radius
        here = np.flatnonzero((radii == radius) & (coverage > 0))
        if not here.size:
            continue
        masker = NiftiSpheresMasker(
            seeds=[tuple(s) for s in seeds[here]],
            radius=float(radius),
            mask_img=mask_image,
            allow_overlap=True,
            standardize=None,
            reports=False,
        )
        series = np.atleast_2d(masker.fit_transform(image, **clean))
        parts |= {int(i): series[:, k] for k, i in enumerate(here)}
    length = len(next(iter(parts.values()))) if parts else 1
    values = np.full((length, len(seeds)), np.nan)
    for i, column in parts.items():
        values[:, i] = column
    return values, coverage


def _sphere_coverage(image: Any, mask: Mask, seeds: Floats, radii: Floats) -> Floats:
    """Share of a sphere's voxels that hold data; those beyond the image count as without."""
    from nibabel.affines import apply_affine, voxel_sizes

    reach = int(np.ceil(radii.max() / voxel_sizes(image.affine).min())) + 1
    steps = np.indices((2 * reach + 1,) * 3).reshape(3, -1).T - reach
    nearest = np.rint(apply_affine(np.linalg.inv(image.affine), seeds)).astype(np.intp)
    shares = np.zeros(len(seeds))
    for i, seed in enumerate(seeds):
        voxels = nearest[i] + steps
        within = np.linalg.norm(apply_affine(image.affine, voxels) - seed, axis=1) <= radii[i]
        voxels = voxels[within]
        seen = voxels[((voxels >= 0) & (voxels < mask.shape)).all(axis=1)]
        shares[i] = mask[tuple(seen.T)].sum() / max(len(voxels), 1)
    return shares
