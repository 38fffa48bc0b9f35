"""Atlases by name or from files, and the depression circuits of their networks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bayes_mdd.cohort.tables import read_table
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.features.atlas.label_images import image_regions
from bayes_mdd.features.atlas.published import COORDINATE_ATLASES, SCHAEFER, fetch_schaefer
from bayes_mdd.features.atlas.region_tables import (
    ATLAS,
    CIRCUIT,
    read_region_table,
    standardise_regions,
)
from bayes_mdd.features.regions import check_regions

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
    networks: str = ATLAS,
    circuits: pd.DataFrame | str | Path | None = None,
) -> pd.DataFrame:
    """Read the region table of an atlas.

    Parameters
    ----------
    atlas : str or Path
        ``seitzman300``, ``dosenbach160``, ``power264`` (coordinates, available offline);
        ``schaefer<n>-7`` or ``schaefer<n>-17`` (downloaded by nilearn on first use; the order of
        regions depends on the number of networks); or a label image; or a region table (.tsv,
        .csv) with the columns of `read_regions` or those of another tool, such as
        ``atlas-4S156Parcels_dseg.tsv`` of XCP-D (``index``, ``label``, ``network_label``).
    labels : str or Path, optional
        Table of a label image: ``index`` (or ``label``) and ``name`` (or ``region``), optional
        ``network``. Default: the table next to the image (``X_dseg.tsv`` for ``X_dseg.nii.gz``).
    networks : str, default "atlas"
        Content of the column ``network``, which defines the blocks of features: ``atlas``,
        ``circuit``, or the name of a column of the table (``network_label_17network``).
    circuits : pandas.DataFrame, str or Path, optional
        Circuit of each network (see `read_circuits`). Default: the table of the package.

    Returns
    -------
    pandas.DataFrame
        ``region``, ``network``, ``circuit`` (``DMN`` default mode; ``CCN`` cognitive control;
        ``ATT`` attention; ``THR`` salience and threat; ``REW`` reward; ``LIM`` limbic; ``SM``
        somatomotor; ``VIS`` visual; ``OTH`` other), ``x``, ``y``, ``z`` (MNI, mm) if known,
        ``label`` (value in the label image), ``radius`` (mm) of spheres. Regions without a network
        belong to a group of their own: their atlas or structure in the table, ``Subcortex``,
        ``Cerebellum`` or ``Brainstem`` by their name, or ``unassigned``; the column
        ``network_from`` then says ``group``.

    Raises
    ------
    SpecError
        If the atlas, or the column with the networks, is unknown.
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
    if not isinstance(networks, str) or not networks:
        raise SpecError(
            f"networks must be 'atlas', 'circuit' or the name of a column, got {networks!r}."
        )
    table = find_atlas(atlas, labels=labels, networks=networks, circuits=circuits).regions
    return table.assign(network=table["circuit"]) if networks == CIRCUIT else table


def read_region_argument(
    regions: pd.DataFrame | str | Path | None, networks: str = ATLAS
) -> pd.DataFrame | None:
    """Read the region table of a caller: a table, its file, or the name of an atlas.

    Parameters
    ----------
    regions : pandas.DataFrame, str, Path or None
        The argument ``regions`` of `read_derivatives`.
    networks : str, default "atlas"
        See `read_atlas`.

    Returns
    -------
    pandas.DataFrame or None
        As `read_atlas`; None if `regions` is None.

    Raises
    ------
    SpecError
        See `read_atlas`.
    DataContractError
        See `read_atlas`.
    """
    if regions is None:
        return None
    if not isinstance(regions, pd.DataFrame):
        return read_atlas(regions, networks=networks)
    table = standardise_regions(regions, networks=networks)
    return with_circuit_networks(table) if networks == CIRCUIT else table


def with_circuit_networks(table: pd.DataFrame) -> pd.DataFrame:
    """Replace the networks of a region table by circuits.

    Parameters
    ----------
    table : pandas.DataFrame
        Checked region table.

    Returns
    -------
    pandas.DataFrame
        With the column ``circuit``, which is also ``network``.
    """
    known = _with_circuits(table, None)
    return known.assign(network=known["circuit"])


def find_atlas(
    atlas: str | Path,
    *,
    labels: str | Path | None = None,
    networks: str = ATLAS,
    circuits: pd.DataFrame | str | Path | None = None,
) -> Atlas:
    """Find an atlas by name or file, with its label image if it has one.

    Parameters
    ----------
    atlas : str or Path
        Name or file, see `read_atlas`.
    labels : str or Path, optional
        Table of a label image.
    networks : str, default "atlas"
        Column with the networks, see `read_atlas`.
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
        table = table if networks == ATLAS else standardise_regions(table, networks=networks)
    elif match := SCHAEFER.fullmatch(str(atlas)):
        table, image = fetch_schaefer(match)
        table = table if networks == ATLAS else standardise_regions(table, networks=networks)
    elif str(atlas).endswith((".nii", ".nii.gz")):
        image = Path(atlas)
        table = image_regions(image, None if labels is None else Path(labels), networks)
    elif Path(atlas).suffix in (".tsv", ".csv"):
        table, image = read_region_table(atlas, networks), None
    else:
        raise SpecError(
            f"atlas must be one of {', '.join(COORDINATE_ATLASES)}, schaefer<n>-7, "
            "schaefer<n>-17, a label image (.nii, .nii.gz) or a region table (.tsv); got "
            f"{str(atlas)!r}."
        )
    checked = check_regions(table, what=Path(atlas).name)
    return Atlas(Path(atlas).name, _with_circuits(checked, circuits), image)


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
            str(what),
            [
                f"missing column(s) {', '.join(missing)}; found {some(table.columns, 12)}. "
                "Rename the "
                "columns, or give another table."
            ],
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
