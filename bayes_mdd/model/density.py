r"""The log density of the sampling graph in NumPy, with its gradient written out.

Compiling the PyMC graph takes longer than a fast fit may take in all. Here the same density, in
the same unconstrained coordinates as `build_shared_specific` (its docstring says why these), is a
few hand-written loops that Numba compiles once and keeps on disk. The tests hold value and
gradient against the graph.

Reverse accumulation, factor by factor, with :math:`s` the log strengths, :math:`c` the log length
of the scores and :math:`\rho = \log \mathrm{rms}(u) + c` the shift between strength and block
scale: what the likelihood says of :math:`(h, \tau)` is carried to :math:`(r, c, s, \log w)` through

.. math::
    u_i = r_i \sqrt{A w_{a(i)} / (v_i\, \overline{r^2/v})}, \quad h = e^c u, \quad
    \log \tau_b = s_b - \rho - \tfrac12 \log(1 + e^{2(s_b - \rho)} / \text{slab}^2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from bayes_mdd.model.collapsed import Array, collapsed_value_and_grad
from bayes_mdd.model.data import ModelData
from bayes_mdd.model.shared_specific import fixed_sharing
from bayes_mdd.model.start import OFF, Start
from bayes_mdd.model.symptom_density import (
    Ratings,
    draw_weights,
    ratings,
    reliability,
    symptom_density,
)
from bayes_mdd.specs import SharedSpecificSpec

#: SD of the log length of the raw scores, on which nothing depends. Narrow, so that directions
#: scale little with it; not so narrow that what the data do not see (means, sites) must follow a
#: thin curved shell.
LENGTH_SD = 0.06


class Inputs(NamedTuple):
    """Data and constants, as the compiled functions take them.

    Parameters
    ----------
    sizes : tuple of int
        People, factors, arms, blocks, symptoms.
    arm : ndarray of int, shape (subject,)
        Position of each person's arm.
    basis : ndarray, shape (subject, n)
        As in `BlockStatistics`.
    cross_products, traces, block_size : ndarray
        As in `BlockStatistics`.
    fixed : ndarray, shape (factor, arm)
        Sharing that is not learned; empty where it is learned.
    prior : ndarray, shape (6,)
        Sharing concentration, factor scale, local df, slab, noise scale, symptom scale.
    left : ndarray, shape (factor,)
        Variance that the data leave a score, about; a constant.
    ratings : Ratings
        Linked symptoms.
    """

    sizes: tuple[int, int, int, int, int]
    arm: Array
    basis: Array
    cross_products: Array
    traces: Array
    block_size: Array
    fixed: Array
    prior: Array
    left: Array
    ratings: Ratings


@dataclass(frozen=True, eq=False)
class Density:
    """The log posterior density in unconstrained coordinates, up to a constant.

    Parameters
    ----------
    inputs : Inputs
        What it is of.
    """

    inputs: Inputs

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Parts of a point in order, by the name that the graph gives them."""
        _, k, arms, blocks, symptoms = self.inputs.sizes
        n = self.inputs.arm.size
        parts: dict[str, tuple[int, ...]] = {
            "raw_scores": (n, k),
            "log_strength": (blocks, k),
            "log_radius": (k,),
            "factor_scale_log__": (k,),
            "noise_log__": (blocks,),
        }
        if not self.inputs.fixed.size:
            parts["sharing_simplex__"] = (k, arms - 1)
        if symptoms:
            parts |= {
                "symptom_local_log__": (k, symptoms),
                "symptom_global_log__": (),
                "symptom_noise_log__": (symptoms,),
            }
        return parts

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return int(sum(np.prod(s, dtype=int) for s in self.shapes.values()))

    def join(self, parts: dict[str, Array]) -> Array:
        """Put the parts of a point one after the other.

        Parameters
        ----------
        parts : dict of ndarray
            By the names of `shapes`.

        Returns
        -------
        ndarray, shape (size,)
            The point.
        """
        return np.concatenate([np.ravel(parts[name]) for name in self.shapes])

    def split(self, points: Array) -> dict[str, Array]:
        """Take points apart.

        Parameters
        ----------
        points : ndarray, shape (..., size)
            Points.

        Returns
        -------
        dict of ndarray
            By the names of `shapes`, each with the leading axes of `points`.
        """
        found, at = {}, 0
        for name, shape in self.shapes.items():
            width = int(np.prod(shape, dtype=int))
            found[name] = points[..., at : at + width].reshape((*points.shape[:-1], *shape))
            at += width
        return found

    def __call__(self, point: Array) -> tuple[float, Array]:
        """Evaluate the density at one point.

        Parameters
        ----------
        point : ndarray, shape (size,)
            Where.

        Returns
        -------
        value : float
            Log density, up to a constant.
        gradient : ndarray, shape (size,)
            Its gradient.
        """
        inputs = self.inputs
        n, k, arms, blocks, symptoms = inputs.sizes
        point = np.ascontiguousarray(point)
        gradient = np.empty(point.size)
        state = _transform(point, inputs)
        scores, tau = state[0], state[1]
        at = slice((n + blocks + 2) * k, (n + blocks + 2) * k + blocks)
        noise = np.exp(point[at])
        values, to_scores_q, to_tau, to_noise = collapsed_value_and_grad(
            inputs.basis.T @ scores,
            tau,
            noise,
            inputs.cross_products,
            inputs.traces,
            inputs.block_size,
        )
        to_scores = inputs.basis @ to_scores_q
        relative2 = (noise / inputs.prior[4]) ** 2
        value = float(values.sum() + point[at].sum() - 0.5 * relative2.sum())
        gradient[at] = to_noise * noise + 1.0 - relative2
        if symptoms:
            rest = slice(at.stop + (0 if inputs.fixed.size else k * (arms - 1)), None)
            found = symptom_density(
                point[rest], scores, tau, inputs.block_size, inputs.ratings, inputs.prior[5]
            )
            value += found.value
            gradient[rest] = found.to_x
            to_scores += found.to_scores
            to_tau += found.to_tau
        value += _factors(point, inputs, state, to_scores, to_tau, gradient)
        return value, gradient

    def outcome(self, points: Array, rng: np.random.Generator) -> dict[str, Array]:
        """Turn points into what is kept of a draw.

        Parameters
        ----------
        points : ndarray, shape (draw, size)
            Points.
        rng : numpy.random.Generator
            For the symptom weights, which are drawn given the rest.

        Returns
        -------
        dict of ndarray
            ``scores`` (draw, subject, factor), ``sharing`` (draw, factor, arm), ``block_scale``
            (draw, block, factor), ``noise`` (draw, block) and, where linked, ``symptom_weight``
            (draw, factor, symptom) and ``symptom_noise`` (draw, symptom).
        """
        n, k, arms, blocks, symptoms = self.inputs.sizes
        parts = self.split(points)
        found = {
            "scores": np.empty((len(points), n, k)),
            "sharing": np.empty((len(points), k, arms)),
            "block_scale": np.empty((len(points), blocks, k)),
            "noise": np.exp(parts["noise_log__"]),
        }
        for row, point in enumerate(points):
            state = _transform(np.ascontiguousarray(point), self.inputs)
            found["scores"][row], found["block_scale"][row], found["sharing"][row] = state[:3]
        if symptoms:
            overall = np.exp(parts["symptom_global_log__"])[:, None, None]
            found["symptom_noise"] = np.exp(parts["symptom_noise_log__"])
            found["symptom_weight"] = draw_weights(
                found["scores"],
                reliability(found["block_scale"], self.inputs.block_size),
                np.exp(parts["symptom_local_log__"]) * overall,
                found["symptom_noise"],
                self.inputs.ratings,
                rng,
            )
        return found


