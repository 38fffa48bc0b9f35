"""Tables of a fit of treatment response."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import CHAIN, DRAW, FACTOR
from bayes_mdd.response.fit import MODERATION, PROGNOSIS
from bayes_mdd.results.rules import RULES


def summarise_response(response: xr.DataTree, *, ci_prob: float = RULES.ci_prob) -> pd.DataFrame:
    """Summarise prognosis and moderation of each factor.

    Prognosis is who gets better whatever is given; it is no reason to choose a drug. Moderation is
    how the difference between the drugs changes with the factor.

    Parameters
    ----------
    response : DataTree
        From `fit_response`.
    ci_prob : float, default 0.9
        Probability of the equal-tailed intervals.

    Returns
    -------
    DataFrame
        Indexed by factor: ``prognosis``, ``prognosis_lower``, ``prognosis_upper`` and
        ``p_prognosis``, change of the outcome per SD of the score on either drug and the
        probability of its more probable sign (draws in which the factor does not moderate have
        none); ``moderation`` and so on, change of the outcome on the other drug
        relative to the default per SD of the score. In points of the outcome. ``inclusion``: of
        fast fits, the probability that the factor moderates.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> trial = bm.simulate_trial(seed=1, n=60)
    >>> spec = bm.ResponseSpec(outcome="hamd17", default_arm="SSRI", assignment="randomised")
    >>> fitted = bm.fit_response(spec, trial.scores, trial.outcomes, method="fast")
    >>> len(bm.summarise_response(fitted))
    5
    """
    posterior = response["posterior"].to_dataset()
    tails = [(1 - ci_prob) / 2, (1 + ci_prob) / 2]
    columns: dict[str, np.ndarray] = {}
    for name in (PROGNOSIS, MODERATION):
        draws = posterior[name]
        values = draws.transpose(CHAIN, DRAW, FACTOR).values
        lower, upper = np.quantile(values, tails, axis=(0, 1))
        above, below = ((d > 0).mean((CHAIN, DRAW)).values for d in (draws, -draws))
        columns |= {
            name: draws.mean((CHAIN, DRAW)).values,
            f"{name}_lower": lower,
            f"{name}_upper": upper,
            f"p_{name}": np.maximum(above, below),
        }
    if "inclusion" in posterior:
        columns["inclusion"] = posterior["inclusion"].values
    index = pd.Index(posterior[FACTOR].values.astype(str), name=FACTOR)
    return pd.DataFrame(columns, index=index)
