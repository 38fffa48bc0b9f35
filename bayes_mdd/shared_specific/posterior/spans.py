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
from functools import cached_property
from typing import Any

import numpy as np

from bayes_mdd.dims import FEATURE, SUBJECT
from bayes_mdd.kernels import compiled
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.density.frame import Span
from bayes_mdd.shared_specific.density.symptoms import Ratings
from bayes_mdd.shared_specific.prior.arms import fixed_sharing
from bayes_mdd.shared_specific.prior.priors import Priors, build_priors
from bayes_mdd.specs import SharedSpecificSpec
from bayes_mdd.types import Array, IntArray

#: Times that the slope of the weight's factor and the scores are computed in turn.
SLOPE_ROUNDS = 3


@dataclass(frozen=True, eq=False)
class Rated:
    """A linked symptom, with what is known without scores.

    Parameters
    ----------
    rows : ndarray of int, shape (rated,)
        Positions of the subjects with a score.
    design : ndarray, shape (rated, column)
        Orthonormal columns that are projected out.
    value : ndarray, shape (rated,)
        Standardised scores.
    residual : ndarray, shape (rated,)
        The same with the design projected out.
    """

    rows: IntArray
    design: Array
    value: Array
    residual: Array


@dataclass(frozen=True, eq=False)
class Rows:
    """Features, design and symptoms by subject.

    Parameters
    ----------
    y : ndarray, shape (subject, feature)
        Features over the subjects' noise scales, sorted by block, with the design projected out.
    start : ndarray of int, shape (block + 1,)
        First feature of each block.
    weight : float
        Power of the likelihood.
    scale : ndarray, shape (subject,)
        Noise scale of each subject.
    design : ndarray, shape (subject, column)
        Orthonormal basis of the design over the scale.
    arm : ndarray of int, shape (subject,)
        Arm of each subject.
    n_arms : int
        Number of arms.
    rated : tuple of Rated
        Linked symptoms.
    priors : Priors
        Priors of the parameters.
    fixed : ndarray, shape (factor, arm)
        Sharing that is fixed; empty where it is estimated.
    reference : ndarray, shape (subject, factor)
        Orthonormal within each arm; determines the frame of a span, see `frame_of`.
    score_variance : ndarray, shape (factor,)
        See `Span`.
    """

    y: Array
    start: IntArray
    weight: float
    scale: Array
    design: Array
    arm: IntArray
    n_arms: int
    rated: tuple[Rated, ...]
    priors: Priors
    fixed: Array
    reference: Array
    score_variance: Array

    @cached_property
    def slices(self) -> tuple[Any, ...]:
        """Subjects of each arm: a slice where they follow each other, which needs no copy."""
        found = []
        for a in range(self.n_arms):
            at = np.flatnonzero(self.arm == a)
            together = at.size == at[-1] - at[0] + 1
            found.append(slice(at[0], at[-1] + 1) if together else at)
        return tuple(found)

    @cached_property
    def traces(self) -> Array:
        """Total sum of squares of each block, times the weight."""
        squares = np.einsum("np,np->p", self.y, self.y)
        return np.asarray(self.weight * np.add.reduceat(squares, self.start[:-1]))

    @property
    def block_size(self) -> Array:
        """Number of features of each block, times the weight."""
        return self.weight * np.diff(self.start)

    def seen(self, scores: Array) -> Array:
        """Scores as the features see them: over the noise scale, without the design.

        Parameters
        ----------
        scores : ndarray, shape (subject, factor)
            Scores.

        Returns
        -------
        ndarray, shape (subject, factor)
            Residuals.
        """
        even = scores / self.scale[:, None]
        return np.asarray(even - self.design @ (self.design.T @ even))


def read_rows(
    spec: SharedSpecificSpec, data: ModelData, scores: Array, score_variance: Array
) -> Rows:
    """Arrange the data of a fit by subject.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model, with as many factors as `scores`.
    data : ModelData
        From `prepare`.
    scores : ndarray, shape (subject, factor)
        Scores near the mode.
    score_variance : ndarray, shape (factor,)
        From `guess_score_variance`.

    Returns
    -------
    Rows
        The data.
    """
    code = data.code
    order = np.argsort(code, kind="stable")
    y = data.features["y"].transpose(SUBJECT, FEATURE).values.astype(float)
    y = y[:, order] / data.feature_noise[order] / data.subject_scale[:, None]
    design = np.linalg.qr(data.design.to_numpy() / data.subject_scale[:, None])[0]
    y -= design @ (design.T @ y)
    pattern = fixed_sharing(spec, data.arms)
    return Rows(
        y=np.ascontiguousarray(y),
        start=np.concatenate([[0], np.cumsum(np.bincount(code))]).astype(np.int64),
        weight=data.weight,
        scale=data.subject_scale,
        design=design,
        arm=data.arm.astype(np.int64),
        n_arms=len(data.arms),
        rated=_rated(data),
        priors=build_priors(spec, data.arms),
        fixed=np.empty((0, len(data.arms))) if pattern is None else pattern.astype(float),
        reference=_orthonormal_by_arm(scores, data.arm),
        score_variance=score_variance,
    )


