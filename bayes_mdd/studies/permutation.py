"""Permutation test of specific factors: refits with permuted arm labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_mdd.dims import ARM, CONTROL, SITE, SUBJECT
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.parallel.fan_out import fan_out
from bayes_mdd.parallel.keep import keep_results, part_files
from bayes_mdd.results.checks import Check
from bayes_mdd.results.result import Result, read_with_participants
from bayes_mdd.results.rules import RULES
from bayes_mdd.shared_specific.posterior.refit import Refit, refit_with_arms
from bayes_mdd.shared_specific.spec import spec_of
from bayes_mdd.specs import SamplerSpec
from bayes_mdd.streams import Stream, generator
from bayes_mdd.types import IntArray

#: Short chains: a permutation needs one probability per factor, no intervals.
REFIT = SamplerSpec(draws=400, tune=400, chains=2, cores=1)


def permute_arms(
    idata: xr.DataTree,
    *,
    permutations: int = 20,
    seed: int = 1,
    sampler: SamplerSpec = REFIT,
    specific_below: float = RULES.specific_below,
    min_explained: float = RULES.min_explained,
    n_jobs: int = -1,
    keep: str | Path | None = None,
) -> pd.DataFrame:
    """Refit a run with permuted arm labels, for the null of its largest P(specific).

    Labels are permuted among the subjects of a site; controls keep theirs. The statistic is the
    largest probability, over active factors, that a factor is specific to some arm. The run
    itself is refitted in the same way (row 0), so that both sides have the same chains. Symptoms
    are not refitted.

    Parameters
    ----------
    idata : DataTree
        From `fit`, with two arms or more and learned sharing.
    permutations : int, default 20
        Number of permutations; the smallest p-value is ``1 / (permutations + 1)``.
    seed : int, default 1
        Of the permutations and the chains.
    sampler : SamplerSpec, optional
        Chains of each refit; default 2 of 400 + 400 draws.
    specific_below : float, default 0.10
        As for `classify_factors`.
    min_explained : float, default 0.01
        As for `classify_factors`.
    n_jobs : int, default -1
        Refits at once (joblib); all cores by default.
    keep : str or Path, optional
        File or folder that the table will be written to. Each refit is kept in a hidden folder
        beside it until all are complete, so that the same call continues after a stop.

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
    result = read_with_participants(idata, "permutations of arms")
    if spec_of(result).sharing is not None:
        raise SpecError("sharing is fixed by the spec of this run: there is nothing to permute.")
    arms = list(result.arms)
    if len(arms) < 2:
        raise DataContractError("run", [f"it has one arm ({arms[0]}): nothing to permute."])
    if not result.posterior["block_scale"].any():
        raise DataContractError("run", ["no factor was found in it: nothing to permute."])
    rng = generator(seed, Stream.PERMUTATION)
    own = _labels(result)
    strata = _strata(result)
    labels = [own, *(_permute(own, strata, rng) for _ in range(permutations))]
    seeds = rng.integers(2**31 - 1, size=len(labels))
    tasks = [
        (idata, arm, replace(sampler, seed=int(s))) for arm, s in zip(labels, seeds, strict=True)
    ]
    key = {
        "study": "permute_arms",
        "run": {part: result.provenance.get(part) for part in ("model", "inputs_sha256")},
        "arguments": [permutations, seed, sampler.to_mapping()],
    }
    with keep_results(keep, key, noun="refits") as folder:
        files = part_files(folder, range(len(tasks)))
        refits = fan_out(refit_with_arms, tasks, n_jobs=n_jobs, files=files)
    rows = [_most_specific(r, arms, specific_below, min_explained) for r in refits]
    table = pd.DataFrame(rows, columns=["max_p_specific", "arm"])
    table.insert(0, "permutation", np.arange(len(rows)))
    statistic = table["max_p_specific"].to_numpy()
    table.attrs["p_value"] = float((statistic >= statistic[0]).mean())
    return table


def judge_permutations(table: pd.DataFrame, factors: pd.DataFrame, *, alpha: float = 0.05) -> Check:
    """Judge whether the specific factors of a run could be due to chance.

    Parameters
    ----------
    table : DataFrame
        From `permute_arms`.
    factors : DataFrame
        From `classify_factors`.
    alpha : float, default 0.05
        Significance level.

    Returns
    -------
    Check
        Not judged (``passed`` None) where no factor is called specific, or where so few
        permutations cannot reach `alpha`.
    """
    p = float(table.attrs["p_value"])
    claimed = factors.loc[factors["label"].str.endswith("-specific"), "factor"].tolist()
    count = len(table) - 1
    advice = "No factor is called specific, so there is nothing to test."
    if claimed:
        advice = (
            f"{', '.join(claimed)} may be due to chance: permuted labels give factors as specific. "
            "Do not report them as specific."
        )
    few = count + 1 < 1 / alpha
    if claimed and few:
        advice = f"{count} permutations cannot reach {alpha:g}: increase their number."
    return Check(
        f"p of the largest P(specific), {count} permutations of arms",
        p,
        f"<= {alpha:g}",
        (p <= alpha) if claimed and not few else None,
        advice,
    )


def _labels(result: Result) -> IntArray:
    own = result.constant[ARM].values.astype(str)
    return np.array([result.arms.index(a) for a in own])


def _strata(result: Result) -> NDArray[np.str_]:
    """Name the group of each subject within which labels may be exchanged."""
    constant = result.constant
    own = constant[ARM].values.astype(str)
    site = (
        constant[SITE].values.astype(str)
        if SITE in constant.coords
        else np.full(constant.sizes[SUBJECT], "")
    )
    return np.asarray(np.where(own == CONTROL, "controls", np.char.add("site ", site)))


def _permute(own: IntArray, strata: NDArray[np.str_], rng: np.random.Generator) -> IntArray:
    permuted = own.copy()
    for group in np.unique(strata):
        members = np.flatnonzero(strata == group)
        permuted[members] = own[rng.permutation(members)]
    return permuted


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
