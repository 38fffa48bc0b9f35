"""Atlases by name or from files, and the depression circuits of their networks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from bayes_mdd.cohort.tables import read_table
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.features.atlas.label_images import image_regions
from bayes_mdd.features.atlas.published import COORDINATE_ATLASES, SCHAEFER, fetch_schaefer
from bayes_mdd.features.regions import check_regions, read_regions

#: The circuits, and ``OTH`` for networks outside of them.
CIRCUITS = ("DMN", "CCN", "ATT", "THR", "REW", "LIM", "SM", "VIS", "OTH")


@dataclass(frozen=True)
class Atlas:
    """Regions of an atlas and, if there is one, its label image.

    Parameters
    ----------
    name : str
        Name of the atlas, or of its file.
    regions : pandas.DataFrame
        Checked region table with ``circuit``.
    image : Path, optional
        Label image; ``label`` in the table is the value of the region in it.
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
        ``seitzman300``, ``dosenbach160``, ``power264`` (coordinates, available offline);
        ``schaefer<n>-7`` or ``schaefer<n>-17`` (downloaded by nilearn on first use; the order of
        regions depends on the number of networks); or a label image or region table.
    labels : str or Path, optional
        Table of a label image: ``index`` (or ``label``) and ``name`` (or ``region``), optional
        ``network``. Default: the table next to the image (``X_dseg.tsv`` for ``X_dseg.nii.gz``).
    networks : {"atlas", "circuit"}, default "atlas"
        Content of the column ``network``, which defines the blocks of features.
    circuits : pandas.DataFrame, str or Path, optional
        Circuit of each network (see `read_circuits`). Default: the table of the package.

    Returns
    -------
    pandas.DataFrame
        ``region``, ``network``, ``circuit`` (``DMN`` default mode; ``CCN`` cognitive control;
        ``ATT`` attention; ``THR`` salience and threat; ``REW`` reward; ``LIM`` limbic; ``SM``
        somatomotor; ``VIS`` visual; ``OTH`` other), ``x``, ``y``, ``z`` (MNI, mm) if known,
        ``label`` (value in the label image), ``radius`` (mm) of spheres.

    Raises
    ------
    SpecError
        If the atlas is unknown.
    DataContractError
        If a file cannot be read, labels and image do not match, or the download fails.

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
    """Find an atlas by name or file, with its label image if it has one.

    Parameters
    ----------
    atlas : str or Path
        Name or file, see `read_atlas`.
    labels : str or Path, optional
        Table of a label image.
    circuits : pandas.DataFrame, str or Path, optional
        Circuit of each network.

    Returns
    -------
    Atlas
        Regions and label image.

    Raises
    ------
    SpecError
        If the atlas is unknown.
    DataContractError
        See `read_atlas`.
    """
    if str(atlas) in COORDINATE_ATLASES:
        table, image = COORDINATE_ATLASES[str(atlas)](), None
    elif match := SCHAEFER.fullmatch(str(atlas)):
        table, image = fetch_schaefer(match)
    elif str(atlas).endswith((".nii", ".nii.gz")):
        image = Path(atlas)
        table = image_regions(image, None if labels is None else Path(labels))
    elif Path(atlas).suffix in (".tsv", ".csv"):
        table, image = read_regions(atlas), None
    else:
        raise SpecError(
            f"atlas must be one of {', '.join(COORDINATE_ATLASES)}, schaefer<n>-7, "
            "schaefer<n>-17, a label image (.nii, .nii.gz) or a region table (.tsv); got "
            f"{str(atlas)!r}."
        )
    return Atlas(Path(atlas).name, _with_circuits(check_regions(table), circuits), image)


def read_circuits(path: str | Path | None = None) -> pd.DataFrame:
    """Read the table that assigns networks of atlases to circuits of the depression literature.

    Parameters
    ----------
    path : str or Path, optional
        A table with the columns ``network`` and ``circuit``. Default: the table of the package.

    Returns
    -------
    pandas.DataFrame
        ``network``, ``circuit`` and, in the table of the package, ``atlas`` and ``note``. To change
        the assignment, edit a copy and pass it to `read_atlas`.

    Raises
    ------
    DataContractError
        If a column is missing, or a network has two circuits.

    Examples
    --------
    >>> table = read_circuits()
    >>> table.set_index("network").loc["Salience", "circuit"]
    'THR'
    """
    default = Path(__file__).with_name("circuits.tsv")
    return _check_circuits(read_table(default if path is None else path), path or default.name)


def _check_circuits(table: pd.DataFrame, what: object) -> pd.DataFrame:
    missing = [c for c in ("network", "circuit") if c not in table]
    if missing:
        raise DataContractError(
            str(what), [f"missing column(s) {', '.join(missing)}; found {some(table.columns, 12)}."]
        )
    counts = table.groupby("network")["circuit"].nunique()
    if (counts > 1).any():
        raise DataContractError(
            str(what),
            [f"several circuits for network(s) {some(counts.index[counts > 1])}: keep one each."],
        )
    return table


def _with_circuits(table: pd.DataFrame, circuits: pd.DataFrame | str | Path | None) -> pd.DataFrame:
    if "circuit" in table and circuits is None:
        return table
    known = (
        _check_circuits(circuits, "circuits")
        if isinstance(circuits, pd.DataFrame)
        else read_circuits(circuits)
    )
    circuit_of = dict(zip(known["network"], known["circuit"], strict=True))
    values = [circuit_of.get(n, n if n in CIRCUITS else "OTH") for n in table["network"]]
    others = [c for c in table.columns if c not in ("region", "network", "circuit")]
    return table.assign(circuit=values)[["region", "network", "circuit", *others]]
