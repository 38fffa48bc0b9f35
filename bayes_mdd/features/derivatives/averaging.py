"""Average images in the regions of an atlas: labels on the image grid, or spheres."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bayes_mdd.errors import DataContractError
from bayes_mdd.features.atlas.atlases import Atlas, find_atlas
from bayes_mdd.features.atlas.label_images import check_label_sides, label_values, load_volume
from bayes_mdd.features.derivatives.file_names import FileName, parse_name
from bayes_mdd.features.derivatives.interface import FormatRequest
from bayes_mdd.features.derivatives.spheres import average_in_spheres
from bayes_mdd.features.loading import UnreadableFileError, require_file
from bayes_mdd.specs.derivatives import DerivativesSpec
from bayes_mdd.types import Array, BoolArray

#: Largest difference between two affines (mm) that counts as rounding.
_AFFINE_TOLERANCE = 1e-3


def select_atlas(request: FormatRequest) -> Atlas:
    """Find the atlas in which images are averaged.

    Parameters
    ----------
    request : Request
        Its atlas is a name or a label image; its region table has coordinates, or the names of
        labels.

    Returns
    -------
    Atlas
        Its table has coordinates, or the labels of its image.

    Raises
    ------
    DataContractError
        If the request has neither an atlas nor a table with coordinates, or the hemispheres of
        the table contradict the label image.
    """
    atlas, regions = request.atlas, request.regions
    is_image = atlas is not None and re.search(r"\.nii(\.gz)?$", str(atlas))
    if is_image and regions is not None and "label" in regions:
        return _with_checked_sides(Atlas(Path(str(atlas)).name, regions, Path(str(atlas))))
    if atlas is not None:
        found = find_atlas(atlas)
        if regions is None:
            return found
        return _with_checked_sides(Atlas(found.name, regions, found.image))
    if regions is None or not {"x", "y", "z"} <= set(regions):
        raise DataContractError(
            "images",
            [
                "need an atlas in which to average: atlas='seitzman300', a label image "
                "('....nii.gz'), or a region table with x, y, z."
            ],
        )
    return Atlas("region table", regions)


def _with_checked_sides(atlas: Atlas) -> Atlas:
    """Compare the hemispheres of a region table with the label image it is used with."""
    if atlas.image is not None and "label" in atlas.regions:
        image = load_volume(atlas.image)
        values = label_values(image, atlas.image.name)
        check_label_sides(atlas.regions, values, image.affine, atlas.image.name)
    return atlas


@dataclass(frozen=True)
class RegionAverages:
    """Average values of an image in the regions of an atlas.

    Parameters
    ----------
    values : ndarray, shape (time, region)
        NaN in regions without data.
    coverage : ndarray, shape (region,)
        Share of the voxels of each region with data.
    """

    values: Array
    coverage: Array


def check_space(name: FileName, atlas: Atlas) -> None:
    """Check that image and atlas are in the same space, as far as their names state it.

    Parameters
    ----------
    name : FileName
        The image.
    atlas : Atlas
        The atlas; its coordinates are MNI.

    Raises
    ------
    UnreadableFileError
        If both names state a space and the two differ.
    """
    space = name.entities.get("space")
    if space is None:
        return
    if atlas.image is None:
        if not space.startswith("MNI"):
            raise UnreadableFileError(
                f"{name.path.name} is in space-{space}, the coordinates of {atlas.name} are MNI: "
                "select the images in MNI space (entities={'space': ...})."
            )
        return
    entities = parse_name(atlas.image).entities
    atlas_space = entities.get("space") or entities.get("tpl")
    if atlas_space is not None and atlas_space != space:
        raise UnreadableFileError(
            f"{name.path.name} is in space-{space}, the atlas {atlas.image.name} in {atlas_space}: "
            "use an atlas in the space of the images."
        )


@lru_cache(maxsize=2)
def _label_image(path: Path, *_state: int) -> Any:
    """Load a label image; cached as long as the file does not change."""
    from nilearn.image import new_img_like

    labels = load_volume(path)
    return new_img_like(labels, label_values(labels, path.name).astype(np.int32))


def labels_on_grid(atlas: Atlas, image: Any, name: str, spec: DerivativesSpec) -> Any:
    """Return the label image of an atlas on the grid of an image.

    Parameters
    ----------
    atlas : Atlas
        An atlas with a label image.
    image : nibabel image
        The data.
    name : str
        Name of the image, for messages.
    spec : DerivativesSpec
        ``resample`` allows resampling to another grid.

    Returns
    -------
    nibabel image
        Integer labels on the grid of `image`.

    Raises
    ------
    UnreadableFileError
        If the grids differ and ``resample`` is False.
    """
    from nilearn.image import resample_to_img

    assert atlas.image is not None
    require_file(atlas.image)
    state = atlas.image.stat()
    labels = _label_image(atlas.image, state.st_mtime_ns, state.st_size)
    values = labels.dataobj
    same = values.shape == image.shape[:3] and np.allclose(
        labels.affine, image.affine, atol=_AFFINE_TOLERANCE
    )
    if same:
        return labels
    if not spec.resample:
        raise UnreadableFileError(
            f"{name} has the grid {image.shape[:3]}, the atlas {atlas.image.name} has "
            f"{values.shape} or another affine: give the atlas on the grid of the data or, if both "
            "are in the same space, resample=True (DerivativesSpec; --set resample=true; nearest "
            "neighbour)."
        )
    return resample_to_img(
        labels, image, interpolation="nearest", force_resample=True, copy_header=True
    )


def average_regions(
    image: Any,
    mask: BoolArray,
    atlas: Atlas,
    name: str,
    spec: DerivativesSpec,
    **clean: Any,
) -> RegionAverages:
    """Average an image in the regions of an atlas, over voxels with data.

    Parameters
    ----------
    image : nibabel image
        Three- or four-dimensional, finite.
    mask : ndarray of bool
        Voxels with data.
    atlas : Atlas
        The regions.
    name : str
        Name of the image, for messages.
    spec : DerivativesSpec
        Settings.
    **clean
        ``confounds`` and ``sample_mask`` of nilearn's maskers; ``strategy`` for label images.

    Returns
    -------
    Averages
        Regions in the order of the table of the atlas.

    Raises
    ------
    UnreadableFileError
        If the grids differ.
    """
    if atlas.image is not None:
        return _average_in_labels(image, mask, atlas, name, spec, **clean)
    clean.pop("strategy", None)
    seeds = atlas.regions[["x", "y", "z"]].to_numpy(dtype=np.float64)
    values, coverage = average_in_spheres(image, mask, seeds, _radii(atlas, spec), **clean)
    return RegionAverages(values, coverage)


def _radii(atlas: Atlas, spec: DerivativesSpec) -> Array:
    if "radius" in atlas.regions:
        return atlas.regions["radius"].to_numpy(dtype=np.float64)
    return np.full(len(atlas.regions), spec.sphere_radius)


def _average_in_labels(
    image: Any, mask: BoolArray, atlas: Atlas, name: str, spec: DerivativesSpec, **clean: Any
) -> RegionAverages:
    from nilearn.image import new_img_like
    from nilearn.maskers import NiftiLabelsMasker

    grid = labels_on_grid(atlas, image, name, spec)
    values = np.asarray(grid.dataobj).astype(np.int64)
    numbers = atlas.regions["label"].to_numpy(dtype=np.int64)
    top = int(max(values.max(), numbers.max())) + 1
    size = np.bincount(values.ravel(), minlength=top)[numbers]
    with_data = np.bincount(values[mask], minlength=top)[numbers]
    coverage = np.divide(with_data, size, out=np.zeros(len(size)), where=size > 0)
    strategy = clean.pop("strategy", "mean")
    kept = np.where(np.isin(values, numbers), values, 0)
    # With the affine of the image: nilearn refuses those that differ by rounding.
    masker = NiftiLabelsMasker(
        labels_img=new_img_like(grid, kept.astype(np.int32), affine=image.affine),
        mask_img=new_img_like(grid, mask.astype(np.int8), affine=image.affine),
        standardize=None,
        resampling_target=None,
        reports=False,
        strategy=strategy,
    )
    if not with_data.any():
        return RegionAverages(np.full((1, len(numbers)), np.nan), coverage)
    with warnings.catch_warnings():
        # `coverage` reports labels that the mask removes.
        warnings.filterwarnings("ignore", message=".*labels were removed.*")
        series = np.atleast_2d(masker.fit_transform(image, **clean))
    # Columns are in the order of the labels that remain, given by `region_ids_` only.
    order = [int(masker.region_ids_[i]) for i in range(series.shape[1])]
    return RegionAverages(_sort_columns(series, order, numbers.tolist()), coverage)


def _sort_columns(series: Array, found: list[int], wanted: list[int]) -> Array:
    """Sort columns by label; NaN for labels without a column."""
    column = {label: i for i, label in enumerate(found)}
    out = np.full((len(series), len(wanted)), np.nan)
    for i, label in enumerate(wanted):
        if label in column:
            out[:, i] = series[:, column[label]]
    return out


def mask_low_coverage(averages: RegionAverages, spec: DerivativesSpec) -> Array:
    """Set regions with low coverage to NaN.

    Parameters
    ----------
    averages : Averages
        From `average_regions`.
    spec : DerivativesSpec
        ``min_coverage``.

    Returns
    -------
    ndarray, shape (time, region)
        NaN in regions without data or with coverage below ``min_coverage``.
    """
    low = (averages.coverage < spec.min_coverage) | (averages.coverage == 0)
    values = averages.values.copy()
    values[:, low] = np.nan
    return values
