"""The collapsed likelihoods for JAX, which the numpyro back end compiles with."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from pytensor.link.jax.dispatch.basic import jax_funcify

from bayes_mdd.shared_specific.likelihood.collapsed_op import CollapsedLoglik
from bayes_mdd.shared_specific.likelihood.student_op import StudentLoglik


def _value(scores: Any, scale: Any, noise: Any, cross: Any, traces: Any, size: Any) -> Any:
    n = scores.shape[0]
    gram = scores.T @ scores
    hsh = jnp.einsum("nk,bnm,ml->bkl", scores, cross, scores)
    pair = scale[:, :, None] * scale[:, None, :]
    chol = jnp.linalg.cholesky(jnp.eye(scale.shape[1]) + pair * gram)
    logdet = 2 * jnp.log(jnp.diagonal(chol, axis1=1, axis2=2)).sum(axis=1)
    half = jax.scipy.linalg.solve_triangular(chol, pair * hsh, lower=True)
    whole = jax.scipy.linalg.solve_triangular(jnp.swapaxes(chol, 1, 2), half, lower=False)
    quad = traces - jnp.trace(whole, axis1=1, axis2=2)
    return -0.5 * (size * (n * jnp.log(2 * jnp.pi * noise**2) + logdet) + quad / noise**2).sum()


def _student_value(scores: Any, scale: Any, noise: Any, df: Any, y: Any, block: Any) -> Any:
    """Log-likelihood with noise by feature; `block` is the position of each row's block."""
    n = scores.shape[0]
    pair = scale[:, :, None] * scale[:, None, :]
    chol = jnp.linalg.cholesky(jnp.eye(scale.shape[1]) + pair * (scores.T @ scores))
    logdet = 2 * jnp.log(jnp.diagonal(chol, axis1=1, axis2=2)).sum(axis=1)
    spread = scale[:, :, None] * jnp.linalg.inv(chol @ jnp.swapaxes(chol, 1, 2)) * scale[:, None, :]
    projected = y @ scores
    square = (y**2).sum(axis=1) - jnp.einsum("pk,pkl,pl->p", projected, spread[block], projected)
    of_df = jax.scipy.special.gammaln((df + n) / 2) - jax.scipy.special.gammaln(df / 2)
    constant = of_df - 0.5 * n * jnp.log(df * jnp.pi) - n * jnp.log(noise) - 0.5 * logdet
    term = jnp.log1p(square / (df * noise[block] ** 2))
    return (constant[block] - 0.5 * (df + n) * term).sum()


def _student_with_gradients(*inputs: Any) -> Any:
    *numbers, start = inputs
    # Block of a row: number of blocks that begin at or before it, empty ones included, minus 1.
    block = jnp.searchsorted(start, jnp.arange(numbers[4].shape[0]), side="right") - 1
    value, grads = jax.value_and_grad(_student_value, argnums=(0, 1, 2, 3))(*numbers, block)
    return (value, *grads)


def _with_gradients(*inputs: Any) -> Any:
    value, grads = jax.value_and_grad(_value, argnums=(0, 1, 2))(*inputs)
    return (value, *grads)


def _convert(op: Any, node: Any = None, **kwargs: Any) -> Any:
    return _with_gradients


def _convert_student(op: Any, node: Any = None, **kwargs: Any) -> Any:
    return _student_with_gradients


def register() -> None:
    """Register the JAX versions of the operations with PyTensor."""
    if CollapsedLoglik in jax_funcify.registry:
        return

    jax_funcify.register(CollapsedLoglik)(_convert)
    jax_funcify.register(StudentLoglik)(_convert_student)
