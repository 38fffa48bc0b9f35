r"""The compiled log density of the model and its gradient, in closed form.

Compiling the PyMC graph takes longer than sampling it. This is the same density in the
unconstrained coordinates of `build_shared_specific`, whose docstring explains them, as functions
that Numba compiles once per machine and keeps on disk. Two things differ: the posterior variance
of scores that scales the coordinates is a constant, and symptom weights are integrated out. Tests
compare value and gradient with the graph.

Gradients are accumulated in reverse, factor by factor, with :math:`s` the log strengths, :math:`c`
the log length of the scores and :math:`\rho = \log \mathrm{rms}(u) + c` the shift between strength
and block scale. The gradient in :math:`(h, \tau)` is propagated to :math:`(r, c, s, \log w)` by

.. math::
    u_i = r_i \sqrt{A w_{a(i)} / (v_i\, \overline{r^2/v})}, \quad h = e^c u, \quad
    \log \tau_b = s_b - \rho - \tfrac12 \log(1 + e^{2(s_b - \rho)} / \text{slab}^2)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayes_mdd.dims import ARM, BLOCK, FACTOR, SUBJECT, SYMPTOM
from bayes_mdd.errors import SpecError
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.density.kernels import Inputs, transform, value_and_grad
from bayes_mdd.shared_specific.density.symptoms import draw_weights, ratings
from bayes_mdd.shared_specific.prior.arms import fixed_sharing
from bayes_mdd.shared_specific.prior.priors import Priors, build_priors
from bayes_mdd.shared_specific.prior.reliability import reliability
from bayes_mdd.shared_specific.start.spectral import OFF, Start
from bayes_mdd.specs import SharedSpecificSpec
from bayes_mdd.types import Array

#: Absolute value beyond which a coordinate, a log or a score, has no mass.
LARGEST_COORDINATE = 40.0
#: Dimensions of the stored variables, without the draws.
OUTCOME_DIMS = {
    "scores": (SUBJECT, FACTOR),
    "sharing": (FACTOR, ARM),
    "block_scale": (BLOCK, FACTOR),
    "noise": (BLOCK,),
    "symptom_weight": (FACTOR, SYMPTOM),
    "symptom_noise": (SYMPTOM,),
}


def has_closed_form(spec: SharedSpecificSpec) -> bool:
    """Whether a spec has a compiled density.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.

    Returns
    -------
    bool
        False for ordinal items, links by arm and noise by feature: only the graph supports them.
    """
    linked = not spec.ordinal_symptoms and spec.symptom_links == "common"
    return linked and spec.feature_noise != "student"


@dataclass(frozen=True, eq=False)
class Density:
    """The log posterior density in unconstrained coordinates, up to a constant.

    Parameters
    ----------
    inputs : Inputs
        Data and constants.
    priors : Priors
        Priors of the parameters.
    """

    inputs: Inputs
    priors: Priors

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the parts of a point, in order, by the names of the graph."""
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
    def outcome_dims(self) -> dict[str, tuple[str, ...]]:
        """Dimensions of the variables of `outcome`, without the draws."""
        return OUTCOME_DIMS

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return int(sum(np.prod(s, dtype=int) for s in self.shapes.values()))

    def join(self, parts: dict[str, Array]) -> Array:
        """Concatenate the parts of a point.

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
        """Split points into their parts.

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
            size = int(np.prod(shape, dtype=int))
            found[name] = points[..., at : at + size].reshape((*points.shape[:-1], *shape))
            at += size
        return found

    def __call__(self, point: Array) -> tuple[float, Array]:
        """Evaluate the density at one point.

        Parameters
        ----------
        point : ndarray, shape (size,)
            The point.

        Returns
        -------
        value : float
            Log density, up to a constant.
        gradient : ndarray, shape (size,)
            Its gradient.
        """
        point = np.ascontiguousarray(point)
        # A long step may reach points where exponentials overflow.
        if not np.abs(point).max() < LARGEST_COORDINATE:
            return -np.inf, np.zeros(point.size)
        value, gradient = value_and_grad(point, self.inputs)
        return float(value), gradient

    def outcome(self, points: Array, rng: np.random.Generator) -> dict[str, Array]:
        """Compute the variables that are stored for each draw.

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
            state = transform(np.ascontiguousarray(point), self.inputs)
            found["scores"][row], found["block_scale"][row], found["sharing"][row] = state[:3]
        if symptoms:
            overall = np.exp(parts["symptom_global_log__"])[:, None, None]
            found["symptom_noise"] = np.exp(parts["symptom_noise_log__"])
            found["symptom_weight"] = draw_weights(
                found["scores"],
                reliability(found["block_scale"], self.inputs.block_size),
                np.exp(parts["symptom_local_log__"]) * overall,
                self.priors.symptom_weight.slab,
                found["symptom_noise"],
                self.inputs.ratings,
                rng,
            )
        return found


def make_density(
    spec: SharedSpecificSpec, data: ModelData, score_variance: Array | float = 0.05
) -> Density:
    """Build the compiled density of a model.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    data : ModelData
        From `prepare`.
    score_variance : float or ndarray of shape (factor,), default 0.05
        Approximate posterior variance of a standardised score, see `guess_score_variance`. Any
        value gives the same posterior.

    Returns
    -------
    Density
        The posterior of `build_generative`, in unconstrained coordinates.

    Raises
    ------
    SpecError
        If the spec has no compiled density, see `has_closed_form`.
    """
    if not has_closed_form(spec):
        raise SpecError(
            "the compiled density does not support feature_noise='student', ordinal_symptoms or "
            "symptom_links='by_arm': build the graph, or omit them."
        )
    stats, priors = data.stats, build_priors(spec, data.arms)
    pattern = fixed_sharing(spec, data.arms)
    rotation = np.ascontiguousarray(stats.rotation)
    transposed = np.ascontiguousarray(rotation.T)
    visible, visible_transposed = rotation, transposed
    if stats.subject_scale is not None:
        visible = np.column_stack([stats.score_basis, stats.design])
        visible_transposed = np.ascontiguousarray(visible.T)
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
            rotation=rotation,
            transposed=transposed,
            visible=visible,
            visible_transposed=visible_transposed,
            cross_products=np.ascontiguousarray(stats.cross_products),
            traces=stats.traces,
            block_size=stats.block_size,
            fixed=np.empty((0, len(data.arms))) if pattern is None else pattern.astype(float),
            prior=priors.constants,
            mean_variance=priors.arm_mean.variance,
            score_variance=np.broadcast_to(score_variance, spec.n_factors).astype(float),
            ratings=ratings(data),
        ),
        priors,
    )


def guess_score_variance(data: ModelData, start: Start) -> Array:
    """Approximate the posterior variance of scores from the block scales of a start.

    Parameters
    ----------
    data : ModelData
        For the sizes of the blocks.
    start : Start
        From `find_modes`.

    Returns
    -------
    ndarray, shape (factor,)
        At most 1.
    """
    information = (start.block_scale**2 * data.stats.block_size[:, None]).sum(axis=0)
    return np.asarray(1.0 / np.maximum(information, 1.0))


def first_point(density: Density, start: Start) -> Array:
    """Convert starting values to the coordinates of the density.

    Parameters
    ----------
    density : Density
        The density.
    start : Start
        From `find_modes`.

    Returns
    -------
    ndarray, shape (size,)
        A point.
    """
    _, k, _, _, symptoms = density.inputs.sizes
    on = start.block_scale.max(axis=0) > OFF
    overall = density.priors.block_scale.overall
    parts: dict[str, Array] = {
        "raw_scores": density.inputs.rotation.T @ start.scores,
        "log_strength": np.log(start.block_scale),
        "log_radius": np.zeros(k),
        "factor_scale_log__": np.log(np.where(on, 0.1, overall.scale)),
        "noise_log__": np.log(start.noise),
    }
    if not density.inputs.fixed.size:
        logs = np.log(start.sharing)
        parts["sharing_simplex__"] = (logs - logs.mean(axis=1, keepdims=True))[:, :-1]
    if symptoms:
        parts |= {
            "symptom_local_log__": np.zeros((k, symptoms)),
            "symptom_global_log__": np.array(np.log(0.2)),
            "symptom_noise_log__": np.zeros(symptoms),
        }
    return density.join(parts)


def initial_scales(density: Density, start: Start) -> Array:
    """Approximate the posterior SD of each coordinate.

    In these units the sampler adapts its metric quickly, and a displacement by one unit stays
    where the mass is, whatever the number of features.

    Parameters
    ----------
    density : Density
        The density.
    start : Start
        From `find_modes`.

    Returns
    -------
    ndarray, shape (size,)
        About one posterior SD each, from block scales and numbers of subjects and features.
    """
    inputs = density.inputs
    n, k, arms, _, symptoms = inputs.sizes
    raw, variance = np.ones((n, k)), inputs.score_variance
    raw[: inputs.cross_products.shape[1]] = np.sqrt(variance / (1 + variance))
    size = inputs.block_size[:, None]
    strength = (1 + 1 / (n * start.block_scale**2)) / np.sqrt(2 * size)
    parts: dict[str, Array] = {
        "raw_scores": raw,
        "log_strength": np.minimum(strength, 1.0),
        "log_radius": np.full(k, 1 / np.sqrt(2 * n)),
        "factor_scale_log__": np.full(k, 0.5),
        "noise_log__": 1 / np.sqrt(2 * n * size[:, 0]),
    }
    if not inputs.fixed.size:
        parts["sharing_simplex__"] = np.full((k, arms - 1), 0.3)
    if symptoms:
        parts |= {
            "symptom_local_log__": np.ones((k, symptoms)),
            "symptom_global_log__": np.ones(()),
            "symptom_noise_log__": 1 / np.sqrt(2.0 * inputs.ratings.rows),
        }
    return density.join(parts)
