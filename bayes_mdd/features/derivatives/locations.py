"""Where an atlas averages: labels on the grid of an image, or spheres at coordinates."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bayes_mdd.errors import DataContractError
from bayes_mdd.features.atlas.atlases import Atlas, find_atlas
from bayes_mdd.features.atlas.label_images import label_values, load_volume
from bayes_mdd.features.derivatives.names import FileName, parse_name
from bayes_mdd.features.derivatives.spheres import Mask, average_in_spheres
from bayes_mdd.features.derivatives.values import Request
from bayes_mdd.features.loading import Floats, UnreadableFileError, require_file
from bayes_mdd.specs.derivatives import DerivativesSpec

#: Largest difference of two affines (mm) that passes as rounding.
_AFFINE_TOLERANCE = 1e-3


def atlas_of(request: Request) -> Atlas:
    """Find the atlas that images are averaged in.

    Parameters
    ----------
    request : Request
        Its atlas (a name or a label image) and region table (places, or names of labels).

    Returns
    -------
    Atlas
        Its table has coordinates, or labels of its image.

    Raises
    ------
    DataContractError
        If neither an atlas nor a table with coordinates was given.
    """
    atlas, regions = request.atlas, request.regions
    named = atlas is not None and re.search(r"\.nii(\.gz)?$", str(atlas))
    if named and regions is not None and "label" in regions:
        return Atlas(Path(str(atlas)).name, regions, Path(str(atlas)))
    if atlas is not None:
        found = find_atlas(atlas)
        return found if regions is None else Atlas(found.name, regions, found.image)
    if regions is None or not {"x", "y", "z"} <= set(regions):
        raise DataContractError(
            "images",
            [
                "need an atlas to average in: atlas='seitzman300', a label image "
                "('....nii.gz'), or a region table with x, y, z."
            ],
        )
    return Atlas("region table", regions)


@dataclass(frozen=True)
class Averages:
    """Averages of an image in the regions of an atlas.

    Parameters
    ----------
    values : numpy.ndarray
        (time, region), NaN for regions without a voxel of data.
    coverage : numpy.ndarray
        Share of every region's voxels that hold data.
    """

    values: Floats
    coverage: Floats


def check_space(name: FileName, atlas: Atlas) -> None:
    """Refuse an image of another space than the atlas, as far as names tell.

    Parameters
    ----------
    name : FileName
        The image.
    atlas : Atlas
        The atlas; coordinates are MNI.

    Raises
    ------
    UnreadableFileError
        If both name a space and the two differ.
    """
    own = name.entities.get("space")
    if own is None:
        return
    if atlas.image is None:
        if not own.startswith("MNI"):
            raise UnreadableFileError(
                f"{name.path.name} is in space-{own}, the coordinates of {atlas.name} are MNI: "
                "take the images in MNI space (entities={'space': ...})."
            )
        return
    given = parse_name(atlas.image).entities
    other = given.get("space") or given.get("tpl")
    if other is not None and other != own:
        raise UnreadableFileError(
            f"{name.path.name} is in space-{own}, the atlas {atlas.image.name} in {other}: take "
            "both in one space."
        )


@lru_cache(maxsize=2)
def _label_image(path: Path, *_state: int) -> Any:
    """Load an atlas once for everybody, as long as the file is the same."""
    from nilearn.image import new_img_like

    labels = load_volume(path)
    return new_img_like(labels, label_values(labels, path.name).astype(np.int32))


def labels_on_grid(atlas: Atlas, image: Any, what: str, spec: DerivativesSpec) -> Any:
    """Bring the label image of an atlas to the grid of an image.

    Parameters
    ----------
    atlas : Atlas
        With an image.
    image : nibabel image
        The data.
    what : str
        Its name, for messages.
    spec : DerivativesSpec
        ``resample`` allows another grid.

    Returns
    -------
    nibabel image
        Whole numbers on the grid of `image`.

    Raises
    ------
    UnreadableFileError
        If the grids differ and must not.
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
            f"{what} has the grid {image.shape[:3]}, the atlas {atlas.image.name} {values.shape} "
            "or another affine: give the atlas on the grid of the data, or, if both are in the "
            "same space, resample=True (DerivativesSpec; nearest neighbour)."
        )
    return resample_to_img(
        labels, image, interpolation="nearest", force_resample=True, copy_header=True
    )


