"""The smallest factor that a cohort could have shown, for every kind of fit."""

from __future__ import annotations

import numpy as np

from bayes_mdd.dims import ARM, FEATURE
from bayes_mdd.results.result import Result
from bayes_mdd.shared_specific.checks.detectable import EDGE_WISE, smallest_trait

#: By how much the search asks for more than the detection limit of noise that is known.
MARGIN = 1.5


def detection_limits_by_factor(result: Result) -> dict[str, float]:
    r"""Give the share of variance with which a factor is found in one half of cohorts.

    Parameters
    ----------
    result : Result
        A fit of the factor model.

    Returns
    -------
    dict of str to float
        By "shared" and each arm ("specific to it"). From `smallest_trait` for edge-wise patterns
        where edges were whitened; otherwise from the limit of spiked matrices for equal noise,
        :math:`s = 1.5 / \sqrt{n P}`, with P the effective number of features.
    """
    table = smallest_trait(result)
    arms = list(result.arms)
    names = ["shared", *(arms if len(arms) > 1 else [])]
    if table is not None:
        rows = table[table["pattern"] == EDGE_WISE].set_index("factor")["explained"]
        keys = ["shared", *(f"{a}-specific" for a in names[1:])]
        return {n: float(rows[k]) for n, k in zip(names, keys, strict=True)}
    weight = float(result.constant.get("feature_weight", 1.0))
    features = weight * result.loadings.sizes[FEATURE]
    arm = result.constant[ARM].values.astype(str)
    counts = [arm.size, *((arm == a).sum() for a in names[1:])]
    ratio = [MARGIN / np.sqrt(n * features) for n in counts]
    return {n: float(r / (1 + r)) for n, r in zip(names, ratio, strict=True)}
