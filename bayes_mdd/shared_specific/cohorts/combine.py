"""One posterior of shared and specific patterns from the summaries of several cohorts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr

from bayes_mdd import __version__
from bayes_mdd.dims import ARM, CHAIN, DRAW, FACTOR
from bayes_mdd.errors import SpecError
from bayes_mdd.results.rules import RULES
from bayes_mdd.shared_specific.cohorts.align import LEAST_ALIKE, align_cohorts
from bayes_mdd.shared_specific.cohorts.alone import group_cohorts
from bayes_mdd.shared_specific.cohorts.combined import (
    COHORT,
    KIND_COMBINED,
    Combined,
    arm_explained,
    arm_shares,
)
from bayes_mdd.shared_specific.cohorts.common_features import select_features
from bayes_mdd.shared_specific.cohorts.comparable import (
    check_comparable,
    common_symptoms,
)
from bayes_mdd.shared_specific.cohorts.estimates import CohortEstimates
from bayes_mdd.shared_specific.cohorts.hierarchy import (
    predict_new,
    sample_sizes,
)
from bayes_mdd.shared_specific.cohorts.maps import group_loadings, group_symptoms
from bayes_mdd.shared_specific.cohorts.size_tables import Sizes
from bayes_mdd.shared_specific.cohorts.summary_file import name_cohorts, read_summary
from bayes_mdd.shared_specific.cohorts.units import common_units
from bayes_mdd.streams import Stream, generator
from bayes_mdd.types import Array

#: Scale of the half-normal priors of the SDs of log variances between cohorts.
HETEROGENEITY: Final = 0.15


def combine_cohorts(
    summaries: Mapping[str, xr.Dataset | str | Path] | Sequence[str | Path],
    *,
    least: float = LEAST_ALIKE,
    heterogeneity: float = HETEROGENEITY,
    seed: int = 1,
) -> xr.DataTree:
    """Combine fits of several cohorts whose data may not be pooled.

    Every cohort is fitted at its own site; only its summary (``bayes-mdd export RUN --format
    summary``), which holds no data of participants, is needed here. Factors are matched by their
    maps. Patterns are then estimated over cohorts, with the differences between cohorts estimated
    along.

    Parameters
    ----------
    summaries : mapping of str to Dataset or path, or sequence of path
        Summaries by name of the cohort: what the export wrote, as a folder, a file
        ``summary.nc``, or a Dataset. Without a mapping, names follow from the folders.
    least : float, default 0.5
        Smallest absolute correlation of two maps, corrected for their errors, that is called a
        match.
    heterogeneity : float, default 0.15
        Scale of the half-normal priors of the SDs between cohorts of log variances. Those of
        loadings and symptom weights are scaled with it. 0: cohorts do not differ, as a fit to
        pooled data assumes.
    seed : int, default 1
        Random seed.

    Returns
    -------
    DataTree
        ``posterior`` (chain, draw): ``sharing``, ``explained`` (arm, factor), the same in a new
        cohort (``new_sharing``, ``new_explained``), SDs between cohorts (``size_sd``,
        ``sharing_sd``), ``present`` (cohort, factor) and ``prevalence`` (factor); ``loadings``:
        ``mean``, ``sd``, ``lower``, ``upper``, ``p_positive`` of the loadings, the same by arm
        (``arm_mean``, ``arm_lower``, ``arm_upper``), draws, and ``between``, SD between cohorts
        relative to the loadings; ``cohorts``: what each cohort alone says; ``symptoms``, where two
        or more cohorts have a symptom dimension. Factors are called P1, P2, ...

    Raises
    ------
    DataContractError
        If the cohorts cannot be combined; every problem is listed.
    SpecError
        If an option is out of range.

    See Also
    --------
    bayes_mdd.summarise_combined : Labels and numbers as a table.
    bayes_mdd.match_cohorts : Factors of runs, matched but not combined.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> paths = {"Lyon": "lyon/export/summary", "Utrecht": "utrecht/export/summary"}
    >>> combined = bm.combine_cohorts(paths)  # doctest: +SKIP
    >>> bm.summarise_combined(combined)[["factor", "label", "cohorts"]]  # doctest: +SKIP
    """
    if not 0 < least <= 1:
        raise SpecError(f"least must be above 0 and at most 1, got {least:g}.")
    if not 0 <= heterogeneity <= 2:
        raise SpecError(f"heterogeneity must be between 0 and 2, got {heterogeneity:g}.")
    if seed < 0:
        raise SpecError(f"seed must be at least 0, got {seed}.")
    read = _read(summaries)
    common = check_comparable(read)
    chosen = {n: select_features(s, common) for n, s in read.items()}
    symptoms = common_symptoms(chosen)
    estimates, unit = common_units(chosen, symptoms)
    first = next(iter(chosen.values()))
    aligned = align_cohorts(estimates, least=least)
    spec = json.loads(first.attrs["spec"])
    sizes = _sizes(aligned.cohorts, float(spec.get("sharing_concentration", 0.6)))
    draws = sample_sizes(sizes, generator(seed, Stream.COMBINE_SIZES), scale=heterogeneity)
    found = Combined(
        aligned=aligned,
        sizes=sizes,
        draws=draws,
        names=list(chosen),
        arms=[str(a) for a in first[ARM].values],
        patterns=[f"P{p + 1}" for p in range(aligned.position.shape[1])],
        noise=_mean_noise(aligned.cohorts),
    )
    relative = heterogeneity / HETEROGENEITY
    share = float(np.mean([float(s.attrs["effective_share"]) for s in chosen.values()]))
    rng = generator(seed, Stream.COMBINE_MAPS)
    groups = {
        "posterior": _posterior(found, generator(seed, Stream.COMBINE_NEW)),
        "loadings": group_loadings(found, first, unit, share, relative, rng),
        "cohorts": group_cohorts(found, chosen, generator(seed, Stream.COMBINE_ALONE)),
    }
    if symptoms:
        groups["symptoms"] = group_symptoms(found, symptoms, relative, rng)
    tree = xr.DataTree.from_dict(groups)
    tree.attrs = _attributes(first, found, share) | {
        "settings": json.dumps({"least": least, "heterogeneity": heterogeneity, "seed": seed})
    }
    return tree


def _read(
    summaries: Mapping[str, xr.Dataset | str | Path] | Sequence[str | Path],
) -> dict[str, xr.Dataset]:
    given = summaries if isinstance(summaries, Mapping) else name_cohorts(summaries)
    return {str(n): s if isinstance(s, xr.Dataset) else read_summary(s) for n, s in given.items()}


def _sizes(cohorts: Sequence[CohortEstimates], concentration: float) -> Sizes:
    def stack(name: str) -> Array:
        return np.stack([getattr(c, name) for c in cohorts])

    return Sizes(
        found=np.stack([c.found for c in cohorts]),
        observed=stack("observed"),
        dof=stack("dof"),
        error=stack("error"),
        noise=np.array([c.noise for c in cohorts]),
        limit=stack("limit"),
        concentration=concentration,
    )


def _mean_noise(cohorts: Sequence[CohortEstimates]) -> float:
    n = np.array([c.n.sum() for c in cohorts])
    return float(np.average([c.noise for c in cohorts], weights=n))


def _posterior(found: Combined, rng: np.random.Generator) -> xr.Dataset:
    draws = found.draws
    new = predict_new(draws, rng)
    by_arm = (CHAIN, DRAW, ARM, FACTOR)
    values = {
        "sharing": (by_arm, arm_shares(draws.log_variance)),
        "explained": (by_arm, arm_explained(draws.log_variance, draws.prevalence, found.noise)),
        "new_sharing": (by_arm, arm_shares(new)),
        "new_explained": (by_arm, arm_explained(new, draws.prevalence, found.noise)),
        "size_sd": ((CHAIN, DRAW), draws.size_sd),
        "sharing_sd": ((CHAIN, DRAW), draws.sharing_sd),
        "present": ((CHAIN, DRAW, COHORT, FACTOR), draws.present),
        "prevalence": ((CHAIN, DRAW, FACTOR), draws.prevalence),
    }
    chains, n = draws.size_sd.shape
    return xr.Dataset(
        values,
        coords={
            CHAIN: np.arange(chains),
            DRAW: np.arange(n),
            ARM: found.arms,
            FACTOR: found.patterns,
            COHORT: found.names,
        },
    )


def _attributes(first: xr.Dataset, found: Combined, share: float) -> dict[str, Any]:
    kept = ("estimand", "units", "reference", "reference_covariates", "facts", "spec")
    return {
        "model": KIND_COMBINED,
        "version": __version__,
        **{k: first.attrs[k] for k in kept if k in first.attrs},
        "ci_prob": RULES.ci_prob,
        "effective_share": share,
        "cohorts": json.dumps(found.names),
    }
