"""Published atlases, as nilearn distributes them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayes_mdd.dims import MISSING
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.features.networks import network_of_name

#: Names such as ``schaefer400-7``: number of regions and number of networks.
SCHAEFER = re.compile(r"schaefer(?P<n>[1-9]00|1000)(?:-(?P<networks>7|17))?")
#: Distance (mm) within which a region of Power and one of Seitzman are the same region.
_SAME_REGION = 5.0


def _seitzman() -> pd.DataFrame:
    from nilearn.datasets import fetch_coords_seitzman_2018

    atlas = fetch_coords_seitzman_2018()
    rois = atlas["rois"]
    anatomy = np.asarray(atlas["regions"]).astype(str)
    # The index of nilearn is the row of the published list, which numbers the regions.
    names = [f"Seitzman_{int(i) + 1:03d}" for i in rois.index]
    return pd.DataFrame(
        {
            "region": names,
            "network": np.asarray(atlas["networks"]).astype(str),
            **{axis: rois[axis].to_numpy(dtype=float) for axis in ("x", "y", "z")},
            "radius": np.asarray(atlas["radius"], dtype=float),
            "anatomy": anatomy,
        }
    )


def _dosenbach() -> pd.DataFrame:
    from nilearn.datasets import fetch_coords_dosenbach_2010

    atlas = fetch_coords_dosenbach_2010()
    return pd.DataFrame(
        {
            # Labels end in the number of the published list, so they are unique.
            "region": [str(label).replace(" ", "_") for label in atlas["labels"]],
            "network": [str(n) for n in atlas["networks"]],
            **{axis: atlas["rois"][axis].to_numpy(dtype=float) for axis in ("x", "y", "z")},
        }
    )


def _power() -> pd.DataFrame:
    """Regions of Power, with the networks of Seitzman (242 of 264), since nilearn has none."""
    from nilearn.datasets import fetch_coords_power_2011

    rois = fetch_coords_power_2011()["rois"]
    xyz = rois[["x", "y", "z"]].to_numpy(dtype=float)
    seitzman = _seitzman()
    distance = np.linalg.norm(xyz[:, None] - seitzman[["x", "y", "z"]].to_numpy()[None], axis=2)
    networks = seitzman["network"].to_numpy()[distance.argmin(axis=1)]
    return pd.DataFrame(
        {
            "region": [f"Power_{int(i):03d}" for i in rois["roi"]],
            "network": np.where(distance.min(axis=1) < _SAME_REGION, networks, "unassigned"),
            "x": xyz[:, 0],
            "y": xyz[:, 1],
            "z": xyz[:, 2],
        }
    )


#: Atlases of coordinates, which nilearn includes.
COORDINATE_ATLASES: dict[str, Callable[[], pd.DataFrame]] = {
    "seitzman300": _seitzman,
    "dosenbach160": _dosenbach,
    "power264": _power,
}


def fetch_schaefer(match: re.Match[str]) -> tuple[pd.DataFrame, Path]:
    """Download a Schaefer atlas, or take it from the cache of nilearn.

    Parameters
    ----------
    match : re.Match
        Match of `SCHAEFER`.

    Returns
    -------
    regions : pandas.DataFrame
        See `schaefer_regions`.
    image : Path
        Label image.

    Raises
    ------
    SpecError
        If the number of networks is not stated.
    DataContractError
        If the download fails.
    """
    if match["networks"] is None:
        raise SpecError(
            f"{match.string} exists with 7 and with 17 networks, which number the regions "
            f"differently: choose {match.string}-7 or {match.string}-17."
        )
    from nilearn.datasets import fetch_atlas_schaefer_2018

    try:
        atlas = fetch_atlas_schaefer_2018(
            n_rois=int(match["n"]), yeo_networks=int(match["networks"]), verbose=0
        )
    except Exception as error:  # nilearn does not catch the exceptions of its download library
        raise DataContractError(
            match.string,
            [
                f"cannot be downloaded ({type(error).__name__}): pass a local label image with its "
                "table (atlas='....nii.gz')."
            ],
        ) from error
    return schaefer_regions(atlas["labels"]), Path(atlas["maps"])


def schaefer_regions(labels: Any) -> pd.DataFrame:
    """Build the region table of a Schaefer atlas from its labels.

    Parameters
    ----------
    labels : sequence of str or bytes
        Names in the order of the values of the image, starting at 1. ``Background`` (value 0) is
        ignored.

    Returns
    -------
    pandas.DataFrame
        ``region``, ``network``, ``label``.

    Examples
    --------
    >>> schaefer_regions(["Background", b"7Networks_LH_Vis_1"])["network"].tolist()
    ['Vis']
    """
    names = [n.decode() if isinstance(n, bytes) else str(n) for n in labels]
    names = [n for n in names if n.lower() != "background"]
    return pd.DataFrame(
        {
            "region": names,
            "network": [network_of_name(n) or MISSING for n in names],
            "label": range(1, len(names) + 1),
        }
    )
