"""One simulated trial of each study of treatment response, for `response.py`.

Trials are those of `simulate_trial`, as `prepare` arranges them, but drawn as arrays: a study needs
thousands of them, and tables of participants would take most of its time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import bayes_mdd as bm
from bayes_mdd.response.benefit import DecisionRule, draw_benefit
from bayes_mdd.response.held_out import Learner, cross_fit
from bayes_mdd.response.mixture import Scales, _components, fit_mixture
from bayes_mdd.response.policy_tests import ranking_p_value, sequential_z
from bayes_mdd.response.randomisation import randomisation_test
from bayes_mdd.response.splits import Division, Roster, divide, make_splits
from bayes_mdd.response.trial import Trial
from bayes_mdd.response.value import Gain
from bayes_mdd.response.verdict import judge_moderation
from bayes_mdd.simulate import _trial_draw as parts

POINTS = parts.POINTS
#: Draws of the posterior, and new patients of each trial.
DRAWS, NEW = 500, 300
#: Assignments drawn for the moderation test.
PERMUTATIONS = 199
RULES = {
    "no abstention": DecisionRule(minimum=0.0, p_star=0.5),
    "P > 0.8": DecisionRule(minimum=0.0, p_star=0.8),
    "P > 0.8, 1.5 points": DecisionRule(minimum=1.5, p_star=0.8),
}
#: The rule that gives each patient the better drug, for tests of its gain.
BETTER = DecisionRule(minimum=0.0, p_star=0.0)
LEARNER = Learner(scales=Scales(), minimum=0.0)
#: SD of the benefit that is too small to choose a drug by, in residual SD.
ROPE = 0.1
#: Reliability of scores that are almost without error; covariances of zero are a special case.
PERFECT = 0.999


@dataclass(frozen=True, eq=False)
class Drawn:
    """A trial, and the benefit of its patients in points."""

    trial: Trial
    benefit: np.ndarray
    #: What was subtracted from scores, and what they were divided by.
    centre: np.ndarray
    scale: np.ndarray


def draw(
    seed: int,
    n: int,
    *,
    benefit_sd: float = 0.0,
    drug_effect: float = 0.0,
    prognosis_r2: float = 0.2,
    reliability: float = 0.8,
    n_factors: int = 5,
    share_other: float = 0.5,
    noise_ratio: float = 1.0,
    moderation: dict[int, float] | None = None,
    model_seed: int | None = None,
    like: Drawn | None = None,
) -> Drawn:
    """Draw a trial of one site, with the numbers that `simulate_trial` draws for this seed.

    The signs of prognosis depend on the seed unless `model_seed` is given. Scores of a trial `like`
    another have the unit of that one.
    """
    k, reliability = n_factors, min(reliability, PERFECT)
    model = np.random.default_rng(seed if model_seed is None else model_seed)
    theta, beta = parts.draw_slopes(k, benefit_sd, prognosis_r2, (0,), moderation, model)
    rng = np.random.default_rng([23, seed])
    eta = rng.standard_normal((n, k))
    errors = parts.draw_errors(rng, n, k, reliability)
    before = rng.standard_normal(n)
    site = rng.integers(1, size=n)
    rng.standard_normal(2)  # effects of sites
    other, _ = parts.assign_arms(rng, share_other, np.zeros(n), site, False)
    difference, _ = parts.drug_difference(eta, theta, drug_effect, False, True)
    common = eta @ beta + parts.BASELINE_SLOPE * parts.BASELINE_SD / POINTS * before
    noise = parts.draw_noise(rng, n, False) * np.where(other, noise_ratio, 1.0)
    value = POINTS * (common + np.where(other, 0.5, -0.5) * difference + noise)
    mean, covariance = parts.score_posterior(eta, errors, None)
    within = np.diagonal(covariance, axis1=1, axis2=2).mean(axis=0)
    centre, scale = mean.mean(axis=0), np.sqrt(mean.var(axis=0, ddof=1) + within)
    if like is not None:
        centre, scale = like.centre, like.scale
    trial = Trial(
        outcome=value - value.mean(),
        other=other,
        mean=(mean - centre) / scale,
        covariance=covariance / (scale[:, None] * scale),
        design=np.column_stack([np.ones(n), (before - before.mean()) / before.std()]),
        design_sd=np.array([5.0, 1.0]),
    )
    return Drawn(trial, -POINTS * difference, centre, scale)


def benefits(seed: int, n: int, **given: Any) -> tuple[np.ndarray, np.ndarray]:
    """Learn from a trial, and predict new patients: draws (draw, patient), and their truth."""
    learned = draw(seed, n, **given)
    new = draw(seed + 10**6, NEW, model_seed=seed, like=learned, **given)
    rng = np.random.default_rng([5, seed])
    drawn = fit_mixture(learned.trial).draw(rng, DRAWS)
    moments = new.trial.mean, new.trial.covariance
    return draw_benefit(drawn.drug, drawn.moderation, *moments, rng), new.benefit


def covered(benefit: np.ndarray, truth: np.ndarray) -> float:
    """Share of patients whose 90% interval holds the truth."""
    low, high = np.quantile(benefit, [0.05, 0.95], axis=0)
    return float(((low <= truth) & (truth <= high)).mean())


def slope(seed: int, n: int, reliability: float) -> dict[str, Any]:
    """Slope per true SD of one factor under a wide prior."""
    trial = draw(seed, n, benefit_sd=0.4, reliability=reliability, n_factors=1).trial
    # What is checked is how score error is carried.
    mixture = fit_mixture(trial, Scales(moderation=20.0))
    theta = mixture.draw(np.random.default_rng([6, seed]), 2000).moderation[:, 0] / POINTS
    # Given that it moderates: a probability of no moderation would shrink the slope.
    theta = theta[np.abs(theta) > 0.02 / POINTS]
    low, high = np.quantile(theta, [0.05, 0.95])
    return {"estimate": float(theta.mean()), "inside": float(low <= 0.4 <= high)}


def gain(seed: int, n: int, g: float, reliability: float, delta: float) -> dict[str, Any]:
    """Gain of the learned rule for new patients, in residual SD."""
    benefit, truth = benefits(seed, n, benefit_sd=g, reliability=reliability, drug_effect=delta)
    row: dict[str, Any] = {"coverage": covered(benefit, truth)}
    mean, p = benefit.mean(axis=0), (benefit > 0).mean(axis=0)
    for name, rule in RULES.items():
        choice = np.where(mean > 0, 1, -1) if name == "no abstention" else rule.decide(mean, p)
        row[name] = {
            "gain": float(((choice == 1) * truth).mean() / POINTS),
            "decided": float((choice != 0).mean()),
            "wrong": int((choice * truth < 0).sum()),
            "stated": int((choice != 0).sum()),
        }
    return row


def assess(seed: int, trial: Trial) -> dict[str, Any]:
    """Moderation test and verdict, as `assess_moderation` obtains them."""
    rng = np.random.default_rng([8, seed])
    p = randomisation_test(trial, rng, n_permutations=PERMUTATIONS).p_value
    drawn = fit_mixture(trial).draw(rng, 2000).moderation
    above = float((trial.benefit_sd(drawn) > ROPE * trial.residual_sd()).mean())
    return {"moderation": p, "verdict": judge_moderation(p, above)}


def divided(trial: Trial, fold: np.ndarray, *, sequential: bool = False) -> list[Any]:
    """Splits of a trial with the known probability of the other drug."""
    n = len(trial.outcome)
    known = np.full(n, trial.other.mean())
    roster = Roster(tuple(map(str, range(n))), trial, np.zeros(n, dtype=np.int64), known)
    return make_splits([Division(roster, fold, sequential=sequential)])[0]


def null(seed: int, **change: Any) -> dict[str, Any]:
    """Moderation test, and sequential and naive z of the gain, of a trial without moderation."""
    trial = draw(seed, **change).trial
    rng = np.random.default_rng([9, seed])
    fold = divide(trial.other, 5, rng)
    sequential = sequential_z(divided(trial, fold, sequential=True), LEARNER, BETTER, rng)
    return {**assess(seed, trial), "sequential": sequential}


def ranking(seed: int, permutations: int, **change: Any) -> dict[str, Any]:
    """Randomisation p of the gain, and its naive z, of a trial without moderation."""
    trial = draw(seed, **change).trial
    rng = np.random.default_rng([10, seed])
    held = cross_fit(divided(trial, divide(trial.other, 5, rng)), LEARNER, rng)
    naive = Gain.of(held.choose(BETTER) * held.effect)
    fold = rng.permutation(trial.other.size) % 5
    p = ranking_p_value(
        divided(trial, fold),
        np.zeros(trial.other.size, dtype=np.int64),
        LEARNER,
        rng,
        n_permutations=permutations,
    )
    return {"randomisation": p, "naive": naive.value / naive.error if naive.error else 0.0}


def verdict(seed: int, n: int, g: float) -> dict[str, Any]:
    """Verdict on a trial with prognosis R² 0.2 and an SD of the benefit of g."""
    return assess(seed, draw(seed, n, benefit_sd=g, prognosis_r2=0.2).trial)


def prior(seed: int, n: int, reliability: float) -> dict[str, Any]:
    """Intervals and probabilities of new patients, with slopes drawn from the prior."""
    theta, delta = draw_prior(np.random.default_rng([7, seed]))
    given = {"moderation": theta, "reliability": reliability, "drug_effect": delta}
    benefit, truth = benefits(seed, n, **given)
    p = (benefit > 0).mean(axis=0)
    bins = np.minimum((p * 5).astype(int), 4)
    return {
        "coverage": covered(benefit, truth),
        "said": [float(p[bins == b].sum()) for b in range(5)],
        "true": [float((truth[bins == b] > 0).sum()) for b in range(5)],
        "number": [int((bins == b).sum()) for b in range(5)],
    }


def draw_prior(rng: np.random.Generator, k: int = 5) -> tuple[dict[int, float], float]:
    """Draw slopes and drug effect from the prior of the fast method."""
    pattern, size, log_prior = _components(k, 0.25)
    at = rng.choice(len(size), p=np.exp(log_prior) / np.exp(log_prior).sum())
    theta = rng.standard_normal(k) * size[at] * pattern[at]
    return dict(enumerate(theta.tolist())), float(0.15 * rng.standard_normal())


def power(seed: int, n: int, g: float, reliability: float, k: int) -> dict[str, Any]:
    """Moderation test of a trial with one moderator among k factors."""
    trial = draw(seed, n, benefit_sd=g, reliability=reliability, n_factors=k).trial
    rng = np.random.default_rng([8, seed])
    return {"p": randomisation_test(trial, rng, n_permutations=PERMUTATIONS).p_value}


def sampled(seed: int, n: int) -> dict[str, Any]:
    """Moderation by MCMC where there is none, prognosis is 0.5 and one arm 1.5 times as noisy."""
    trial = bm.simulate_trial(
        seed=seed,
        model_seed=seed,
        n=n,
        n_factors=1,
        benefit_sd=0.0,
        prognosis_r2=0.2,
        reliability=0.5,
        noise_ratio=1.5,
    )
    fitted = bm.fit_response(
        bm.ResponseSpec(
            outcome="hamd17",
            default_arm="SSRI",
            assignment="randomised",
            baseline="hamd17_baseline",
        ),
        trial.scores,
        trial.outcomes,
        sampler=bm.SamplerSpec(draws=500, tune=500, chains=2, cores=1, seed=seed),
        progressbar=False,
    )
    draws = fitted["posterior"]["moderation"].values.ravel() / POINTS
    low, high = np.quantile(draws, [0.05, 0.95])
    return {
        "estimate": float(draws.mean()),
        "inside": float(low <= 0 <= high),
        "divergences": int(fitted["sample_stats"]["diverging"].sum()),
    }