def make_density(spec: SharedSpecificSpec, data: ModelData, left: Array | float = 0.05) -> Density:
    """Write down the density of a model.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    data : ModelData
        From `prepare`.
    left : float or ndarray of shape (factor,), default 0.05
        Variance that the data leave a score, about; see `variance_left`. Any value gives the same
        posterior.

    Returns
    -------
    Density
        The posterior of `build_generative`, in the coordinates of this module.
    """
    stats = data.stats
    pattern = fixed_sharing(spec, data.arms)
    return Density(
        Inputs(
            sizes=(
                len(data.arm),
                spec.n_factors,
                len(data.arms),
                len(stats.blocks),
                len(data.symptoms),
            ),
            arm=data.arm.astype(np.int64),
            basis=np.ascontiguousarray(stats.basis),
            cross_products=np.ascontiguousarray(stats.cross_products),
            traces=stats.traces,
            block_size=stats.block_size,
            fixed=np.empty((0, len(data.arms))) if pattern is None else pattern.astype(float),
            prior=np.array(
                [
                    spec.sharing_concentration,
                    spec.factor_scale,
                    spec.local_df,
                    spec.slab_scale,
                    spec.noise_scale,
                    spec.symptom_scale,
                ]
            ),
            left=np.broadcast_to(left, spec.n_factors).astype(float),
            ratings=ratings(data),
        )
    )


