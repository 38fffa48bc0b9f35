"""Similarity of estimated and true loadings, without matrices of size feature x feature."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.optimize import linear_sum_assignment

#: Rules that divide an estimate into shared and specific factors. A factor counts when it explains
#: more than `active` of some arm's variance. It is specific to an arm that holds at least `own` of
#: the variance it explains in all arms. Each tool is judged by the rule that is best for it.
ACTIVE = (0.0, 0.005, 0.01, 0.02)
OWN = (0.65, 0.75, 0.85, 0.9, 0.95)
MEASURES = ("rv_shared", "rv_specific", "congruence_shared", "congruence_specific")


@dataclass(frozen=True, eq=False)
class Estimate:
    """An estimate of either tool.

    `loadings` (feature, factor) and `scores` (subject, factor) are on any scale; `explained` (arm,
    factor) is the share of each arm's variance that a factor explains.
    """

    loadings: np.ndarray
    scores: np.ndarray
    explained: np.ndarray
    seconds: float


def rv(a: np.ndarray, b: np.ndarray) -> float:
    """Compute the RV coefficient of a a' and b b' from factor x factor products.

    >>> rv(np.eye(4)[:, :2], np.eye(4)[:, 1:3])
    0.5
    """
    if not (a.size and b.size and a.any() and b.any()):
        return 0.0
    size = np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)
    return float(np.linalg.norm(a.T @ b) ** 2 / size)


def congruence(truth: np.ndarray, found: np.ndarray) -> float:
    """Compute the mean Tucker congruence of true factors with their best one-to-one matches.

    A true factor without a match counts as 0.

    >>> congruence(np.eye(3)[:, :2], -np.eye(3)[:, [1]])
    0.5
    """
    if not found.size:
        return 0.0
    size = np.linalg.norm(truth, axis=0)[:, None] * np.linalg.norm(found, axis=0)
    cosine = np.abs(truth.T @ found) / np.maximum(size, 1e-300)
    rows, columns = linear_sum_assignment(cosine, maximize=True)
    return float(cosine[rows, columns].sum() / truth.shape[1])


def split(
    estimate: Estimate, arm: np.ndarray, *, active: float, own: float
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Divide loadings into shared and specific ones, for scores of mean square 1."""
    explained = estimate.explained
    # mofapy2 can report negative shares.
    explained = np.maximum(explained, 0.0)
    share = explained / np.maximum(explained.sum(axis=0), 1e-300)
    used = explained.max(axis=0) > active
    owner = np.where(share.max(axis=0) >= own, share.argmax(axis=0), -1)
    rms = np.stack([np.sqrt((estimate.scores[arm == a] ** 2).mean(axis=0)) for a in np.unique(arm)])
    overall = np.sqrt((estimate.scores**2).mean(axis=0))
    shared = estimate.loadings[:, used & (owner < 0)] * overall[used & (owner < 0)]
    specific = [
        estimate.loadings[:, used & (owner == a)] * rms[a, used & (owner == a)]
        for a in range(len(rms))
    ]
    return shared, specific


def judge(
    shared: np.ndarray, specific: list[np.ndarray], truth: tuple[np.ndarray, list[np.ndarray]]
) -> dict[str, float]:
    """Compute all measures; those of specific loadings are means over arms."""
    pairs = list(zip(truth[1], specific, strict=True))
    return {
        "rv_shared": rv(truth[0], shared),
        "rv_specific": float(np.mean([rv(t, f) for t, f in pairs])),
        "congruence_shared": congruence(truth[0], shared),
        "congruence_specific": float(np.mean([congruence(t, f) for t, f in pairs])),
    }


def judge_by_rules(
    estimate: Estimate, arm: np.ndarray, truth: tuple[np.ndarray, list[np.ndarray]]
) -> dict[str, dict[str, float]]:
    """Compute all measures under every rule, by the name of the rule."""
    found = {}
    for active, own in product(ACTIVE, OWN):
        parts = split(estimate, arm, active=active, own=own)
        found[f"active>{active:g},own>={own:g}"] = judge(*parts, truth)
    return found
