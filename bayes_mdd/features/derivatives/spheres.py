"""Average images in spheres around coordinates."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayes_mdd.types import Array, BoolArray


def average_in_spheres(
    image: Any, mask: BoolArray, seeds: Array, radii: Array, **clean: Any
) -> tuple[Array, Array]:
    """Average an image in spheres, over voxels with data.

    Parameters
    ----------
    image : nibabel image
        Three- or four-dimensional, finite.
    mask : ndarray of bool
        Voxels with data.
    seeds : ndarray, shape (region, 3)
        Centres (mm) in the space of the image.
    radii : ndarray, shape (region,)
        Radius of each sphere (mm).
    **clean
        ``confounds`` and ``sample_mask`` of nilearn's masker.

    Returns
    -------
    values : ndarray, shape (time, region)
        NaN in spheres without data.
    coverage : ndarray, shape (region,)
        Share of the voxels of each sphere with data.
    """
    from nilearn.image import new_img_like
    from nilearn.maskers import NiftiSpheresMasker

    coverage = _sphere_coverage(image, mask, seeds, radii)
    mask_image = new_img_like(image, mask.astype(np.int8))
    parts: dict[int, Array] = {}
    for radius in np.unique(radii):  # the masker accepts a single radius
        index = np.flatnonzero((radii == radius) & (coverage > 0))
        if not index.size:
            continue
        masker = NiftiSpheresMasker(
            seeds=[tuple(s) for s in seeds[index]],
            radius=float(radius),
            mask_img=mask_image,
            allow_overlap=True,
            standardize=None,
            reports=False,
        )
        series = np.atleast_2d(masker.fit_transform(image, **clean))
        parts |= {int(i): series[:, k] for k, i in enumerate(index)}
    length = len(next(iter(parts.values()))) if parts else 1
    values = np.full((length, len(seeds)), np.nan)
    for i, column in parts.items():
        values[:, i] = column
    return values, coverage


def _sphere_coverage(image: Any, mask: BoolArray, seeds: Array, radii: Array) -> Array:
    """Share of the voxels of each sphere with data; voxels outside the image count as without."""
    from nibabel.affines import apply_affine, voxel_sizes

    reach = int(np.ceil(radii.max() / voxel_sizes(image.affine).min())) + 1
    steps = np.indices((2 * reach + 1,) * 3).reshape(3, -1).T - reach
    centres = np.rint(apply_affine(np.linalg.inv(image.affine), seeds)).astype(np.intp)
    shares = np.zeros(len(seeds))
    for i, seed in enumerate(seeds):
        voxels = centres[i] + steps
        within = np.linalg.norm(apply_affine(image.affine, voxels) - seed, axis=1) <= radii[i]
        voxels = voxels[within]
        inside = voxels[((voxels >= 0) & (voxels < mask.shape)).all(axis=1)]
        shares[i] = mask[tuple(inside.T)].sum() / max(len(voxels), 1)
    return shares