def average(
    image: Any,
    mask: Mask,
    atlas: Atlas,
    what: str,
    spec: DerivativesSpec,
    **clean: Any,
) -> Averages:
    """Average an image in the regions of an atlas, over voxels that hold data.

    Parameters
    ----------
    image : nibabel image
        Three- or four-dimensional, finite.
    mask : numpy.ndarray of bool
        Voxels that hold data.
    atlas : Atlas
        Where.
    what : str
        Name of the image, for messages.
    spec : DerivativesSpec
        Settings.
    **clean
        ``confounds`` and ``sample_mask`` of nilearn's maskers, ``strategy`` for labels.

    Returns
    -------
    Averages
        Regions in the order of the atlas's table.

    Raises
    ------
    UnreadableFileError
        If the grids do not fit.
    """
    if atlas.image is not None:
        return _in_labels(image, mask, atlas, what, spec, **clean)
    clean.pop("strategy", None)
    seeds = atlas.regions[["x", "y", "z"]].to_numpy(dtype=np.float64)
    values, coverage = average_in_spheres(image, mask, seeds, _radii(atlas, spec), **clean)
    return Averages(values, coverage)


def _radii(atlas: Atlas, spec: DerivativesSpec) -> Floats:
    if "radius" in atlas.regions:
        return atlas.regions["radius"].to_numpy(dtype=np.float64)
    return np.full(len(atlas.regions), spec.sphere_radius)


def _in_labels(
    image: Any, mask: Mask, atlas: Atlas, what: str, spec: DerivativesSpec, **clean: Any
) -> Averages:
    from nilearn.image import new_img_like
    from nilearn.maskers import NiftiLabelsMasker

    grid = labels_on_grid(atlas, image, what, spec)
    values = np.asarray(grid.dataobj).astype(np.int64)
    numbers = atlas.regions["label"].to_numpy(dtype=np.int64)
    top = int(max(values.max(), numbers.max())) + 1
    full = np.bincount(values.ravel(), minlength=top)[numbers]
    held = np.bincount(values[mask], minlength=top)[numbers]
    coverage = np.divide(held, full, out=np.zeros(len(full)), where=full > 0)
    strategy = clean.pop("strategy", "mean")
    wanted = np.where(np.isin(values, numbers), values, 0)
    masker = NiftiLabelsMasker(
        labels_img=new_img_like(grid, wanted.astype(np.int32)),
        mask_img=new_img_like(grid, mask.astype(np.int8)),
        standardize=None,
        resampling_target=None,
        reports=False,
        strategy=strategy,
    )
    if not held.any():
        return Averages(np.full((1, len(numbers)), np.nan), coverage)
    with warnings.catch_warnings():
        # That masking takes labels away is what `coverage` says, by name.
        warnings.filterwarnings("ignore", message=".*labels were removed.*")
        series = np.atleast_2d(masker.fit_transform(image, **clean))
    # Columns follow the labels that were left: neither `lut_` nor the order given tells them.
    order = [int(masker.region_ids_[i]) for i in range(series.shape[1])]
    return Averages(_placed(series, order, numbers.tolist()), coverage)


def _placed(series: Floats, found: list[int], wanted: list[int]) -> Floats:
    column = {label: i for i, label in enumerate(found)}
    out = np.full((len(series), len(wanted)), np.nan)
    for i, label in enumerate(wanted):
        if label in column:
            out[:, i] = series[:, column[label]]
    return out


def too_little(averages: Averages, spec: DerivativesSpec) -> Floats:
    """Mark regions of too little coverage as missing.

    Parameters
    ----------
    averages : Averages
        As `average` gives them.
    spec : DerivativesSpec
        ``min_coverage``.

    Returns
    -------
    numpy.ndarray
        (time, region), NaN where less of a region holds data.
    """
    poor = (averages.coverage < spec.min_coverage) | (averages.coverage == 0)
    values = averages.values.copy()
    values[:, poor] = np.nan
    return values


def coverage_facts(people: Mapping[str, Floats]) -> dict[str, float]:
    """Summarise coverage for ``provenance``.

    Parameters
    ----------
    people : mapping of str to numpy.ndarray
        Share by region, of every person.

    Returns
    -------
    dict
        Smallest and mean share of a region over people.
    """
    stack = np.stack(list(people.values()))
    return {
        "coverage_min": round(float(stack.min()), 4),
        "coverage_mean": round(float(stack.mean()), 4),
    }
