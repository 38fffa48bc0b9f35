"""How close estimated loadings come to the truth; nothing of size feature x feature is made."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.optimize import linear_sum_assignment

#: Rules for turning an estimate into sets of shared and specific factors: a factor counts when
#: it explains more than `active` of some arm's variance; it is an arm's own when that arm has at
#: least `own` of what it explains in all arms together. Each tool is judged by its best rule.
ACTIVE = (0.0, 0.005, 0.01, 0.02)
OWN = (0.65, 0.75, 0.85, 0.9, 0.95)
MEASURES = ("rv_shared", "rv_specific", "congruence_shared", "congruence_specific")


@dataclass(frozen=True, eq=False)
class Estimate:
    """`loadings` (feature, factor) and `scores` (subject, factor) in any scale, and for each
    factor what it explains of each arm's variance, `explained` (arm, factor)."""

    loadings: np.ndarray
    scores: np.ndarray
    explained: np.ndarray
    seconds: float


def rv(a: np.ndarray, b: np.ndarray) -> float:
    """RV coefficient of a a' and b b', from factor x factor products alone.

    >>> rv(np.eye(4)[:, :2], np.eye(4)[:, 1:3])
    0.5
    """
    if not (a.size and b.size and a.any() and b.any()):
        return 0.0
    size = np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)
    return float(np.linalg.norm(a.T @ b) ** 2 / size)


def congruence(truth: np.ndarray, found: np.ndarray) -> float:
    """Mean Tucker congruence of the true factors with their best one-to-one matches.

    A true factor without a match counts 0.

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
    """Loadings of shared factors and of each arm's own, for scores of mean square 1 there."""
    explained = estimate.explained
    # What mofapy2 reports can be below 0.
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
    """All measures; those of specific loadings are means over arms."""
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
    """All measures under every rule, by the rule's name."""
    found = {}
    for active, own in product(ACTIVE, OWN):
        parts = split(estimate, arm, active=active, own=own)
        found[f"active>{active:g},own>={own:g}"] = judge(*parts, truth)
    return found
