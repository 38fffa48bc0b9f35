"""Everyone whom a rule is evaluated on: the fitted patients, and those without an outcome."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, FACTOR, FACTOR_2, SITE, SUBJECT
from bayes_mdd.response.column_checks import PROPENSITY, STRATUM
from bayes_mdd.response.design import build_design
from bayes_mdd.response.join import number_strata
from bayes_mdd.response.outcome_values import as_numbers
from bayes_mdd.response.prepare import Prepared
from bayes_mdd.response.scores import COVARIANCE, MEAN
from bayes_mdd.response.splits import Roster
from bayes_mdd.types import Array


def gather_roster(
    prepared: Prepared, scores: xr.Dataset, outcomes: pd.DataFrame
) -> tuple[Roster, int]:
    """Add the patients without an outcome to the fitted ones.

    Parameters
    ----------
    prepared : Prepared
        The fitted patients.
    scores : Dataset
        Moments of the scores of all patients.
    outcomes : DataFrame
        The table of outcomes.

    Returns
    -------
    roster : Roster
        Patients with an outcome first.
    left_out : int
        Number of patients without an outcome who are left out, because baseline, a covariate or
        the stratum is not known either.
    """
    lacking, left_out = _without_outcome(prepared, scores, outcomes)
    table = pd.concat([prepared.table, lacking]) if len(lacking) else prepared.table
    ids = table.index.astype(str)
    at = pd.Index(scores[SUBJECT].values.astype(str)).get_indexer(ids)
    names = list(prepared.factors)
    own = scores.sel({FACTOR: names, FACTOR_2: names})
    mean, covariance = prepared.standardise(
        own[MEAN].transpose(SUBJECT, FACTOR).values[at],
        own[COVARIANCE].transpose(SUBJECT, FACTOR, FACTOR_2).values[at],
    )
    outcome = prepared.sign * as_numbers(table[prepared.spec.outcome]).to_numpy(dtype=float)
    other = (table[ARM].astype(str) == prepared.other_arm).to_numpy()
    design = build_design(table, prepared.codings)[0]
    of_site = prepared.spec.site_effects and any(c.name == SITE for c in prepared.codings)
    stratum = number_strata(table, SITE if of_site else None)
    trial = replace(
        prepared.trial,
        outcome=outcome,
        other=other,
        mean=mean,
        covariance=covariance,
        design=design,
    )
    roster = Roster(tuple(ids), trial, stratum, None)
    return replace(roster, propensity=_propensity(prepared, roster, table)), left_out


def _without_outcome(
    prepared: Prepared, scores: xr.Dataset, outcomes: pd.DataFrame
) -> tuple[pd.DataFrame, int]:
    """Rows of the patients whose outcome is missing, and number of those left out."""
    spec = prepared.spec
    table = outcomes.set_axis([str(i) for i in outcomes.index], axis=0)
    scored = table.index.isin(scores[SUBJECT].values.astype(str))
    arm = table[ARM].astype(str).isin([spec.default_arm, prepared.other_arm])
    missing = as_numbers(table[spec.outcome]).isna()
    table = table[scored & arm & missing & ~table.index.isin(prepared.subjects)]
    needed = [c.name for c in prepared.codings]
    needed += [c for c in (STRATUM, PROPENSITY) if c in prepared.table]
    complete = np.ones(len(table), dtype=bool)
    for name in needed:
        values = as_numbers(table[name])
        table = table.assign(**{name: values})
        complete &= values.notna().to_numpy()
        if pd.api.types.is_numeric_dtype(prepared.table[name]):
            number = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float)
            complete &= np.isfinite(number)
            if name == PROPENSITY:
                complete &= (number > 0) & (number < 1)
    kept = table[complete]
    for name in needed:
        if pd.api.types.is_numeric_dtype(prepared.table[name]):
            kept = kept.assign(**{name: kept[name].astype(float)})
    return kept, int((~complete).sum())


def _propensity(prepared: Prepared, roster: Roster, table: pd.DataFrame) -> Array | None:
    """Known probability of the other drug; None for observational arms without a column of it."""
    if PROPENSITY in prepared.table:
        return table[PROPENSITY].to_numpy(dtype=float)
    if prepared.spec.assignment == "observational":
        return None
    other, stratum = roster.trial.other, roster.stratum
    share = np.bincount(stratum, other) / np.bincount(stratum)
    # A stratum in which all received one drug has the allocation of the trial.
    share = np.where((share > 0) & (share < 1), share, other.mean())
    return np.asarray(share[stratum])
