"""Atlases by name or as files, and the circuits of depression their networks belong to."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from bayes_mdd.cohort.tables import read_table
from bayes_mdd.dims import MISSING
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.features.atlas.label_images import image_regions
from bayes_mdd.features.regions import check_regions, network_of_name, read_regions

#: The circuits, and the one for networks that belong to none of them.
CIRCUITS = ("DMN", "CCN", "ATT", "THR", "REW", "LIM", "SM", "VIS", "OTH")
_SCHAEFER = re.compile(r"schaefer(?P<n>[1-9]00|1000)(?:-(?P<networks>7|17))?")
#: A region of Power lies this near to one of Seitzman (mm) where the two atlases share it.
_SAME_PLACE = 5.0


@dataclass(frozen=True)
class Atlas:
    """Regions with whatever says where they are.

    Parameters
    ----------
    name : str
        Name of the atlas, or of its file.
    regions : pandas.DataFrame
        Checked region table with ``circuit``.
    image : Path, optional
        Label image; the table's ``label`` is its values.
    """

    name: str
    regions: pd.DataFrame
    image: Path | None = None


def read_atlas(
    atlas: str | Path,
    *,
    labels: str | Path | None = None,
    networks: Literal["atlas", "circuit"] = "atlas",
    circuits: pd.DataFrame | str | Path | None = None,
) -> pd.DataFrame:
    """Read the region table of an atlas.

    Parameters
    ----------
    atlas : str or Path
        ``seitzman300``, ``dosenbach160``, ``power264`` (coordinates, work offline);
        ``schaefer<n>-7`` or ``schaefer<n>-17`` (downloaded by nilearn on first use; the number
        of networks decides the order); or a label image, or a region table.
    labels : str or Path, optional
        Table of a label image: ``index`` (or ``label``) and ``name`` (or ``region``), optional
        ``network``; default the table beside the image (``X_dseg.nii.gz``, ``X_dseg.tsv``).
    networks : {"atlas", "circuit"}, default "atlas"
        What the column ``network``, and so the blocks of features, holds.
    circuits : pandas.DataFrame, str or Path, optional
        Which network belongs to which circuit (see `read_circuits`); default our own table.

    Returns
    -------
    pandas.DataFrame
        ``region``, ``network``, ``circuit`` (``DMN``; ``CCN`` cognitive control; ``ATT``
        attention; ``THR`` salience and threat; ``REW`` reward; ``LIM`` limbic; ``SM``; ``VIS``;
        ``OTH``), ``x``, ``y``, ``z`` (MNI, mm) where known, ``label`` of an image, ``radius``
        (mm) of spheres.

    Raises
    ------
    SpecError
        If the atlas is unknown.
    DataContractError
        If a file cannot be read, labels and image do not match, or there is no network to
        download from.

    References
    ----------
    Seitzman et al. (2020), A set of functionally-defined brain regions with improved
    representation of the subcortex and cerebellum. NeuroImage 206.
    Dosenbach et al. (2010), Prediction of individual brain maturity using fMRI. Science 329.
    Power et al. (2011), Functional network organization of the human brain. Neuron 72.
    Schaefer et al. (2018), Local-global parcellation of the human cerebral cortex from intrinsic
    functional connectivity MRI. Cerebral Cortex 28.
    Williams (2016), Precision psychiatry: a neural circuit taxonomy for depression and anxiety.
    Lancet Psychiatry 3.

    Examples
    --------
    >>> table = read_atlas("dosenbach160", networks="circuit")
    >>> len(table), sorted(set(table["network"]))
    (160, ['CCN', 'DMN', 'OTH', 'SM', 'THR', 'VIS'])
    """
    if networks not in ("atlas", "circuit"):
        raise SpecError(f"networks must be 'atlas' or 'circuit', got {networks!r}.")
    table = find_atlas(atlas, labels=labels, circuits=circuits).regions
    return table.assign(network=table["circuit"]) if networks == "circuit" else table


def find_atlas(
    atlas: str | Path,
    *,
    labels: str | Path | None = None,
    circuits: pd.DataFrame | str | Path | None = None,
) -> Atlas:
    """Find an atlas by name or file, with its image where it has one.

    Parameters
    ----------
    atlas : str or Path
        Name or file, see `read_atlas`.
    labels : str or Path, optional
        Table of a label image.
    circuits : pandas.DataFrame, str or Path, optional
        Which network belongs to which circuit.

    Returns
    -------
    Atlas
        Its regions and image.

    Raises
    ------
    SpecError
        If the atlas is unknown.
    DataContractError
        As `read_atlas`.
    """
    if str(atlas) in _COORDINATES:
        table, image = _COORDINATES[str(atlas)](), None
    elif match := _SCHAEFER.fullmatch(str(atlas)):
        table, image = _fetched_schaefer(match)
    elif str(atlas).endswith((".nii", ".nii.gz")):
        image = Path(atlas)
        table = image_regions(image, None if labels is None else Path(labels))
    elif Path(atlas).suffix in (".tsv", ".csv"):
        table, image = read_regions(atlas), None
    else:
        raise SpecError(
            f"atlas must be one of {', '.join(_COORDINATES)}, schaefer<n>-7, schaefer<n>-17, a "
            f"label image (.nii, .nii.gz) or a region table (.tsv); got {str(atlas)!r}."
        )
    return Atlas(Path(atlas).name, _with_circuits(check_regions(table), circuits), image)


def read_circuits(path: str | Path | None = None) -> pd.DataFrame:
    """Read which network of an atlas belongs to which circuit of the depression literature.

    Parameters
    ----------
    path : str or Path, optional
        A table of your own, ``network`` and ``circuit``; default ours.

    Returns
    -------
    pandas.DataFrame
        ``network``, ``circuit`` and, in ours, ``atlas`` and ``note``. Edit a copy and give it to
        `read_atlas`.

    Raises
    ------
    DataContractError
        If a column is missing, or a network is given two circuits.

    Examples
    --------
    >>> table = read_circuits()
    >>> table.set_index("network").loc["Salience", "circuit"]
    'THR'
    """
    own = Path(__file__).with_name("circuits.tsv")
    return _checked_circuits(read_table(own if path is None else path), path or own.name)


def _checked_circuits(table: pd.DataFrame, what: object) -> pd.DataFrame:
    missing = [c for c in ("network", "circuit") if c not in table]
    if missing:
        raise DataContractError(str(what), [f"missing column(s) {', '.join(missing)}."])
    counts = table.groupby("network")["circuit"].nunique()
    if (counts > 1).any():
        raise DataContractError(
            str(what), [f"two circuits for network(s) {some(counts.index[counts > 1])}: keep one."]
        )
    return table


def _with_circuits(table: pd.DataFrame, circuits: pd.DataFrame | str | Path | None) -> pd.DataFrame:
    if "circuit" in table and circuits is None:
        return table
    known = (
        _checked_circuits(circuits, "circuits")
        if isinstance(circuits, pd.DataFrame)
        else read_circuits(circuits)
    )
    of = dict(zip(known["network"], known["circuit"], strict=True))
    values = [of.get(n, n if n in CIRCUITS else "OTH") for n in table["network"]]
    rest = [c for c in table.columns if c not in ("region", "network", "circuit")]
    return table.assign(circuit=values)[["region", "network", "circuit", *rest]]


def _seitzman() -> pd.DataFrame:
    from nilearn.datasets import fetch_coords_seitzman_2018

    held = fetch_coords_seitzman_2018()
    rois = held["rois"]
    anatomy = np.asarray(held["regions"]).astype(str)
    # nilearn's index is the row of the published list, which regions are known by.
    names = [f"Seitzman_{int(i) + 1:03d}" for i in rois.index]
    return pd.DataFrame(
        {
            "region": names,
            "network": np.asarray(held["networks"]).astype(str),
            **{axis: rois[axis].to_numpy(dtype=float) for axis in ("x", "y", "z")},
            "radius": np.asarray(held["radius"], dtype=float),
            "anatomy": anatomy,
        }
    )


def _dosenbach() -> pd.DataFrame:
    from nilearn.datasets import fetch_coords_dosenbach_2010

    held = fetch_coords_dosenbach_2010()
    return pd.DataFrame(
        {
            # The label ends in the number of the published list, so it is unique.
            "region": [str(label).replace(" ", "_") for label in held["labels"]],
            "network": [str(n) for n in held["networks"]],
            **{axis: held["rois"][axis].to_numpy(dtype=float) for axis in ("x", "y", "z")},
        }
    )


def _power() -> pd.DataFrame:
    """Power's regions; nilearn has no networks for them, Seitzman's cover 242 of the 264."""
    from nilearn.datasets import fetch_coords_power_2011

    rois = fetch_coords_power_2011()["rois"]
    places = rois[["x", "y", "z"]].to_numpy(dtype=float)
    near = _seitzman()
    gaps = np.linalg.norm(places[:, None] - near[["x", "y", "z"]].to_numpy()[None], axis=2)
    networks = near["network"].to_numpy()[gaps.argmin(axis=1)]
    return pd.DataFrame(
        {
            "region": [f"Power_{int(i):03d}" for i in rois["roi"]],
            "network": np.where(gaps.min(axis=1) < _SAME_PLACE, networks, "unassigned"),
            "x": places[:, 0],
            "y": places[:, 1],
            "z": places[:, 2],
        }
    )


_COORDINATES: dict[str, Callable[[], pd.DataFrame]] = {
    "seitzman300": _seitzman,
    "dosenbach160": _dosenbach,
    "power264": _power,
}


def _fetched_schaefer(match: re.Match[str]) -> tuple[pd.DataFrame, Path]:
    if match["networks"] is None:
        raise SpecError(
            f"{match.string} has an order of 7 and one of 17 networks, which name the same number "
            f"differently: say {match.string}-7 or {match.string}-17."
        )
    from nilearn.datasets import fetch_atlas_schaefer_2018

    try:
        held = fetch_atlas_schaefer_2018(
            n_rois=int(match["n"]), yeo_networks=int(match["networks"]), verbose=0
        )
    except Exception as error:  # nilearn passes on whatever its download library raises
        raise DataContractError(
            match.string,
            [
                f"cannot be downloaded ({type(error).__name__}): give a local label image with its "
                "table (atlas='....nii.gz')."
            ],
        ) from error
    return schaefer_regions(held["labels"]), Path(held["maps"])


def schaefer_regions(labels: Any) -> pd.DataFrame:
    """Name the values of a Schaefer image.

    Parameters
    ----------
    labels : sequence of str or bytes
        Names in the order of the image's values from 1 on; a first ``Background`` is value 0.

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
