"""A run as the writers of all export formats see it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, FACTOR, FEATURE, SUBJECT
from bayes_mdd.errors import DataContractError
from bayes_mdd.features import select_view
from bayes_mdd.results.exports.material import Material
from bayes_mdd.results.exports.strongest import tabulate_strongest
from bayes_mdd.results.exports.summary_run import SummaryRun
from bayes_mdd.results.groups import say_withheld
from bayes_mdd.results.maps import gather_maps
from bayes_mdd.results.population import count_by_arm
from bayes_mdd.results.privacy import list_participants, withhold_content
from bayes_mdd.results.result import Result
from bayes_mdd.results.rules import RULES
from bayes_mdd.results.used import used_factors
from bayes_mdd.workflow.families import family_of


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
    used = used_factors(table)
    if not with_participants:
        # The verdict of a factor that one participant dominates names this participant.
        used["verdict"] = withhold_content(list(used["verdict"]), list_participants(result))
    tables = {"factors": used}
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
    summary = None
    if family.summary is not None:
        summary = SummaryRun(result=result, why_not=family.why_no_summary, summarise=family.summary)
    return Material(
        sig=sig,
        draws=draws,
        n_participants=sum(count_by_arm(result).values()),
        model=result.kind,
        tables=tables,
        drawings=family.figures(result, table, sig, with_participants),
        atlas=atlas,
        surface_atlas=surface_atlas,
        radius=radius,
        summary=summary,
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
    if result.shared:
        raise DataContractError("shared run", [say_withheld("scores")])
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
