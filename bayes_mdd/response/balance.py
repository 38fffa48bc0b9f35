"""How comparable the arms are, and whether they look randomised as declared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu, norm

from bayes_mdd.dims import ARM, MISSING
from bayes_mdd.specs.response import ResponseSpec
from bayes_mdd.types import Array, BoolArray

#: Largest p values at which a warning is given.
P_PREDICTED, P_ALLOCATION = 1e-3, 1e-4
#: Columns that are described where the table has them, beside baseline and covariates.
DESCRIBED = ("age", "sex", "site", "mean_fd")
#: Most levels of a text column that are described one by one.
MOST_LEVELS = 12


def describe_imbalance(
    other: BoolArray, columns: pd.DataFrame, propensity: Array | None
) -> Sequence[str]:
    """Say where arms do not look randomised.

    Parameters
    ----------
    other : ndarray of bool, shape (subject,)
        Whether the other drug was received.
    columns : DataFrame
        Baseline, numeric covariates and scores.
    propensity : ndarray of shape (subject,), optional
        Declared probability of the other drug.

    Returns
    -------
    list of str
        One sentence for each finding. Columns are compared between arms by a rank test, with
        p values multiplied by the number of columns.
    """
    found = []
    varying = propensity is not None and np.unique(propensity).size > 1
    for name in [] if varying else columns:
        values = columns[name].to_numpy(dtype=float)
        test = mannwhitneyu(values[other], values[~other])
        p = min(float(test.pvalue) * columns.shape[1], 1.0)
        if p < P_PREDICTED:
            auc = float(test.statistic) / (other.sum() * (~other).sum())
            found.append(
                f"'{name}' differs between the arms (AUC {auc:.2f}, p = {p:.1g}) although they are "
                "declared as randomised."
            )
    if propensity is not None:
        z = (other.sum() - propensity.sum()) / np.sqrt((propensity * (1 - propensity)).sum())
        if (p := 2 * float(norm.sf(abs(z)))) < P_ALLOCATION:
            found.append(
                f"{int(other.sum())} of {other.size} patients received the other drug, but "
                f"{propensity.sum():.0f} are expected from the declared probabilities "
                f"(p = {p:.1g})."
            )
    return found


def tabulate_balance(spec: ResponseSpec, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Describe the arms before treatment.

    Parameters
    ----------
    spec : ResponseSpec
        Names of baseline and covariates; the default arm comes first.
    outcomes : DataFrame
        All patients, indexed by participant, with ``arm``.

    Returns
    -------
    DataFrame
        One row per number, and per level of a text: ``column``, ``level``; for each arm,
        ``default`` and ``other``, the mean with its SD (``default_sd``) or the share in percent,
        and the number of patients with a value (``default_n``); ``difference``, other minus
        default, in SD. There are no p values: in a randomised trial every difference is due to
        chance.
    """
    arms = outcomes[ARM].astype(object).where(outcomes[ARM].notna(), MISSING).astype(str)
    other = next((a for a in sorted(set(arms)) if a not in (spec.default_arm, MISSING)), "")
    parts = [outcomes[arms == name] for name in (spec.default_arm, other)]
    wanted = dict.fromkeys([*([spec.baseline] if spec.baseline else []), *spec.covariates])
    names = [c for c in {**wanted, **dict.fromkeys(DESCRIBED)} if c in outcomes]
    rows: list[dict[str, object]] = []
    for name in names:
        if pd.api.types.is_numeric_dtype(outcomes[name]):
            rows.append({"column": name, "level": "", **_compare_numbers(parts, name)})
        else:
            rows += [{"column": name, **row} for row in _compare_levels(parts, name)]
    columns = ["column", "level", "default", "default_sd", "default_n", "other", "other_sd",
               "other_n", "difference"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _compare_numbers(parts: Sequence[pd.DataFrame], name: str) -> dict[str, float]:
    values = [p[name].dropna().to_numpy(dtype=float) for p in parts]
    mean = [float(v.mean()) if v.size else float("nan") for v in values]
    sd = [float(v.std(ddof=1)) if v.size > 1 else float("nan") for v in values]
    pooled = float(np.sqrt((sd[0] ** 2 + sd[1] ** 2) / 2))
    return {
        "default": mean[0], "default_sd": sd[0], "default_n": values[0].size,
        "other": mean[1], "other_sd": sd[1], "other_n": values[1].size,
        "difference": (mean[1] - mean[0]) / pooled if pooled > 0 else float("nan"),
    }  # fmt: skip


def _compare_levels(parts: Sequence[pd.DataFrame], name: str) -> list[dict[str, object]]:
    known = [p[name].dropna().astype(str) for p in parts]
    known = [k[~k.isin([MISSING, ""])] for k in known]
    levels = sorted(set().union(*known))
    if len(levels) > MOST_LEVELS:
        return []
    rows: list[dict[str, object]] = []
    for level in levels if len(levels) != 2 else levels[:1]:
        share = [float((k == level).mean()) if len(k) else float("nan") for k in known]
        spread = float(np.sqrt(sum(s * (1 - s) for s in share) / 2))
        rows.append(
            {
                "level": level,
                "default": 100 * share[0], "default_n": len(known[0]),
                "other": 100 * share[1], "other_n": len(known[1]),
                "difference": (share[1] - share[0]) / spread if spread > 0 else float("nan"),
            }
        )  # fmt: skip
    return rows
