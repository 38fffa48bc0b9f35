"""The posterior as an alternation: all scales within the span of the scores, then the span."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import xarray as xr
from scipy.optimize import minimize

from bayes_mdd.sampling.alternating import sample_alternating
from bayes_mdd.sampling.chains import ChainStore, digest_start
from bayes_mdd.sampling.density import LogDensityFunction
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.density.density import (
    LARGEST_COORDINATE,
    OUTCOME_DIMS,
    guess_score_variance,
    has_closed_form,
)
from bayes_mdd.shared_specific.density.frame import (
    Span,
    raw_coordinates,
    span_value_and_grad,
    unpack,
)
from bayes_mdd.shared_specific.density.symptoms import draw_weights
from bayes_mdd.shared_specific.posterior.spans import describe_span, frame_of, join_scores
from bayes_mdd.shared_specific.posterior.subject_rows import Rows, read_rows
from bayes_mdd.shared_specific.posterior.sweep import Scales, sweep
from bayes_mdd.shared_specific.prior.arms import fixed_sharing
from bayes_mdd.shared_specific.prior.reliability import reliability
from bayes_mdd.shared_specific.start.spectral import Start
from bayes_mdd.specs import SamplerSpec, SharedSpecificSpec
from bayes_mdd.types import Array

#: Fewest subjects of an arm for each factor: its scores need a span of that dimension.
ROWS_PER_FACTOR = 3
#: Half the step of the differences of gradients.
DIFFERENCE = 1e-4
#: Optimiser steps at the start of a chain, and bounds of log strengths in which they stay.
MODE_STEPS, STRENGTHS = 500, (-9.0, 3.0)


@dataclass(frozen=True, eq=False)
class State:
    """A span, and the coordinates of the present scores and scales in it.

    Parameters
    ----------
    frame : ndarray, shape (subject, factor)
        See `bayes_mdd.shared_specific.density.frame`.
    span : Span
        What the density within the span depends on.
    projected : ndarray, shape (factor, feature)
        Products of frame and features.
    x : ndarray, shape (size,)
        The point.
    """

    frame: Array
    span: Span
    projected: Array
    x: Array


@dataclass(frozen=True, eq=False)
class Alternating:
    """The posterior of a model as `bayes_mdd.sampling.alternating.Alternation`.

    Parameters
    ----------
    rows : Rows
        The data.
    start : Start
        From `find_modes`.
    """

    rows: Rows
    start: Start

    @property
    def outcome_dims(self) -> Mapping[str, tuple[str, ...]]:
        """Dimensions of the stored variables, without the draws."""
        return OUTCOME_DIMS

    def _shares(self) -> Array:
        return self.rows.fixed if self.rows.fixed.size else self.start.sharing

    def first(self) -> State:
        """State at the start, with the scales at their mode given the scores.

        Returns
        -------
        State
            The state.
        """
        frame, z = frame_of(self.rows, self.start.scores)
        span, projected = describe_span(self.rows, frame)
        (columns, k), d = z.shape, len(self.rows.rated)
        parts = [
            raw_coordinates(z, self._shares(), span).ravel(),
            np.log(np.clip(self.start.block_scale, 1e-3, None)).ravel(),
            np.full(k, np.log(0.1)),
            np.log(self.start.noise),
        ]
        if not self.rows.fixed.size:
            logs = np.log(self.start.sharing)
            parts.append((logs - logs.mean(axis=1, keepdims=True))[:, :-1].ravel())
        if d:
            parts += [np.zeros(k * d), np.full(1, np.log(0.2)), np.zeros(d)]
        x = np.concatenate(parts)
        low, high = np.full(x.size, -np.inf), np.full(x.size, np.inf)
        strengths = slice(columns * k, k * (columns + len(self.start.noise)))
        low[strengths], high[strengths] = STRENGTHS
        found = minimize(
            _negative,
            x,
            args=(span,),
            jac=True,
            method="L-BFGS-B",
            bounds=np.column_stack([low, high]),
            options={"maxiter": MODE_STEPS, "maxcor": 20},
        )
        return State(frame, span, projected, np.asarray(found.x))

    def begin(self, rng: np.random.Generator) -> State:
        """State at the start of a chain: the scores are drawn once.

        Parameters
        ----------
        rng : numpy.random.Generator
            For the draws.

        Returns
        -------
        State
            The state.
        """
        state = self.first()
        drawn = self.outcome(state, state.x, rng)
        return self.draw_rest(state, state.x, drawn, rng)[0]

    def precision(self, state: State) -> Array:
        """Negative second derivatives within the span, by differences of the gradient.

        Parameters
        ----------
        state : State
            A state.

        Returns
        -------
        ndarray, shape (size, size)
            Symmetric matrix.
        """
        density, x = self.density(state), state.x
        found = np.empty((x.size, x.size))
        for i, step in enumerate(DIFFERENCE * np.eye(x.size)):
            found[i] = (density(x - step)[1] - density(x + step)[1]) / (2 * DIFFERENCE)
        return np.asarray(0.5 * (found + found.T))

    def density(self, state: State) -> LogDensityFunction:
        """Log density within the span of a state.

        Parameters
        ----------
        state : State
            A state.

        Returns
        -------
        callable
            Value and gradient.
        """
        return partial(_bounded, state.span)

    def point(self, state: State) -> Array:
        """Coordinates of a state.

        Parameters
        ----------
        state : State
            A state.

        Returns
        -------
        ndarray, shape (size,)
            The point.
        """
        return state.x

    def outcome(self, state: State, x: Array, rng: np.random.Generator) -> dict[str, Array]:
        """Compute the variables that are stored for each draw.

        Parameters
        ----------
        state : State
            For the span.
        x : ndarray, shape (size,)
            The point.
        rng : numpy.random.Generator
            For the symptom weights.

        Returns
        -------
        dict of ndarray
            Variables by name, see `OUTCOME_DIMS`.
        """
        span = state.span
        z, tau, sharing, _, _, noise = unpack(x, span)
        found = {
            "scores": join_scores(self.rows, state.frame, z),
            "sharing": sharing,
            "block_scale": tau,
            "noise": noise,
        }
        d, k = span.ratings.rows.size, z.shape[1]
        if d:
            tail = x[x.size - k * d - 1 - d :]
            local = np.exp(tail[: k * d] + tail[k * d]).reshape(1, k, d)
            found["symptom_noise"] = np.exp(tail[k * d + 1 :])
            found["symptom_weight"] = draw_weights(
                z[None],
                reliability(tau[None], span.block_size),
                local,
                self.rows.priors.symptom_weight.slab,
                found["symptom_noise"][None],
                span.ratings,
                rng,
            )[0]
        return found

    def draw_rest(
        self, state: State, x: Array, drawn: Mapping[str, Array], rng: np.random.Generator
    ) -> tuple[State, bool]:
        """Draw the scores, which changes their span.

        Parameters
        ----------
        state : State
            The state so far.
        x : ndarray, shape (size,)
            The point.
        drawn : mapping of str to ndarray
            From `outcome`.
        rng : numpy.random.Generator
            For the draws.

        Returns
        -------
        state : State
            The next state.
        moved : bool
            See `sweep`.
        """
        z, _, sharing, _, shift, _ = unpack(x, state.span)
        d = len(self.rows.rated)
        scales = Scales(
            drawn["block_scale"],
            drawn["noise"],
            sharing,
            drawn.get("symptom_weight", np.zeros((z.shape[1], d))),
            drawn.get("symptom_noise", np.zeros(d)),
        )
        scores, moved = sweep(
            self.rows,
            drawn["scores"],
            scales,
            z.T @ state.span.gram @ z,
            z.T @ state.projected,
            rng,
        )
        frame, after = frame_of(self.rows, scores)
        span, projected = describe_span(self.rows, frame)
        new, (columns, k) = x.copy(), z.shape
        new[: columns * k] = raw_coordinates(after, sharing, span).ravel()
        # Block scales stay; strengths are relative to the length of the scores.
        square = np.einsum("ij,il,lj->j", after, span.gram, after)
        change = 0.5 * np.log(square / span.rows) - shift
        new[columns * k : (columns + len(scales.noise)) * k] += np.tile(change, len(scales.noise))
        return State(frame, span, projected, new), moved


def _bounded(span: Span, x: Array) -> tuple[float, Array]:
    # A long step may reach points where exponentials overflow. Scores are not exponentials: those
    # of many subjects' means are long.
    logs = x[span.gram.shape[0] * span.score_variance.size :]
    if not (np.abs(logs).max() < LARGEST_COORDINATE and np.isfinite(x).all()):
        return -np.inf, np.zeros(x.size)
    value, gradient = span_value_and_grad(x, span)
    return float(value), gradient


def _negative(x: Array, span: Span) -> tuple[float, Array]:
    value, gradient = span_value_and_grad(x, span)
    return -value, -gradient


def alternates(spec: SharedSpecificSpec, data: ModelData) -> bool:
    """Whether a model can be sampled by alternation.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    data : ModelData
        From `prepare`.

    Returns
    -------
    bool
        False where there is no closed form, where a fixed pattern excludes a factor from an arm,
        where superfluous factors are sampled, and where an arm has few subjects.
    """
    pattern = fixed_sharing(spec, data.arms)
    everywhere = pattern is None or bool((pattern > 0).all())
    enough = bool(data.arm_size.min() >= ROWS_PER_FACTOR * spec.n_factors)
    return has_closed_form(spec) and everywhere and enough and spec.spare_factors == "pinned"


def sample_by_alternation(
    spec: SharedSpecificSpec,
    data: ModelData,
    start: Start,
    sampler: SamplerSpec,
    *,
    progressbar: bool = False,
    store: ChainStore | None = None,
) -> xr.DataTree:
    """Sample the posterior by alternation.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model, with as many factors as `start` has.
    data : ModelData
        From `prepare`.
    start : Start
        From `find_modes`, with all factors switched on.
    sampler : SamplerSpec
        Draws, chains, seed and cores.
    progressbar : bool, default False
        Show the progress of the chains.
    store : ChainStore, optional
        Keeps chains as they finish.

    Returns
    -------
    DataTree
        Groups ``posterior`` and ``sample_stats``.
    """
    variance = guess_score_variance(data, start)
    target = Alternating(read_rows(spec, data, start.scores, variance), start)
    digest = digest_start([start.scores, start.block_scale, start.noise, start.sharing])
    return sample_alternating(target, sampler, digest, store=store, progressbar=progressbar)
