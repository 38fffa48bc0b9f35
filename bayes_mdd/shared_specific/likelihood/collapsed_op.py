"""The collapsed likelihood as one PyTensor operation: value and gradient in one compiled call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch import basic as numba_basic
from pytensor.link.numba.dispatch.basic import register_funcify_default_op_cache_key

from bayes_mdd.kernels import source_version
from bayes_mdd.shared_specific.likelihood.collapsed import collapsed_value_and_grad


class CollapsedLoglik(Op):
    """Log-likelihood of all blocks, with its own gradient as further outputs.

    The inputs are scores (n, factor), block scale (block, factor), noise (block,) and the
    sufficient statistics of `BlockStatistics`; the first output is the log-likelihood, the
    others its gradients. The gradients are outputs of the same node, so a sampler that asks for
    value and gradient pays for one pass over the blocks, and compiles one small function.
    """

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply[Any]:
        """Add the operation to a graph."""
        tensors = [pt.as_tensor_variable(x).astype("float64") for x in inputs]
        ndims = (2, 2, 1, 3, 1, 1)
        if tuple(t.ndim for t in tensors) != ndims:
            raise TypeError(f"inputs must have {ndims} dimensions, got {[t.ndim for t in tensors]}")
        outputs = [pt.dscalar(), *(t.type() for t in tensors[:3])]
        return Apply(self, tensors, outputs)

    def perform(self, node: Apply[Any], inputs: Any, output_storage: Any) -> None:
        """Evaluate outside of a compiled graph."""
        scores, scale, noise, cross, traces, size = (np.ascontiguousarray(x) for x in inputs)
        value, *grads = collapsed_value_and_grad(scores, scale, noise, cross, traces, size)
        output_storage[0][0] = np.asarray(value.sum())
        for store, grad in zip(output_storage[1:], grads, strict=True):
            store[0] = grad

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Variable[Any, Any]]:
        """Chain rule; second derivatives are not supported."""
        from pytensor.gradient import disconnected_type

        scale = cotangents[0]
        return [*(scale * grad for grad in outputs[1:]), *(disconnected_type() for _ in inputs[3:])]

    def connection_pattern(self, node: Apply[Any]) -> list[list[bool]]:
        """Only the first three inputs are parameters."""
        return [[True] * 4] * 3 + [[False] * 4] * 3


@register_funcify_default_op_cache_key(CollapsedLoglik)  # type: ignore[untyped-decorator]
def _numba_collapsed_loglik(op: Op, node: Apply[Any] | None = None, **kwargs: Any) -> Any:
    @numba_basic.numba_njit
    def collapsed_loglik(scores, scale, noise, cross, traces, size):  # type: ignore[no-untyped-def]
        value, g_scores, g_scale, g_noise = collapsed_value_and_grad(
            scores, scale, noise, cross, traces, size
        )
        return np.asarray(value.sum()), g_scores, g_scale, g_noise

    return collapsed_loglik, source_version(_numba_collapsed_loglik)


collapsed_loglik_op = CollapsedLoglik()
