r"""Scores given loadings, loadings given scores: exact draws that change the span of the scores.

One sweep at given scales, with the design projected out of features over the subjects' noise
scales (:math:`\tilde Y`) and of scores (:math:`\tilde H`):

1. loadings :math:`\lambda_p \mid H`, symptom weights and arm means, each from its Gaussian
   conditional;
2. the scores of each subject given those, from a Gaussian, under the condition that their
   regression on the design stays as it is: the features do not inform it;
3. that regression, from its prior.

The cost of a sweep is that of two products of the features with a few columns, and grows with the
number of subjects, not with its square.

Where the features count as fewer, with weight :math:`w`, the joint density of scores and loadings
has the factor :math:`\prod_b |M_b|^{(1-w) P_b / 2}`. Step 2 then draws from the Gaussian whose
precision holds the slope of its log at a point that the loadings determine, and accepts the draw
with the probability of Metropolis and Hastings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayes_mdd.kernels import compiled
from bayes_mdd.shared_specific.posterior.subject_rows import Rows
from bayes_mdd.types import Array

#: Times that the slope of the weight's factor and the scores are computed in turn.
SLOPE_ROUNDS = 3


@dataclass(frozen=True, eq=False)
class Scales:
    """Parameters that a sweep conditions on.

    Parameters
    ----------
    tau : ndarray, shape (block, factor)
        Block scales.
    noise : ndarray, shape (block,)
        Residual SDs.
    sharing : ndarray, shape (factor, arm)
        Shares of arms.
    weight : ndarray, shape (factor, symptom)
        Symptom weights.
    symptom_noise : ndarray, shape (symptom,)
        Residual SDs of symptoms.
    """

    tau: Array
    noise: Array
    sharing: Array
    weight: Array
    symptom_noise: Array


@dataclass(frozen=True, eq=False)
class _Conditional:
    """Scores given loadings, symptom weights and arm means, before the condition on the design.

    `information` and `from_features` are precision and linear term of the features at noise scale
    1, `on_design` is the part of scores over noise scales that the design holds, and `linear`,
    `across`, `extra` and `rated` are those of the prior and of symptoms, see `solve_rows`.
    """

    information: Array
    from_features: Array
    on_design: Array
    linear: Array
    across: Array
    extra: Array
    rated: Array

    def solve(self, rows: Rows, slope: Array, normal: Array) -> tuple[Array, Array, Array]:
        shared = self.information - 2 * slope
        of_features = (self.from_features + self.on_design @ shared) / rows.scale[:, None]
        found: tuple[Array, Array, Array] = solve_rows(
            shared, 1.0 / rows.scale**2, 1.0 / self.across, rows.arm, self.extra, self.rated,
            self.linear + of_features, normal,
        )  # fmt: skip
        return found


def sweep(
    rows: Rows,
    scores: Array,
    scales: Scales,
    gram: Array,
    projected: Array,
    rng: np.random.Generator,
) -> tuple[Array, bool]:
    """Draw loadings given scores, then scores given loadings.

    Parameters
    ----------
    rows : Rows
        The data.
    scores : ndarray, shape (subject, factor)
        Present scores.
    scales : Scales
        Present parameters.
    gram : ndarray, shape (factor, factor)
        Cross-products of the scores as the features see them.
    projected : ndarray, shape (factor, feature)
        Products of these scores and the features.
    rng : numpy.random.Generator
        For the draws.

    Returns
    -------
    scores : ndarray, shape (subject, factor)
        The next scores.
    moved : bool
        Whether step 2 was accepted; always where the weight is 1.
    """
    fixed = rows.design.T @ (scores / rows.scale[:, None])
    given = _condition(rows, scores, scales, gram, projected, fixed, rng)
    slope = np.zeros(gram.shape)
    if rows.weight < 1.0:
        none = np.zeros(scores.shape)
        for _ in range(SLOPE_ROUNDS):
            mean, _, variance = given.solve(rows, slope, none)
            seen = rows.seen(mean)
            spread = (variance / rows.scale[:, None, None] ** 2).sum(axis=0)
            slope = _slope(rows, scales, seen.T @ seen + spread)
    _, drawn, variance = given.solve(rows, slope, rng.standard_normal(scores.shape))
    drawn = _keep_design(rows, drawn, variance, fixed)
    moved = True
    if rows.weight < 1.0:
        after, before = (_excess(rows, scales, slope, h) for h in (drawn, scores))
        moved = bool(np.log(rng.random()) < after - before)
    return _refresh_design(rows, drawn if moved else scores, given.across, rng), moved


def _condition(
    rows: Rows,
    scores: Array,
    scales: Scales,
    gram: Array,
    projected: Array,
    fixed: Array,
    rng: np.random.Generator,
) -> _Conditional:
    """Draw loadings, arm means and effects of the design on symptoms, given scores."""
    k = len(gram)
    loadings = _draw_loadings(rows, scales, gram, projected, rng)
    scaled = loadings * rows.weight / np.repeat(scales.noise**2, np.diff(rows.start))
    across = rows.n_arms * scales.sharing.T
    means = _draw_means(rows, scores, across, rng)
    linear = means[rows.arm] / across[rows.arm]
    extra, rated = np.zeros((len(rows.rated), k, k)), np.zeros((len(rows.rated), len(scores)))
    for s, symptom in enumerate(rows.rated):
        w, sd = scales.weight[:, s], scales.symptom_noise[s]
        left = symptom.value - scores[symptom.rows] @ w
        at = symptom.design.T @ left
        effect = symptom.design @ (at + sd * rng.standard_normal(at.size))
        linear[symptom.rows] += np.outer(symptom.value - effect, w) / sd**2
        extra[s], rated[s, symptom.rows] = np.outer(w, w) / sd**2, 1.0
    return _Conditional(
        scaled @ loadings.T, rows.y @ scaled.T, rows.design @ fixed, linear, across, extra, rated
    )


def _draw_loadings(
    rows: Rows, scales: Scales, gram: Array, projected: Array, rng: np.random.Generator
) -> Array:
    """Draw the loadings of all features, shape (factor, feature)."""
    k = len(gram)
    out = rng.standard_normal(projected.shape)
    for b, (low, high) in enumerate(zip(rows.start, rows.start[1:], strict=False)):
        d = scales.tau[b][:, None]
        inner = np.linalg.inv(np.eye(k) + d * gram * d.T)
        root = d * np.linalg.cholesky(inner) * (scales.noise[b] / np.sqrt(rows.weight))
        mean = (d * inner * d.T) @ projected[:, low:high]
        out[:, low:high] = mean + root @ out[:, low:high]
    return out


def _draw_means(rows: Rows, scores: Array, across: Array, rng: np.random.Generator) -> Array:
    """Arm means given scores, shape (arm, factor); 0 where their prior variance is 0."""
    variance = rows.priors.arm_mean.variance
    size = np.bincount(rows.arm, minlength=rows.n_arms)[:, None]
    mean = np.stack([scores[rows.arm == a].mean(axis=0) for a in range(rows.n_arms)])
    total = across + size * variance
    sd = np.sqrt(variance * across / total)
    return np.asarray(size * variance * mean / total + sd * rng.standard_normal(mean.shape))


@compiled
def solve_rows(shared, own, prior, arm, extra, rated, linear, normal):  # type: ignore[no-untyped-def]
    """Mean, draw and covariance of the scores of each subject from a Gaussian.

    Parameters
    ----------
    shared : ndarray, shape (factor, factor)
        Precision from the features at noise scale 1.
    own : ndarray, shape (subject,)
        Inverse squared noise scales.
    prior : ndarray, shape (arm, factor)
        Prior precisions.
    arm : ndarray of int, shape (subject,)
        Arm of each subject.
    extra : ndarray, shape (symptom, factor, factor)
        Precision from each symptom.
    rated : ndarray, shape (symptom, subject)
        1 for subjects with a score, else 0.
    linear, normal : ndarray, shape (subject, factor)
        Linear term of the log density, and standard normal numbers.

    Returns
    -------
    mean, draw : ndarray, shape (subject, factor)
        Mean and draw.
    variance : ndarray, shape (subject, factor, factor)
        Covariance.
    """
    n, k = linear.shape
    mean, draw, variance = np.empty((n, k)), np.empty((n, k)), np.empty((n, k, k))
    for i in range(n):
        precision = own[i] * shared
        for j in range(k):
            precision[j, j] += prior[arm[i], j]
        for s in range(extra.shape[0]):
            if rated[s, i] > 0:
                precision += extra[s]
        # With a precision L L', the covariance is R' R and a draw adds R' times normal numbers.
        root = np.linalg.inv(np.linalg.cholesky(precision))
        turned = np.ascontiguousarray(root.T)
        variance[i] = turned @ root
        mean[i] = variance[i] @ linear[i]
        draw[i] = mean[i] + turned @ normal[i]
    return mean, draw, variance


def _keep_design(rows: Rows, drawn: Array, variance: Array, fixed: Array) -> Array:
    """Condition draws of scores on their regression on the design."""
    q, k = fixed.shape
    excess = rows.design.T @ (drawn / rows.scale[:, None]) - fixed
    of_rows = variance / rows.scale[:, None, None]
    together = np.empty((q, k, q, k))
    for i in range(k):
        for j in range(i + 1):
            spread = of_rows[:, i, j] / rows.scale
            together[:, i, :, j] = (rows.design * spread[:, None]).T @ rows.design
            together[:, j, :, i] = together[:, i, :, j]
    multiplier = np.linalg.solve(together.reshape(q * k, q * k), excess.ravel()).reshape(q, k)
    return np.asarray(drawn - np.einsum("nkl,nl->nk", of_rows, rows.design @ multiplier))


def _refresh_design(rows: Rows, scores: Array, across: Array, rng: np.random.Generator) -> Array:
    """Draw the regression of scores on the design from its prior given the rest."""
    columns = rows.design * rows.scale[:, None]
    rest = scores - columns @ (rows.design.T @ (scores / rows.scale[:, None]))
    out = np.empty_like(scores)
    variance, q = rows.priors.arm_mean.variance, columns.shape[1]
    precision, linear = np.zeros((scores.shape[1], q, q)), np.zeros((scores.shape[1], q))
    for a in range(rows.n_arms):
        x, h = columns[rows.arm == a], rest[rows.arm == a]
        square, product, total = x.T @ x, x.T @ h, x.sum(axis=0)
        # The arm's mean is integrated out.
        common = variance[a] / (across[a] + len(x) * variance[a])
        precision += (square - common[:, None, None] * np.outer(total, total)) / across[
            a, :, None, None
        ]
        linear -= (product.T - common[:, None] * h.sum(axis=0)[:, None] * total) / across[
            a, :, None
        ]
    for j in range(scores.shape[1]):
        root = np.linalg.inv(np.linalg.cholesky(precision[j]))
        chosen = root.T @ (root @ linear[j] + rng.standard_normal(q))
        out[:, j] = rest[:, j] + columns @ chosen
    return out


def _slope(rows: Rows, scales: Scales, gram: Array) -> Array:
    """Slope, in the cross-products of scores, of the log of the factor that the weight leaves."""
    left = 0.5 * (1.0 - rows.weight) * np.diff(rows.start)
    d = scales.tau[:, :, None]
    inner = np.linalg.inv(np.eye(len(gram)) + d * gram * np.swapaxes(d, 1, 2))
    return np.asarray((left[:, None, None] * d * inner * np.swapaxes(d, 1, 2)).sum(axis=0))


def _excess(rows: Rows, scales: Scales, slope: Array, scores: Array) -> float:
    """Log of the factor that the weight leaves, less its linear part in the proposal."""
    seen = rows.seen(scores)
    gram = seen.T @ seen
    left = 0.5 * (1.0 - rows.weight) * np.diff(rows.start)
    d = scales.tau[:, :, None]
    logdet = np.linalg.slogdet(np.eye(len(gram)) + d * gram * np.swapaxes(d, 1, 2))[1]
    return float(left @ logdet - (slope * gram).sum())
