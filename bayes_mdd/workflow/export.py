"""Export of a run into the formats of other programs, for every model family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, FACTOR, FEATURE, SUBJECT
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.features import select_view
from bayes_mdd.results.exports.folders import check_export, write_export
from bayes_mdd.results.exports.formats import FORMATS
from bayes_mdd.results.exports.material import Material
from bayes_mdd.results.exports.strongest import tabulate_strongest
from bayes_mdd.results.maps import gather_maps
from bayes_mdd.results.result import Result, read_result
from bayes_mdd.results.rules import RULES
from bayes_mdd.results.used import used_factors
from bayes_mdd.sampling.run_folder import read_run
from bayes_mdd.workflow.families import family_of
from bayes_mdd.workflow.response_drawings import read_response_drawings

ALL = "all"


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Parameters
    ----------
    files : mapping of str to tuple of Path
        Files by format.
    left_out : mapping of str to str
        Formats of ``"all"`` that do not apply to the run, with the reason.
    """

    files: Mapping[str, tuple[Path, ...]]
    left_out: Mapping[str, str] = field(default_factory=dict)


def export_run(
    run: str | Path | xr.DataTree,
    folder: str | Path,
    *,
    formats: Sequence[str] = (ALL,),
    atlas: str | Path | None = None,
    surface_atlas: str | Path | None = None,
    view: str | None = None,
    radius: float = 5.0,
    with_participants: bool = False,
    overwrite: bool = False,
) -> Exported:
    """Write a run in the formats of other programs, one folder a format.

    Parameters
    ----------
    run : str, Path or xarray.DataTree
        A run folder, or what `fit` or `read_run` returned.
    folder : str or Path
        Gets one folder per format; created when it does not exist.
    formats : sequence of str, default ("all",)
        Of "nifti", "bids", "brainnet", "graphml", "cifti", "gifti", "tables", "neurovault",
        "html", "anndata" and "figures"; "all" writes those that apply to the run.
    atlas : str or Path, optional
        Label image of the regions (NIfTI). Without it, images show spheres at the MNI coordinates
        of the regions.
    surface_atlas : str or Path, optional
        Surface atlas of the regions (``.dlabel.nii``), for "cifti" and "gifti".
    view : str, optional
        View to export, where the features have several.
    radius : float, default 5.0
        Of the spheres, in mm.
    with_participants : bool, default False
        Whether "tables" holds the scores, one row per participant and factor, and "figures"
        those with one mark per participant.
    overwrite : bool, default False
        Whether earlier exports of the same formats may be replaced, each as a whole.

    Returns
    -------
    Exported
        ``files`` by format, and ``left_out`` with the reason.

    Raises
    ------
    SpecError
        If a format is unknown.
    DataContractError
        If a format that is named does not apply to the run (all are listed), an atlas does not fit,
        or there is no such view.
    RunFolderError
        If an export is there already and `overwrite` is False, or its folder holds other files.
        Nothing is written then.
    WriteError
        If a folder cannot be written; what was there is untouched then.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> done = bm.export_run("runs/demo", "maps", formats=["nifti", "graphml"])  # doctest: +SKIP
    >>> [path.name for path in done.files["graphml"]]  # doctest: +SKIP
    ['factor-F1.graphml', 'factor-F1.json', 'export.json']
    """
    chosen, asked = choose_formats(formats), ALL not in formats
    folder = Path(folder)
    # Before anything is read.
    if asked:
        for name in chosen:
            check_export(folder / name, overwrite=overwrite)
    tree = run if isinstance(run, xr.DataTree) else read_run(run)
    material = gather_material(
        read_result(tree),
        atlas=None if atlas is None else Path(atlas),
        surface_atlas=None if surface_atlas is None else Path(surface_atlas),
        view=view,
        radius=radius,
        with_participants=with_participants,
    )
    if "figures" in chosen and not isinstance(run, xr.DataTree):
        more = read_response_drawings(Path(run), with_participants=with_participants)
        material = replace(material, drawings=(*material.drawings, *more))
    reasons = {name: FORMATS[name].why_not(material) for name in chosen}
    left_out = {name: reason for name, reason in reasons.items() if reason}
    if asked and left_out:
        raise DataContractError("export", [f"format '{n}': {r}" for n, r in left_out.items()])
    applies = [name for name in chosen if name not in left_out]
    for name in applies:
        check_export(folder / name, overwrite=overwrite)
    files = {}
    for name in applies:
        write = partial(FORMATS[name].write, material)
        files[name] = write_export(folder / name, name, write)
    return Exported(files, left_out)


