"""Which factors moderate, and where the drugs are equally good."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import CHAIN, DRAW, FACTOR, SUBJECT
from bayes_mdd.response.fit import DRUG, MODERATION

#: Probability of one direction from which a factor is named.
CLEAR = 0.95
#: Quantiles of the scores between which a crossing counts.
CENTRAL = (0.05, 0.95)


def describe_moderators(response: xr.DataTree) -> pd.DataFrame:
    """Find the factors that moderate, and the scores at which the drugs are equally good.

    Parameters
    ----------
    response : DataTree
        From `fit_response`.

    Returns
    -------
    DataFrame
        Indexed by factor, the largest moderation first: ``moderation`` per SD of the score,
        ``probability`` of its direction, ``named``, whether this is at least 0.95; ``crossing``,
        the score at which the expected benefit of a patient with average other scores is 0, and
        ``crossover``, whether it lies within the central 90% of the scores.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> trial = bm.simulate_trial(seed=1, n=200, n_factors=3, benefit_sd=0.9)
    >>> spec = bm.ResponseSpec(outcome="hamd17", default_arm="SSRI", assignment="randomised")
    >>> fitted = bm.fit_response(spec, trial.scores, trial.outcomes, method="fast")
    >>> table = describe_moderators(fitted)
    >>> table.index[0], bool(table["crossover"].iloc[0])
    ('F1', True)
    """
    posterior = response["posterior"].to_dataset()
    draws = posterior[MODERATION]
    slope = draws.mean((CHAIN, DRAW)).values
    above, below = ((d > 0).mean((CHAIN, DRAW)).values for d in (draws, -draws))
    probability = np.maximum(above, below)
    drug = float(posterior[DRUG].mean())
    crossing = np.divide(-drug, slope, out=np.full(slope.shape, np.nan), where=slope != 0)
    scores = response["constant_data"]["score_mean"].transpose(SUBJECT, FACTOR).values
    low, high = np.quantile(scores, CENTRAL, axis=0)
    table = pd.DataFrame(
        {
            "moderation": slope,
            "probability": probability,
            "named": probability >= CLEAR,
            "crossing": crossing,
            "crossover": (crossing >= low) & (crossing <= high),
        },
        index=pd.Index(posterior[FACTOR].values.astype(str), name=FACTOR),
    )
    return table.iloc[np.argsort(-np.abs(slope), kind="stable")]