def variance_left(data: ModelData, start: Start) -> Array:
    """Guess the variance that the data leave a score, from the block scales of a start.

    Parameters
    ----------
    data : ModelData
        For the sizes of the blocks.
    start : Start
        From `climb`.

    Returns
    -------
    ndarray, shape (factor,)
        At most 1.
    """
    information = (start.block_scale**2 * data.stats.block_size[:, None]).sum(axis=0)
    return np.asarray(1.0 / np.maximum(information, 1.0))


def first_point(density: Density, start: Start) -> Array:
    """Place a start in the coordinates of the density.

    Parameters
    ----------
    density : Density
        The density.
    start : Start
        From `climb`.

    Returns
    -------
    ndarray, shape (size,)
        A point.
    """
    _, k, arms, _, symptoms = density.inputs.sizes
    on = start.block_scale.max(axis=0) > OFF
    parts: dict[str, Array] = {
        "raw_scores": start.scores,
        "log_strength": np.log(start.block_scale),
        "log_radius": np.zeros(k),
        "factor_scale_log__": np.log(np.where(on, 0.1, density.inputs.prior[1])),
        "noise_log__": np.log(start.noise),
    }
    if arms > 1:
        logs = np.log(start.sharing)
        parts["sharing_simplex__"] = (logs - logs.mean(axis=1, keepdims=True))[:, :-1]
    if symptoms:
        parts |= {
            "symptom_local_log__": np.zeros((k, symptoms)),
            "symptom_global_log__": np.array(np.log(0.2)),
            "symptom_noise_log__": np.zeros(symptoms),
        }
    return density.join(parts)


@njit(cache=True, nogil=True)
def _transform(x, inputs):  # type: ignore[no-untyped-def]
    """Scores, block scales, sharing, and what the way back needs of them."""
    n, k, arms, blocks, _ = inputs.sizes
    slab = inputs.prior[3]
    raw = x[: n * k].copy().reshape(n, k)
    strength = x[n * k : (n + blocks) * k].copy().reshape(blocks, k)
    radius = x[(n + blocks) * k : (n + blocks + 1) * k]
    at = (n + blocks + 2) * k + blocks
    sharing = np.empty((k, arms))
    scores = np.empty((n, k))
    tau = np.empty((blocks, k))
    damping = np.empty((blocks, k))
    v = np.empty((n, k))
    seen = np.empty((n, k))
    transposed = np.ascontiguousarray(inputs.basis.T)
    per_factor = np.empty((3, k))
    for j in range(k):
        if inputs.fixed.size:
            sharing[j] = inputs.fixed[j]
        else:
            _softmax(x[at + j * (arms - 1) : at + (j + 1) * (arms - 1)], sharing[j])
        left = inputs.left[j]
        length2, raw2 = 0.0, 0.0
        for i in range(n):
            v[i, j] = (arms * sharing[j, inputs.arm[i]] + left) / (1 + left)
            length2 += raw[i, j] ** 2 / v[i, j] / n
            raw2 += raw[i, j] ** 2 / n
        for i in range(n):
            ratio = arms * sharing[j, inputs.arm[i]]
            scores[i, j] = raw[i, j] * np.sqrt(ratio / (v[i, j] * length2))
        # Strengths refer to what is seen of the scores: not their means, not their site effects.
        seen[:, j] = inputs.basis @ (transposed @ np.ascontiguousarray(scores[:, j]))
        shift = 0.5 * np.log((seen[:, j] ** 2).sum() / n) + radius[j]
        seen[:, j] *= np.exp(radius[j])
        for i in range(n):
            scores[i, j] *= np.exp(radius[j])
        for b in range(blocks):
            plain = np.exp(strength[b, j] - shift)
            damping[b, j] = 1.0 / (1.0 + (plain / slab) ** 2)
            tau[b, j] = plain * np.sqrt(damping[b, j])
        per_factor[0, j] = length2
        per_factor[1, j] = raw2
        per_factor[2, j] = shift
    return scores, tau, sharing, v, damping, per_factor, seen


@njit(cache=True, nogil=True)
def _softmax(free, out):  # type: ignore[no-untyped-def]
    """Shares of arms whose logs have the mean zero before they are made to add up to 1."""
    last = 0.0
    for a in range(free.size):
        out[a] = free[a]
        last -= free[a]
    out[free.size] = last
    out[:] = np.exp(out - out.max())
    out[:] /= out.sum()


