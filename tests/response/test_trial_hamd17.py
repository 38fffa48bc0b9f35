"""A real trial without scans: the drug effect over visits beside a mixed model for repeated visits.

The table is that of `docs/recipes/trial_hamd17.py`; nothing of it is stored here.
"""

from __future__ import annotations

import runpy

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.optimize import minimize

import bayes_mdd as bm


def repeated_measures(table: pd.DataFrame, sessions: list[str]) -> tuple[float, float]:
    """Effect at the last visit and its SE: REML, unstructured covariance, effects by visit."""
    y = table[sessions].to_numpy(dtype=float)
    seen = ~np.isnan(y)
    x = np.column_stack([np.ones(len(y)), table["before"], table["drug"]]).astype(float)
    t, q = y.shape[1], x.shape[1]
    groups = [np.flatnonzero((seen == pattern).all(axis=1)) for pattern in np.unique(seen, axis=0)]
    lower = np.tril_indices(t)

    def equations(point: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        root = np.zeros((t, t))
        root[lower] = point
        covariance, gram, cross = root @ root.T, np.zeros((t * q, t * q)), np.zeros(t * q)
        constant = 0.0
        for rows in groups:
            o = np.flatnonzero(seen[rows[0]])
            if not o.size:
                continue
            inverse = np.linalg.inv(covariance[np.ix_(o, o)])
            weight = np.zeros((t, t))
            weight[np.ix_(o, o)] = inverse
            known = np.nan_to_num(y[rows])
            gram += np.kron(weight, x[rows].T @ x[rows])
            cross += (weight @ known.T @ x[rows]).ravel()
            constant += np.einsum("iv,vw,iw->", known, weight, known)
            constant -= rows.size * np.linalg.slogdet(inverse)[1]
        return gram, cross, constant

    def deviance(point: np.ndarray) -> float:
        gram, cross, constant = equations(point)
        best = np.linalg.solve(gram, cross)
        return float(constant - best @ cross + np.linalg.slogdet(gram)[1])

    start = np.linalg.cholesky(30.0 * (np.eye(t) + 1) / 2)[lower]
    found = minimize(deviance, start, method="L-BFGS-B")
    gram, cross, _ = equations(found.x)
    return float(np.linalg.solve(gram, cross)[-1]), float(np.sqrt(np.linalg.inv(gram)[-1, -1]))


def test_the_drug_effect_is_that_of_a_mixed_model(shared_data, repository, tmp_path) -> None:
    source = shared_data("trial_hamd17") / "rbmi_antidepressant_hamd17.csv"
    recipe = runpy.run_path(str(repository / "docs" / "recipes" / "trial_hamd17.py"))
    cohort = recipe["convert"](source, tmp_path / "trial")
    outcomes = bm.read_outcomes(
        cohort, scale="hamd17", endpoint="ses-week6", baseline="ses-baseline"
    )
    visits = bm.read_visits(cohort, scale="hamd17")
    # A drug against placebo: the prior of two drugs would be too narrow.
    spec = bm.response_spec(outcomes, drug_scale=5.0, site_effects=False)
    names = np.array(outcomes.index, dtype=object)
    none = xr.Dataset(
        {
            "mean": (("subject", "factor"), np.zeros((len(names), 0))),
            "covariance": (("subject", "factor", "factor_2"), np.zeros((len(names), 0, 0))),
        },
        coords={"subject": names, "factor": np.zeros(0, object), "factor_2": np.zeros(0, object)},
    )
    fitted = bm.fit_response(spec, none, outcomes, visits, method="fast")
    drug = fitted["posterior"]["drug"].values
    sessions = [f"ses-week{w}" for w in (1, 2, 4, 6)]
    wide = visits.set_index(["participant_id", "session_id"])["value"].unstack()  # noqa: PD010
    wide = wide.loc[list(outcomes.index)].assign(
        before=outcomes["hamd17_baseline"], drug=outcomes["arm"] == "DRUG"
    )
    estimate, error = repeated_measures(wide, sessions)
    assert error == pytest.approx(1.1, abs=0.1)
    assert drug.mean() == pytest.approx(estimate, abs=0.2)
    assert drug.std() == pytest.approx(error, abs=0.15)
    assert fitted["observed_data"].sizes["subject"] == 172
    table = bm.missing_sensitivity(spec, none, outcomes, visits)
    assert table["average_benefit"].iloc[0] == pytest.approx(-estimate, abs=0.2)
    points = bm.tipping_points(table).set_index(["result", "arms"])
    share = outcomes.loc[outcomes["arm"] == "DRUG", "hamd17"].isna().mean()
    at = points.loc[("average effect", "other"), "tipping"]
    assert at == pytest.approx(-estimate / share, abs=1.0)