def choose_formats(formats: Sequence[str]) -> tuple[str, ...]:
    """Check names of formats.

    Parameters
    ----------
    formats : sequence of str
        Names, or "all".

    Returns
    -------
    tuple of str
        Each once, in the order of the documentation.

    Raises
    ------
    SpecError
        If there is none, or one is unknown.
    """
    unknown = [f for f in formats if f != ALL and f not in FORMATS]
    if isinstance(formats, str) or unknown or not formats:
        raise SpecError(
            f"formats must be a list of names from {', '.join([*FORMATS, ALL])}; got {formats!r}."
        )
    return tuple(FORMATS) if ALL in formats else tuple(n for n in FORMATS if n in formats)


def gather_material(
    result: Result,
    *,
    atlas: Path | None = None,
    surface_atlas: Path | None = None,
    view: str | None = None,
    radius: float = 5.0,
    with_participants: bool = False,
) -> Material:
    """Gather what the writers of all formats need.

    Parameters
    ----------
    result : Result
        A fit.
    atlas, surface_atlas : Path, optional
        Label image, and surface atlas.
    view : str, optional
        View to export.
    radius : float, default 5.0
        Of spheres, in mm.
    with_participants : bool, default False
        Whether to gather the scores of participants.

    Returns
    -------
    Material
        With all result tables.

    Raises
    ------
    DataContractError
        If the fit lacks a group or variable, or there is no such view.
    """
    family = family_of(result.kind)
    table = family.table(result, RULES)
    sig = gather_maps(result, table)
    draws = _map_draws(result, sig)
    if view is not None:
        of_view = select_view(sig, view)  # raises where there is no such view
        if draws is not None:
            draws = draws.isel({FEATURE: np.flatnonzero(sig["view"].values.astype(str) == view)})
        sig = of_view
    tables = {"factors": used_factors(table)}
    tables |= {
        name: found
        for name, found in (
            ("arms", family.arm_totals(result, RULES.ci_prob)),
            *family.links(result, RULES.ci_prob).items(),
        )
        if len(found)
    }
    tables |= tabulate_strongest(sig, draws)
    if with_participants:
        tables["scores"] = tabulate_scores(result, [str(f) for f in sig[FACTOR].values])
    return Material(
        sig=sig,
        draws=draws,
        n_participants=result.posterior.sizes[SUBJECT],
        model=result.kind,
        tables=tables,
        drawings=family.figures(result, table, sig, with_participants),
        atlas=atlas,
        surface_atlas=surface_atlas,
        radius=radius,
    )


def tabulate_scores(result: Result, factors: Sequence[str]) -> pd.DataFrame:
    """Summarise the scores of the participants of a fit.

    Parameters
    ----------
    result : Result
        A fit.
    factors : sequence of str
        Factors to keep.

    Returns
    -------
    DataFrame
        One row per participant and factor: ``participant_id``, ``arm``, ``factor``, ``mean``,
        ``sd``, ``lower`` and ``upper``, the ends of the equal-tailed interval. Scores of the factor
        model are relative to the mean over arms of each draw, because a constant that is common to
        all participants is known from the prior alone.

    Raises
    ------
    DataContractError
        If the fit stores no scores.
    """
    people, names = result.posterior[SUBJECT].values.astype(str), [str(f) for f in factors]
    values = family_of(result.kind).scores(result, names)
    tail = (1 - RULES.ci_prob) / 2
    low, high = np.quantile(values, [tail, 1 - tail], axis=0)
    of = pd.Series(result.constant[ARM].values.astype(str), result.constant[SUBJECT].values)
    index = pd.MultiIndex.from_product([people, names], names=["participant_id", FACTOR])
    columns = {
        "mean": values.mean(axis=0).ravel(),
        "sd": values.std(axis=0, ddof=1).ravel(),
        "lower": low.ravel(),
        "upper": high.ravel(),
    }
    table = pd.DataFrame(columns, index=index).reset_index()
    table.insert(1, ARM, of.reindex(table["participant_id"]).to_numpy())
    return table


def _map_draws(result: Result, sig: xr.Dataset) -> xr.DataArray | None:
    """Draws of the maps in the order of the signatures, where the fit stores them."""
    draws = result.loading_draws
    return None if draws is None else draws.sel({FACTOR: sig[FACTOR].values})
