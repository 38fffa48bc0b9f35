"""Negative controls: analyses in which nothing may be found, because nothing can be there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import binom
from scipy.stats import f as f_distribution

from bayes_mdd.errors import SpecError
from bayes_mdd.parallel.blas import one_blas_thread
from bayes_mdd.response.mixture import MOST_FACTORS, fit_mixture
from bayes_mdd.response.prepare import Prepared, prepare
from bayes_mdd.response.randomisation import randomisation_test, redraw_arms
from bayes_mdd.response.scores import score_moments
from bayes_mdd.response.trial import Trial
from bayes_mdd.results.checks import Check, tabulate_checks
from bayes_mdd.specs.response import ResponseSpec
from bayes_mdd.streams import Stream, generator
from bayes_mdd.types import Array, BoolArray

#: Level of each test, and the probability that a sound control fails by chance.
LEVEL, BY_CHANCE = 0.05, 0.001
#: Smallest p value of a test of the baseline.
BASELINE_P = 0.001
#: Draws of the arms in each randomisation test.
PERMUTATIONS = 99
#: Probability of moderation from which a factor of pure noise counts as found.
SURE = 0.9
#: Noise factors that are tried.
NOISE_FACTORS = 20


@one_blas_thread()
def negative_controls(
    spec: ResponseSpec,
    scores: xr.DataTree | xr.Dataset | pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    repeats: int = 100,
    seed: int = 1,
) -> pd.DataFrame:
    """Repeat the analysis where nothing can be found, and count what is found.

    Parameters
    ----------
    spec : ResponseSpec
        The model.
    scores : DataTree, Dataset or DataFrame
        What `score_moments` accepts.
    outcomes : DataFrame
        As for `fit_response`.
    repeats : int, default 100
        Repetitions of each control, at least 20.
    seed : int, default 1
        The same seed gives the same numbers.

    Returns
    -------
    DataFrame
        One row per control, as `diagnose` returns checks: arms drawn again, outcomes permuted
        within arms, scores of other patients, a factor of noise added, and the baseline in place of
        the outcome. The first three count tests with p <= 0.05; a sound analysis fails each row
        with a probability of about 0.001.

    Raises
    ------
    DataContractError
        If scores or outcomes cannot be used.
    SpecError
        If there is no factor, there are too many, or too few repetitions.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> trial = bm.simulate_trial(seed=1, n=60)
    >>> spec = bm.ResponseSpec(outcome="hamd17", default_arm="SSRI", assignment="randomised")
    >>> table = bm.negative_controls(spec, trial.scores, trial.outcomes, repeats=20)
    >>> bool(table["passed"].all())
    True
    """
    if repeats < 20:
        raise SpecError(f"repeats must be at least 20, got {repeats}.")
    prepared = prepare(spec, score_moments(scores), outcomes)
    if not 1 <= len(prepared.factors) <= MOST_FACTORS:
        raise SpecError(
            f"Negative controls need 1 to {MOST_FACTORS} factors, got {len(prepared.factors)}."
        )
    rng = generator(seed, Stream.CONTROLS)
    checks = [
        _count("moderation with arms drawn again", _redrawn(prepared, repeats, rng)),
        _count("prognosis with outcomes permuted within arms", _permuted(prepared, repeats, rng)),
        _count("moderation by scores of other patients", _shuffled(prepared, repeats, rng)),
    ]
    if len(prepared.factors) < MOST_FACTORS:
        checks.append(_noise_factor(prepared, rng))
    return tabulate_checks([*checks, *_baseline(prepared, rng)])


def _count(name: str, p_values: Array) -> Check:
    """Judge how often p <= 0.05 where nothing is there."""
    limit = int(binom.isf(BY_CHANCE, p_values.size, LEVEL))
    found = int((p_values <= LEVEL).sum())
    passed = found <= limit
    advice = (
        "Found too often where nothing is there: check that strata and sites of the randomisation "
        "are declared, and do not interpret the test."
    )
    return Check(
        f"{name}: p <= 0.05", float(found), f"<= {limit} of {p_values.size}", passed,
        "" if passed else advice,
    )  # fmt: skip


def _moderation_p(trial: Trial, prepared: Prepared, rng: np.random.Generator) -> float:
    test = randomisation_test(trial, rng, n_permutations=PERMUTATIONS, stratum=prepared.stratum)
    return test.p_value


def _redrawn(prepared: Prepared, repeats: int, rng: np.random.Generator) -> Array:
    trial = prepared.trial
    arms = redraw_arms(trial.other, prepared.stratum, rng, repeats)
    return np.array([_moderation_p(replace(trial, other=a), prepared, rng) for a in arms])


def _shuffled(prepared: Prepared, repeats: int, rng: np.random.Generator) -> Array:
    trial = prepared.trial
    found = []
    for _ in range(repeats):
        order = rng.permutation(trial.other.size)
        other = replace(trial, mean=trial.mean[order], covariance=trial.covariance[order])
        found.append(_moderation_p(other, prepared, rng))
    return np.array(found)


def _permuted(prepared: Prepared, repeats: int, rng: np.random.Generator) -> Array:
    trial = prepared.trial
    return np.array(
        [
            prognosis_p(replace(trial, outcome=_within_arms(trial.outcome, trial.other, rng)))
            for _ in range(repeats)
        ]
    )


def _within_arms(values: Array, other: BoolArray, rng: np.random.Generator) -> Array:
    mixed = values.copy()
    for arm in (False, True):
        rows = np.flatnonzero(other == arm)
        mixed[rows] = values[rng.permutation(rows)]
    return mixed


def prognosis_p(trial: Trial) -> float:
    """P value of the F test that no factor predicts the outcome on either drug.

    Patients are weighted by the noise of their arm.

    Parameters
    ----------
    trial : Trial
        Outcomes, arms and scores.

    Returns
    -------
    float
        NaN without degrees of freedom.
    """
    small = np.column_stack([trial.design, trial.code])
    large = np.column_stack([small, trial.mean])
    free = len(trial.outcome) - int(np.linalg.matrix_rank(large))
    added = int(np.linalg.matrix_rank(large)) - int(np.linalg.matrix_rank(small))
    if free < 1 or added < 1:
        return float("nan")
    around = trial.outcome - small @ np.linalg.lstsq(small, trial.outcome, rcond=None)[0]
    noise = np.where(trial.other, around[trial.other].std(), around[~trial.other].std())
    weight = 1 / np.maximum(noise, 1e-12)
    left, kept = (_residual(x * weight[:, None], trial.outcome * weight) for x in (small, large))
    return float(f_distribution.sf((left - kept) / added / (kept / free), added, free))


def _residual(columns: Array, values: Array) -> float:
    left = values - columns @ np.linalg.lstsq(columns, values, rcond=None)[0]
    return float(left @ left)


def _noise_factor(prepared: Prepared, rng: np.random.Generator) -> Check:
    """Add a factor of pure noise: it must not be said to moderate."""
    trial = prepared.trial
    n, k = trial.mean.shape
    covariance = np.zeros((n, k + 1, k + 1))
    covariance[:, :k, :k] = trial.covariance
    found = []
    for _ in range(NOISE_FACTORS):
        mean = np.column_stack([trial.mean, rng.standard_normal(n)])
        mixture = fit_mixture(replace(trial, mean=mean, covariance=covariance), prepared.scales)
        found.append(mixture.inclusion[-1])
    limit = int(binom.isf(BY_CHANCE, NOISE_FACTORS, LEVEL))
    sure = int((np.array(found) > SURE).sum())
    return Check(
        f"factors of noise that moderate with P > {SURE}",
        float(sure),
        f"<= {limit} of {NOISE_FACTORS}",
        sure <= limit,
        "" if sure <= limit else "Noise is taken for moderation: lower response.moderation_scale.",
    )


def _baseline(prepared: Prepared, rng: np.random.Generator) -> list[Check]:
    """Put the baseline in place of the outcome: no drug can have moved it."""
    spec = prepared.spec
    name = spec.baseline
    if name is None or not pd.api.types.is_numeric_dtype(prepared.table[name]):
        return []
    trial, values = prepared.trial, prepared.table[name].to_numpy(dtype=float)
    # The column of the baseline is the first after the intercept.
    design = np.delete(trial.design, 1, axis=1)
    before = replace(
        trial,
        outcome=values - values.mean(),
        design=design,
        design_sd=np.delete(trial.design_sd, 1),
    )
    test = randomisation_test(before, rng, n_permutations=999, stratum=prepared.stratum)
    small = design
    large = np.column_stack([small, trial.code])
    free = len(values) - int(np.linalg.matrix_rank(large))
    left, kept = (_residual(x, before.outcome) for x in (small, large))
    p_arm = float(f_distribution.sf((left - kept) / (kept / free), 1, free))
    advice = (
        "The baseline, which no drug can have changed, differs between the arms"
        "{}: the arms were not comparable before treatment (broken randomisation, or scores that "
        "know the arm). Do not interpret effects of the drugs."
    )
    return [
        Check(
            "p of the arms at baseline", p_arm, f"> {BASELINE_P}", p_arm > BASELINE_P,
            "" if p_arm > BASELINE_P else advice.format(""),
        ),
        Check(
            "p of moderation of the baseline", test.p_value, f"> {BASELINE_P}",
            test.p_value > BASELINE_P,
            "" if test.p_value > BASELINE_P else advice.format(" along the factors"),
        ),
    ]  # fmt: skip
