"""What the arms would show if who had which drug were chance."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from joblib import Parallel, delayed

from bayes_mdd.dims import ARM, CONTROL, SITE, SUBJECT
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.results.checks import Check
from bayes_mdd.shared_specific.refit import Refit, refit_with_arms, stored_spec
from bayes_mdd.specs import SamplerSpec

#: Short chains: a permutation asks for one probability a factor, not for intervals.
REFIT = SamplerSpec(draws=400, tune=400, chains=2, cores=1)


def permute_arms(
    idata: xr.DataTree,
    *,
    permutations: int = 20,
    seed: int = 1,
    sampler: SamplerSpec = REFIT,
    specific_below: float = 0.10,
    min_explained: float = 0.01,
    n_jobs: int = -1,
) -> pd.DataFrame:
    """Refit a run with shuffled arm labels, for the null of its largest specificity.

    Labels are shuffled among the people of a site; controls keep theirs. The statistic is the
    largest probability, over active factors, that a factor is specific to some arm. The run
    itself is refitted in the same way (row 0), so that like is compared with like. Symptoms take
    no part.

    Parameters
    ----------
    idata : DataTree
        From `fit`, with two arms or more and learned sharing.
    permutations : int, default 20
        Number of shuffles; the smallest p-value is ``1 / (permutations + 1)``.
    seed : int, default 1
        Of the shuffles and the chains.
    sampler : SamplerSpec, optional
        Chains of each refit; default 2 of 400 + 400 draws.
    specific_below : float, default 0.10
        As for `classify_factors`.
    min_explained : float, default 0.01
        As for `classify_factors`.
    n_jobs : int, default -1
        Refits at once (joblib), all cores by default.

    Returns
    -------
    DataFrame
        ``permutation`` (0: the labels as they are), ``max_p_specific`` and ``arm``, the arm of
        that factor. ``attrs["p_value"]``: share of rows with a statistic as large as row 0's.

    Raises
    ------
    DataContractError
        If the run has one arm only, or nothing was found in it.
    SpecError
        If sharing is fixed by the spec, or `permutations` is below 1.

    References
    ----------
    .. [1] Phipson, B. & Smyth, G. K. (2010). Permutation p-values should never be zero.
       Statistical Applications in Genetics and Molecular Biology, 9, 39.
    """
    if permutations < 1:
        raise SpecError(f"permutations must be at least 1, got {permutations}.")
    if stored_spec(idata).sharing is not None:
        raise SpecError("sharing is fixed by the spec of this run: there is nothing to permute.")
    posterior = idata["posterior"].to_dataset()
    arms = [str(a) for a in posterior[ARM].values]
    if len(arms) < 2:
        raise DataContractError("run", [f"it has one arm ({arms[0]}): nothing to permute."])
    if not posterior["block_scale"].any():
        raise DataContractError("run", ["no factor was found in it: nothing to permute."])
    rng = np.random.default_rng(seed)
    own = _labels(idata, arms)
    strata = _strata(idata, arms)
    labels = [own, *(_shuffle(own, strata, rng) for _ in range(permutations))]
    seeds = rng.integers(2**31 - 1, size=len(labels))
    refits = Parallel(n_jobs=n_jobs)(
        delayed(refit_with_arms)(idata, arm, _seeded(sampler, int(s)))
        for arm, s in zip(labels, seeds, strict=True)
    )
    rows = [_most_specific(r, arms, specific_below, min_explained) for r in refits]
    table = pd.DataFrame(rows, columns=["max_p_specific", "arm"])
    table.insert(0, "permutation", np.arange(len(rows)))
    statistic = table["max_p_specific"].to_numpy()
    table.attrs["p_value"] = float((statistic >= statistic[0]).mean())
    return table


def judge_permutations(table: pd.DataFrame, factors: pd.DataFrame, *, alpha: float = 0.05) -> Check:
    """Say whether the specific factors of a run could be chance.

    Parameters
    ----------
    table : DataFrame
        From `permute_arms`.
    factors : DataFrame
        From `classify_factors`.
    alpha : float, default 0.05
        Largest p-value with which a specific factor is believed.

    Returns
    -------
    Check
        Not judged (``passed`` None) where no factor is called specific.
    """
    p = float(table.attrs["p_value"])
    claimed = factors.loc[factors["label"].str.endswith("-specific"), "factor"].tolist()
    count = len(table) - 1
    advice = "No factor is called specific: the permutations have nothing to test."
    if claimed:
        advice = (
            f"{', '.join(claimed)} may be chance: shuffled labels give factors as specific. "
            "Do not report them as specific."
        )
        if count + 1 < 1 / alpha:
            advice = f"{count} permutations cannot reach {alpha:g}: ask for more."
    return Check(
        f"p of the largest P(specific), {count} permutations of arms",
        p,
        f"<= {alpha:g}",
        (p <= alpha) if claimed else None,
        advice,
    )


def _seeded(sampler: SamplerSpec, seed: int) -> SamplerSpec:
    return SamplerSpec(**(sampler.to_mapping() | {"seed": seed}))


def _labels(idata: xr.DataTree, arms: list[str]) -> np.ndarray:
    own = idata["constant_data"].to_dataset()[ARM].values.astype(str)
    return np.array([arms.index(a) for a in own])


def _strata(idata: xr.DataTree, arms: list[str]) -> np.ndarray:
    """Name the group of each person within which labels may change places."""
    constant = idata["constant_data"].to_dataset()
    own = constant[ARM].values.astype(str)
    site = (
        constant[SITE].values.astype(str)
        if SITE in constant.coords
        else np.full(constant.sizes[SUBJECT], "")
    )
    return np.where(own == CONTROL, "controls", np.char.add("site ", site))


def _shuffle(own: np.ndarray, strata: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    shuffled = own.copy()
    for group in np.unique(strata):
        members = np.flatnonzero(strata == group)
        shuffled[members] = own[rng.permutation(members)]
    return shuffled


def _most_specific(
    refit: Refit, arms: list[str], specific_below: float, min_explained: float
) -> tuple[float, str]:
    """Largest P(specific) over active factors and arms; 0 where no factor is active."""
    takes_part = refit.sharing >= specific_below
    alone = takes_part & (takes_part.sum(axis=1, keepdims=True) == 1)
    chance = alone.mean(axis=0)
    active = (refit.explained.max(axis=1) > min_explained).mean(axis=0) > 0.5
    chance = np.where(active, chance, 0.0)
    a, k = np.unravel_index(int(chance.argmax()), chance.shape)
    return float(chance[a, k]), arms[int(a)] if chance[a, k] > 0 else "n/a"
