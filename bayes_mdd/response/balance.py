"""Whether arms look as if they had been randomised as declared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu, norm

from bayes_mdd.types import Array, BoolArray

#: Largest p values at which a warning is given.
P_PREDICTED, P_ALLOCATION = 1e-3, 1e-4


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
