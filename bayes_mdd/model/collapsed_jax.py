"""The collapsed likelihood for JAX, which the numpyro back end compiles with."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from pytensor.link.jax.dispatch.basic import jax_funcify

from bayes_mdd.model.collapsed_op import CollapsedLoglik


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


def _with_gradients(*inputs: Any) -> Any:
    value, grads = jax.value_and_grad(_value, argnums=(0, 1, 2))(*inputs)
    return (value, *grads)


def _convert(op: Any, node: Any = None, **kwargs: Any) -> Any:
    return _with_gradients


def register() -> None:
    """Teach PyTensor how to hand the operation to JAX."""
    if CollapsedLoglik in jax_funcify.registry:
        return

    jax_funcify.register(CollapsedLoglik)(_convert)
