"""Signatures as files for other programs, each with a JSON sidecar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, cast

import nibabel as nib
import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import FACTOR, FEATURE, MISSING
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.files.netcdf import write_netcdf
from bayes_mdd.results.export_files import FORMER_MAPS, SharedFile, write_files
from bayes_mdd.results.export_notes import common_note, factor_notes
from bayes_mdd.results.images import (
    XYZ,
    Canvas,
    build_label_canvas,
    build_sphere_canvas,
    place_regions,
)
from bayes_mdd.results.maps import (
    REGION_STATISTICS,
    STABILITY,
    STATISTICS,
    RegionStatistic,
    region_strength,
)
from bayes_mdd.results.region_maps import EDGE_MEANING
from bayes_mdd.results.regions import edge_matrix, is_edges, region_table

FORMATS = ("tsv", "netcdf", "matrix", "nifti", "brainnet")
NUMBERS = "%.6g"
EDGE_COLUMNS = ("view", "region_a", "region_b", "network_a", "network_b", "block")
REGION_COLUMNS = ("view", "region_name", "network", "x", "y", "z", "block")
#: Statistics of regions in images by default, and labels of the former ones in file names.
REGION_PARTS: Final[tuple[RegionStatistic, ...]] = ("strength", "positive", "negative")
FORMER_LABELS: Final = {"mean": FORMER_MAPS[0], "mean_abs": FORMER_MAPS[1]}


def export_signatures(
    sig: xr.Dataset,
    folder: str | Path,
    *,
    atlas_img: Any = None,
    formats: Sequence[str] | None = None,
    radius: float = 5.0,
    region_statistic: RegionStatistic | Sequence[RegionStatistic] = REGION_PARTS,
    overwrite: bool = False,
) -> list[Path]:
    """Write signatures to files, each with a JSON sidecar of the same stem.

    Parameters
    ----------
    sig : xarray.Dataset
        What `signatures` returned.
    folder : str or Path
        Made when it does not exist.
    atlas_img : path or nibabel image, optional
        Label image of the regions; without it, images show spheres at MNI coordinates.
    formats : sequence of {"tsv", "netcdf", "matrix", "nifti", "brainnet"}, optional
        By default all but "brainnet" that the features allow. "tsv": one long table;
        "netcdf": the Dataset itself; "matrix": a square table per factor (edges only);
        "nifti": an image per factor; "brainnet": ``.node`` and ``.edge`` for BrainNet Viewer.
    radius : float, default 5.0
        Of the spheres, in mm.
    region_statistic : str or sequence of str, default ("strength", "positive", "negative")
        How the edges of a region make the number of an image; one image per factor and statistic.
        See `region_strength`. Images of regional features show the loading itself. Intervals of
        these numbers are written by `export_run`.
    overwrite : bool, default False
        Whether files of the same names may be replaced.

    Returns
    -------
    list of Path
        Every file written, sidecars included.

    Raises
    ------
    SpecError
        If a format is unknown.
    DataContractError
        If the features do not allow a format, or the atlas does not fit.
    RunFolderError
        If a file exists and `overwrite` is False. Nothing is written then.
    """
    chosen = _check_formats(sig, formats, atlas_img)
    statistics = _check_statistics(region_statistic)
    files: list[SharedFile] = []
    if "tsv" in chosen:
        files.append(SharedFile("signatures.tsv", lambda p: _write_table(sig, p), _columns_note()))
    if "netcdf" in chosen:
        files.append(SharedFile("signatures.nc", lambda p: _write_netcdf(sig, p), _columns_note()))
    if "matrix" in chosen:
        files += _matrix_files(sig)
    if "brainnet" in chosen:
        files += _brainnet_files(sig)
    if "nifti" in chosen:
        regions = region_table(sig)
        canvas = (
            build_sphere_canvas(regions, radius=radius)
            if atlas_img is None
            else build_label_canvas(regions, atlas_img)
        )
        files += _image_files(sig, canvas, statistics)
    return write_files(common_note(sig), files, Path(folder), overwrite=overwrite)


def _check_formats(sig: xr.Dataset, formats: Sequence[str] | None, atlas_img: Any) -> set[str]:
    """Choose the formats to write; formats requested by name must be possible."""
    missing = [v for v in STATISTICS if v not in sig or {FACTOR, FEATURE} - set(sig[v].dims)]
    if missing:
        problem = f"{some(missing)} (factor, feature) missing; pass what signatures() returned."
        raise DataContractError("signature", [problem])
    edges = is_edges(sig)
    regional = edges or "region_name" in sig.coords
    placed = regional and bool(place_regions(region_table(sig)).any())
    problems = {}
    if not edges:
        problems["matrix"] = "features are not edges (no coordinates region_a, region_b)."
    if not (regional and (placed or atlas_img is not None)):
        problems["nifti"] = "regions have no MNI coordinates; give them, or pass atlas_img."
    if not (edges and placed):
        problems["brainnet"] = "it needs edges between regions with MNI coordinates."
    if "view" in sig.coords and len(np.unique(sig["view"].values.astype(str))) > 1:
        why = "one cell or voxel would hold several views; export each with select_view(sig, view)."
        problems |= dict.fromkeys(("matrix", "nifti", "brainnet"), why)
    if formats is None:
        return {"tsv", "netcdf", "matrix", "nifti"} - set(problems)
    unknown = [f for f in formats if f not in FORMATS]
    if isinstance(formats, str) or unknown:
        raise SpecError(f"formats must be a list of names from {FORMATS}, got {formats!r}.")
    refused = [f"format '{f}': {why}" for f, why in problems.items() if f in formats]
    if refused:
        raise DataContractError("signature", refused)
    return set(formats)


def _check_statistics(statistic: RegionStatistic | Sequence[RegionStatistic]) -> tuple[str, ...]:
    chosen = (statistic,) if isinstance(statistic, str) else tuple(statistic)
    unknown = [s for s in chosen if s not in REGION_STATISTICS]
    if unknown or not chosen:
        raise SpecError(
            f"region_statistic must be of {REGION_STATISTICS}, got {statistic!r}; several go into "
            "a list."
        )
    return tuple(dict.fromkeys(chosen))


def _columns_note() -> dict[str, Any]:
    return {
        "Statistic": "posterior mean, SD, interval and sign probability",
        "Columns": {
            "name": "name of the factor: its label and largest blocks; see classify_factors",
            "label": "how the arms divide the factor; see classify_factors",
            "stability": "only factors that are stable are signatures; see classify_factors",
            "reliability": "posterior mean of the stable part of the factor's variance",
            "mean": "posterior mean of the loading",
            "sd": "posterior standard deviation of the loading",
            "lower": "lower end of the interval",
            "upper": "upper end of the interval",
            "p_positive": "posterior probability that the loading is above 0",
            "inclusion": "posterior probability that the feature takes part, where fitted",
        },
    }


def _write_table(sig: xr.Dataset, path: Path) -> None:
    wanted = EDGE_COLUMNS if is_edges(sig) else REGION_COLUMNS
    keys = [c for c in wanted if c in sig.coords]
    base = pd.DataFrame({FEATURE: sig[FEATURE].values} | {c: sig[c].values for c in keys})
    values = [str(v) for v in sig.data_vars if set(sig[v].dims) == {FACTOR, FEATURE}]
    # Where no factor is used, the table has a header only.
    header = [FACTOR, *base.columns, *values]
    pd.DataFrame(columns=header).to_csv(path, sep="\t", index=False)
    for i, (name, one, _) in enumerate(factor_notes(sig)):
        table = base.assign(**{v: one[v].values for v in values})
        table.insert(0, FACTOR, name)
        for at, key in enumerate([k for k in ("name", "label") if k in one.coords], 1):
            table.insert(at, key, str(one[key].values))
        if STABILITY in one.coords:
            table[STABILITY] = str(one[STABILITY].values)
            table["reliability"] = float(one["reliability"].values)
        table.to_csv(
            path,
            sep="\t",
            index=False,
            na_rep=MISSING,
            float_format=NUMBERS,
            mode="a" if i else "w",
            header=i == 0,
        )


def _write_netcdf(sig: xr.Dataset, path: Path) -> None:
    attrs = {k: v for k, v in sig.attrs.items() if v is not None}
    write_netcdf(sig.assign_attrs(attrs), path)


def _matrix_files(sig: xr.Dataset) -> Iterator[SharedFile]:
    for name, one, note in factor_notes(sig):
        table = edge_matrix(sig, one["mean"].values)

        def write(path: Path, table: pd.DataFrame = table) -> None:
            table.to_csv(path, sep="\t", na_rep=MISSING, float_format=NUMBERS)

        shape = {"Layout": "square, symmetric, rows and columns named; diagonal not analysed"}
        yield SharedFile(f"factor-{name}_stat-mean_relmat.tsv", write, note | shape)


def _image_files(
    sig: xr.Dataset, canvas: Canvas, statistics: tuple[str, ...]
) -> Iterator[SharedFile]:
    edges = is_edges(sig)
    outside = {"MissingValue": "NaN (outside the regions, or not analysed)"}
    for statistic in statistics if edges else ("mean",):
        values = region_strength(sig, cast(RegionStatistic, statistic))
        label = FORMER_LABELS.get(statistic, statistic) if edges else "mean"
        meaning = EDGE_MEANING["strength" if statistic == "mean_abs" else statistic]
        what = {"Statistic": meaning} if edges else {}
        for name, _, note in factor_notes(sig):
            numbers = values.sel({FACTOR: name}).values

            def write(path: Path, numbers: Any = numbers, title: str = f"{name} {label}") -> None:
                # nibabel chooses compression by the file name, which the temporary name keeps.
                nib.save(canvas.paint(numbers, name=title), path)

            stem = f"factor-{name}_stat-{label}_statmap.nii.gz"
            yield SharedFile(stem, write, note | what | canvas.how | outside)


def _brainnet_files(sig: xr.Dataset) -> Iterator[SharedFile]:
    """BrainNet Viewer does not support missing values: regions without coordinates are omitted."""
    regions = region_table(sig)
    placed = place_regions(regions)
    kept = regions[placed]
    size = region_strength(sig, "strength")
    colour = pd.factorize(kept["network"])[0] + 1 if "network" in kept else 1
    names = [n.replace(" ", "_") for n in kept.index]
    for name, one, note in factor_notes(sig):
        nodes = kept[XYZ].assign(colour=colour, size=size.sel({FACTOR: name}).values[placed])
        nodes = nodes.assign(name=names)
        edges = edge_matrix(sig, one["mean"].values).to_numpy()[np.ix_(placed, placed)]

        def write_nodes(path: Path, nodes: pd.DataFrame = nodes) -> None:
            nodes.to_csv(path, sep="\t", index=False, header=False, float_format=NUMBERS)

        def write_edges(path: Path, edges: Any = edges) -> None:
            np.savetxt(path, np.nan_to_num(edges), fmt=NUMBERS, delimiter="\t")

        note = note | {
            "NodeSize": EDGE_MEANING["strength"],
            "NodeColour": "number of the network in order of appearance",
            "RegionsNotWritten": [str(r) for r in regions.index[~placed]],
            "MissingValue": "0 (BrainNet Viewer has no other mark; also the diagonal)",
        }
        yield SharedFile(f"factor-{name}_brainnet.node", write_nodes, note)
        yield SharedFile(f"factor-{name}_brainnet.edge", write_edges, note)
