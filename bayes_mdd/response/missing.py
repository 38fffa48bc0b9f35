"""What missing outcomes could change: a grid of deltas, and the points at which results tip."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, FACTOR, MISSING, SUBJECT
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.parallel.blas import one_blas_thread
from bayes_mdd.response.missing_scenarios import list_scenarios, read_reasons
from bayes_mdd.response.missing_study import Study
from bayes_mdd.response.mixture import MOST_FACTORS
from bayes_mdd.response.scores import score_moments
from bayes_mdd.response.visits import VisitData, prepare_visits
from bayes_mdd.specs.response import ResponseSpec, check_deltas
from bayes_mdd.streams import Stream, generator
from bayes_mdd.types import IntArray

#: Deltas of scales that are known, in points, and of others, in SD of the outcome.
DELTAS: Final = {"hamd17": (0.0, 2.0, 4.0, 6.0)}
DELTAS_SD: Final = (0.0, 0.3, 0.6, 0.9)
#: Share of patients without an outcome from which on the analysis is part of a report.
LEAST_SHARE: Final = 0.05
_COLUMNS: Final = (
    "delta", "arms", "reasons", "shifted", "average_benefit", "average_lower", "average_upper",
    "gain", "gain_lower", "gain_upper", "share_changed",
)  # fmt: skip


@one_blas_thread()
def missing_sensitivity(
    spec: ResponseSpec,
    scores: xr.DataTree | xr.Dataset | pd.DataFrame,
    outcomes: pd.DataFrame,
    visits: pd.DataFrame | None = None,
    deltas: tuple[float, ...] | list[float] | None = None,
    *,
    seed: int = 1,
) -> pd.DataFrame:
    """Assess how results depend on what the missing outcomes are.

    Missing outcomes are first taken as missing at random given arm, baseline, covariates, scores
    and earlier visits. Then those of one or both arms are assumed to be worse by `deltas`, for all
    reasons and for some. Fits are those of the fast method; each patient is predicted by a fit that
    did not see this patient.

    Parameters
    ----------
    spec : ResponseSpec
        The model, with an outcome in points.
    scores : DataTree, Dataset or DataFrame
        What `score_moments` accepts.
    outcomes : DataFrame
        As for `fit_response`; a column ``missing_reason`` is used where it exists.
    visits : DataFrame, optional
        As for `fit_response`. Without them, nothing is known of patients without an outcome but
        arm, baseline, covariates and scores.
    deltas : sequence of float, optional
        Points by which missing outcomes are worse. Default: those of the spec.
    seed : int, default 1
        The same seed gives the same folds.

    Returns
    -------
    DataFrame
        ``delta``; ``arms``, whose missing outcomes are worse ("both", "other", "default");
        ``reasons`` ("all", and "all but remission", "lack of efficacy" where this makes a
        difference); ``shifted``, the number of patients; ``average_benefit`` of the other drug
        with its 90% interval (``average_lower``, ``average_upper``); ``gain`` of the learned rule
        over the default with its 90% interval; ``share_changed``, the share of patients with
        another recommendation than at delta 0. In points, above 0 in favour of the other drug.
        `tipping_points` reads from its attributes where results change.

    Raises
    ------
    DataContractError
        If nothing is missing, or a table cannot be used.
    SpecError
        If deltas are out of range, or the outcome is not in points.

    See Also
    --------
    tipping_points : Smallest delta that changes the sign of a result, or a recommendation.

    References
    ----------
    .. [1] Carpenter, J. R., Roger, J. H. & Kenward, M. G. (2013). Analysis of longitudinal trials
       with protocol deviation: a framework for relevant, accessible assumptions, and inference via
       multiple imputation. Journal of Biopharmaceutical Statistics, 23, 1352-1371.
    .. [2] Cro, S., Morris, T. P., Kenward, M. G. & Carpenter, J. R. (2020). Sensitivity analysis
       for clinical trials with missing continuous outcome data using controlled multiple
       imputation: a practical guide. Statistics in Medicine, 39, 2815-2842.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> trial = bm.simulate_trial(seed=1, n=80, n_factors=1, missing="not random")
    >>> spec = bm.ResponseSpec(outcome="hamd17", default_arm="SSRI", assignment="randomised")
    >>> table = bm.missing_sensitivity(spec, trial.scores, trial.outcomes, trial.visits)
    >>> sorted(set(table["arms"])), sorted(set(table["delta"]))
    (['both', 'default', 'other'], [0.0, 2.0, 4.0, 6.0])
    """
    given = None if deltas is None else check_deltas(deltas)
    if spec.kind not in ("gaussian", "student"):
        raise SpecError(
            f"missing_sensitivity: deltas are points of the outcome, and it is {spec.kind}."
        )
    # Heavy tails have no closed form; estimates are those of the fast method throughout.
    plain = replace(spec, kind="gaussian")
    seen = None if spec.missing == "complete" else visits
    data = prepare_visits(plain, score_moments(scores), outcomes, seen, everyone=True)
    gone = data.gone
    if not gone.any():
        raise DataContractError(
            "missing outcomes",
            [
                f"nothing missing: all {gone.size} patients with scores have the outcome "
                f"'{spec.outcome}', so there is nothing to vary."
            ],
        )
    if len(data.prepared.factors) > MOST_FACTORS:
        raise SpecError(
            f"missing_sensitivity supports at most {MOST_FACTORS} factors, got "
            f"{len(data.prepared.factors)}."
        )
    used = np.array(given or spec.deltas or _default_deltas(data))
    reasons = read_reasons(data.prepared.table, gone)
    study = Study.of(data, used, generator(seed, Stream.MISSING))
    scenarios = list_scenarios(gone, data.prepared.trial.other, reasons)
    parts = [study.vary(scenario) for scenario in scenarios]
    table = pd.concat([p.table for p in parts], ignore_index=True)[list(_COLUMNS)]
    people = {"participant_id": list(data.prepared.subjects)}
    people |= {f"tipping_{p.scenario.arms}": p.changed.tolist() for p in parts if p.people}
    if any(p.people for p in parts):
        people["recommendation"] = _name_choices(spec, data, parts[0].choice)
    table.attrs = {
        "patients": int(gone.size),
        "missing": int(gone.sum()),
        "without_visits": int(np.isnan(data.values).all(axis=1).sum()),
        "reach": float(study.grid[-1]),
        "tipping": [row for p in parts for row in p.tipping],
        "people": people,
        "arms": {"other": data.prepared.other_arm, "default": spec.default_arm},
    }
    return table


def assess_missing(
    spec: ResponseSpec,
    scores: xr.Dataset,
    outcomes: pd.DataFrame,
    visits: pd.DataFrame | None,
    *,
    seed: int,
) -> tuple[pd.DataFrame | None, str]:
    """Run the sensitivity analysis where enough outcomes are missing.

    Parameters
    ----------
    spec : ResponseSpec
        The model.
    scores : Dataset
        From `score_moments`.
    outcomes : DataFrame
        As for `fit_response`.
    visits : DataFrame or None
        As for `fit_response`.
    seed : int
        Of the folds.

    Returns
    -------
    table : DataFrame or None
        From `missing_sensitivity`.
    why : str
        Why there is none; empty if there is one.
    """
    arm = outcomes[ARM].astype(object).where(outcomes[ARM].notna(), MISSING).astype(str)
    scored = set(scores[SUBJECT].values.astype(str))
    here = ~arm.isin([MISSING, ""]) & np.array([str(i) in scored for i in outcomes.index])
    missing = outcomes[spec.outcome].isna()
    needed = [c for c in (spec.baseline, *spec.covariates) if c is not None and c in outcomes]
    usable = here & ~outcomes[needed].isin([MISSING, ""]).any(axis=1)
    usable &= outcomes[needed].notna().all(axis=1)
    gone = int((usable & missing).sum())
    if not gone and (here & missing).any():
        return None, (
            f"{int((here & missing).sum())} of {int(here.sum())} patients have no outcome, and "
            "none of them has baseline and covariates, so they enter no analysis"
        )
    share = gone / max(int(usable.sum()), 1)
    if share < LEAST_SHARE:
        return None, (
            f"{gone} of {int(usable.sum())} patients have no outcome; what they could change is "
            f"shown from {100 * LEAST_SHARE:.0f}% on"
        )
    if spec.kind not in ("gaussian", "student"):
        return None, f"missing outcomes are varied in points, and the outcome is {spec.kind}"
    if scores.sizes[FACTOR] > MOST_FACTORS:
        return None, f"missing outcomes are varied with at most {MOST_FACTORS} factors"
    return missing_sensitivity(spec, scores, outcomes, visits, seed=seed), ""


def tipping_points(table: pd.DataFrame, *, patients: bool = False) -> pd.DataFrame:
    """Read where results change.

    Parameters
    ----------
    table : DataFrame
        From `missing_sensitivity`.
    patients : bool, default False
        Whether to list the patients rather than the results of the trial.

    Returns
    -------
    DataFrame
        One row per result ("average effect", "gain"), arms and reasons: ``tipping``, the smallest
        delta at which it changes sign (NaN where there is none), and the same in words, ``said``.
        Or, indexed by participant, the ``recommendation`` at delta 0, and the delta at which it
        changes if the missing outcomes of both arms, the other or the default arm are worse
        (``tipping_both``, ``tipping_other``, ``tipping_default``); NaN where it does not.

    Raises
    ------
    DataContractError
        If the table has lost its attributes.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> trial = bm.simulate_trial(seed=1, n=80, n_factors=1, missing="not random")
    >>> spec = bm.ResponseSpec(outcome="hamd17", default_arm="SSRI", assignment="randomised")
    >>> table = bm.missing_sensitivity(spec, trial.scores, trial.outcomes, trial.visits)
    >>> list(bm.tipping_points(table).columns)
    ['result', 'arms', 'reasons', 'tipping', 'said']
    """
    if "tipping" not in table.attrs:
        raise DataContractError(
            "tipping_points",
            ["the table holds no tipping points: pass the result of missing_sensitivity itself."],
        )
    if patients:
        return pd.DataFrame(table.attrs["people"]).set_index("participant_id")
    return pd.DataFrame(table.attrs["tipping"])


def _default_deltas(data: VisitData) -> tuple[float, ...]:
    """Points of a known scale, or shares of the residual SD in two digits."""
    name = data.prepared.spec.outcome.lower().replace("-", "").replace("_", "")
    for scale, points in DELTAS.items():
        if scale in name:
            return points
    unit = data.prepared.trial.residual_sd()
    return tuple(float(f"{d * unit:.2g}") for d in DELTAS_SD)


def _name_choices(spec: ResponseSpec, data: VisitData, choice: IntArray) -> list[str]:
    names = np.array([spec.default_arm, "no preference", data.prepared.other_arm], dtype=object)
    return [str(n) for n in names[choice + 1]]