def _orthonormal_by_arm(scores: Array, arm: IntArray) -> Array:
    out = np.empty_like(scores)
    for a in np.unique(arm):
        part = scores[arm == a] - scores[arm == a].mean(axis=0)
        u, _, v = np.linalg.svd(part / np.linalg.norm(part, axis=0), full_matrices=False)
        out[arm == a] = u @ v
    return out


def _rated(data: ModelData) -> tuple[Rated, ...]:
    found = []
    for s in data.symptoms:
        columns = data.symptom_design.to_numpy()[s.rated]
        u, size, _ = np.linalg.svd(columns, full_matrices=False)
        design = u[:, size > 1e-10 * size.max(initial=1e-300)]
        value = (s.score - s.mean) / s.sd
        found.append(Rated(s.rated, design, value, value - design @ (design.T @ value)))
    return tuple(found)


def frame_of(rows: Rows, scores: Array) -> tuple[Array, Array]:
    r"""Split scores into frames of their spans within arms, and coordinates.

    The frame :math:`Q` of an arm of n subjects spans the centred scores, has
    :math:`Q^\top Q = n I`, and is the closest one to the reference: the orthogonal factor of the
    polar decomposition of the reference's projection onto the span.

    Parameters
    ----------
    rows : Rows
        The data.
    scores : ndarray, shape (subject, factor)
        Scores.

    Returns
    -------
    frame : ndarray, shape (subject, factor)
        Frames of all arms; depends on the spans only.
    z : ndarray, shape (arm * (factor + 1), factor)
        Coordinates of each arm, then its mean.
    """
    k = scores.shape[1]
    frame, z = np.empty_like(scores), np.empty((rows.n_arms, k + 1, k))
    for a in range(rows.n_arms):
        at = rows.arm == a
        mean = scores[at].mean(axis=0)
        basis = np.linalg.qr(scores[at] - mean)[0]
        u, _, v = np.linalg.svd(basis.T @ rows.reference[at])
        frame[at] = np.sqrt(len(basis)) * basis @ (u @ v)
        z[a, :k] = frame[at].T @ (scores[at] - mean) / len(basis)
        z[a, k] = mean
    return frame, z.reshape(-1, k)


def join_scores(rows: Rows, frame: Array, z: Array) -> Array:
    """Compute scores from frames and coordinates.

    Parameters
    ----------
    rows : Rows
        For the arm of each subject.
    frame : ndarray, shape (subject, factor)
        From `frame_of`.
    z : ndarray, shape (arm * (factor + 1), factor)
        Coordinates.

    Returns
    -------
    ndarray, shape (subject, factor)
        Scores.
    """
    k = frame.shape[1]
    by_arm = z.reshape(rows.n_arms, k + 1, k)
    scores = by_arm[rows.arm, k]
    for a in range(rows.n_arms):
        scores[rows.arm == a] += frame[rows.arm == a] @ by_arm[a, :k]
    return scores


def describe_span(rows: Rows, frame: Array) -> tuple[Span, Array]:
    """Compute what the density within spans depends on.

    Parameters
    ----------
    rows : Rows
        The data.
    frame : ndarray, shape (subject, factor)
        From `frame_of`.

    Returns
    -------
    span : Span
        Input of `span_value_and_grad`.
    projected : ndarray, shape (column, feature)
        Products of frames and features.
    """
    k = frame.shape[1]
    columns = rows.n_arms * (k + 1)
    apart = np.zeros((len(frame), columns))
    projected = np.empty((columns, rows.y.shape[1]))
    for a in range(rows.n_arms):
        at, own = rows.arm == a, slice(a * (k + 1), (a + 1) * (k + 1))
        part = np.column_stack([frame[at], np.ones(at.sum())])
        apart[at, own] = part
        # Features are orthogonal to the design.
        projected[own] = (part / rows.scale[at, None]).T @ rows.y[rows.slices[a]]
    seen = rows.seen(apart)
    parts = [projected[:, a:b] for a, b in zip(rows.start, rows.start[1:], strict=False)]
    span = Span(
        rows=float(len(frame)),
        free=len(frame) - rows.design.shape[1],
        gram=seen.T @ seen,
        products=rows.weight * np.stack([part @ part.T for part in parts]),
        traces=rows.traces,
        block_size=rows.block_size,
        arm_size=np.bincount(rows.arm, minlength=rows.n_arms).astype(float),
        mean_variance=rows.priors.arm_mean.variance,
        score_variance=rows.score_variance,
        fixed=rows.fixed,
        prior=rows.priors.constants,
        ratings=_ratings_in_frame(rows, apart),
    )
    return span, projected


def _ratings_in_frame(rows: Rows, frame: Array) -> Ratings:
    """Symptoms in an orthonormal basis of frames and symptom, which is all the density needs."""
    k, d = frame.shape[1], len(rows.rated)
    basis, value = np.zeros((d, k + 1, k)), np.zeros((d, k + 1))
    for row, s in enumerate(rows.rated):
        part = frame[s.rows]
        part = part - s.design @ (s.design.T @ part)
        found = np.linalg.qr(np.column_stack([part, s.residual]), mode="r")
        basis[row, : len(found)], value[row, : len(found)] = found[:, :k], found[:, k]
    n = [s.rows.size - s.design.shape[1] for s in rows.rated]
    transposed = np.ascontiguousarray(np.swapaxes(basis, 1, 2))
    return Ratings(basis, transposed, value, np.array(n, dtype=np.int64))


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