@njit(cache=True, nogil=True)
def _factors(x, inputs, state, to_scores, to_tau, grad):  # type: ignore[no-untyped-def]
    total = 0.0
    for j in range(inputs.sizes[1]):
        total += _factor(j, x, inputs, state, to_scores, to_tau, grad)
    return total


@njit(cache=True, nogil=True)
def _factor(j, x, inputs, state, to_scores, to_tau, grad):  # type: ignore[no-untyped-def]
    """Priors of one factor, and the gradient in its coordinates."""
    n, k, arms, blocks, _ = inputs.sizes
    damping, shift = state[4], state[5][2, j]
    df, cauchy = inputs.prior[2], inputs.prior[1]
    log_scale = x[(n + blocks + 1) * k + j]
    radius = x[(n + blocks) * k + j]
    value, to_shift, to_scale = 0.0, 0.0, 0.0
    for b in range(blocks):
        s = x[n * k + b * k + j]
        z = s - shift - log_scale
        e = np.exp(min(2 * z - np.log(df), 700.0))
        value += z - 0.5 * (df + 1) * np.log1p(e)
        prior = 1.0 - (df + 1) * e / (1 + e)
        pull = to_tau[b, j] * state[1][b, j] * damping[b, j] + prior
        grad[n * k + b * k + j] = pull
        to_shift -= pull
        to_scale -= prior
    ratio2 = np.exp(2 * log_scale) / cauchy**2
    value += log_scale - np.log1p(ratio2)
    grad[(n + blocks + 1) * k + j] = to_scale + 1.0 - 2 * ratio2 / (1 + ratio2)
    value += n * radius - 0.5 * n * np.exp(2 * radius)
    along = 0.0
    for i in range(n):
        along += to_scores[i, j] * state[0][i, j]
    grad[(n + blocks) * k + j] = to_shift + along + n - n * np.exp(2 * radius)
    to_ratio = np.zeros(arms)
    value += _direction(j, x, inputs, state, to_scores, to_shift, to_ratio, grad)
    if not inputs.fixed.size:
        value += _shares(j, inputs, state[2][j], to_ratio, grad)
    return value


@njit(cache=True, nogil=True)
def _direction(j, x, inputs, state, to_scores, to_shift, to_ratio, grad):  # type: ignore[no-untyped-def]
    """Prior of the raw scores of one factor, and the gradient through their direction."""
    n, k, arms, blocks, _ = inputs.sizes
    scores, sharing, v = state[0], state[2], state[3]
    left, length2, raw2 = inputs.left[j], state[5][0, j], state[5][1, j]
    log_length, width2 = 0.5 * np.log(raw2), LENGTH_SD**2
    value = -0.5 * (n * np.log(length2) + log_length**2 / width2)
    seen2, sum_u = 0.0, to_shift
    for i in range(n):
        seen2 += state[6][i, j] ** 2
        sum_u += to_scores[i, j] * scores[i, j]
    to_length2 = (-0.5 * sum_u - 0.5 * n) / length2
    for i in range(n):
        r, h, vi = x[i * k + j], scores[i, j], v[i, j]
        ratio = arms * sharing[j, inputs.arm[i]]
        to_h = to_scores[i, j] + to_shift * state[6][i, j] / seen2
        u = to_h * h
        # h / r stays defined where a raw score is zero.
        g = to_h * np.sqrt(ratio / (vi * length2)) * np.exp(x[(n + blocks) * k + j])
        g += to_length2 * 2 * r / (n * vi) - log_length / width2 * r / (n * raw2)
        grad[i * k + j] = g
        to_v = -0.5 * u - 0.5 - to_length2 * r * r / (n * vi)
        value -= 0.5 * np.log(vi)
        to_ratio[inputs.arm[i]] += 0.5 * u + to_v * ratio / (ratio + left)
    return value


@njit(cache=True, nogil=True)
def _shares(j, inputs, sharing, to_ratio, grad):  # type: ignore[no-untyped-def]
    """Dirichlet prior of one factor's shares and the Jacobian of their coordinates."""
    n, k, arms, blocks, _ = inputs.sizes
    alpha = inputs.prior[0]
    value = 0.0
    for a in range(arms):
        value += alpha * np.log(sharing[a])
        to_ratio[a] += alpha
    total = to_ratio.sum()
    last = to_ratio[arms - 1] - sharing[arms - 1] * total
    at = (n + blocks + 2) * k + blocks + j * (arms - 1)
    for a in range(arms - 1):
        grad[at + a] = to_ratio[a] - sharing[a] * total - last
    return value
