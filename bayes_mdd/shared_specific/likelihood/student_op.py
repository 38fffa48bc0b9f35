"""The likelihood with noise by feature as one PyTensor operation, its gradient included."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch import basic as numba_basic
from pytensor.link.numba.dispatch.basic import register_funcify_default_op_cache_key

from bayes_mdd.kernels import source_version
from bayes_mdd.shared_specific.likelihood.student import student_value_and_grad


class StudentLoglik(Op):
    """Log-likelihood of all features, with its own gradient as further outputs.

    The inputs are scores (n, factor), block scale (block, factor), noise (block,), degrees of
    freedom (), and the arrays of `FeatureRows`; the first output is the log-likelihood, the others
    its gradients in the first four inputs (`CollapsedLoglik` gives the reason).
    """

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply[Any]:
        """Add the operation to a graph."""
        *numbers, start = (pt.as_tensor_variable(x) for x in inputs)
        tensors = [*(x.astype("float64") for x in numbers), start.astype("int64")]
        ndims = (2, 2, 1, 0, 2, 1)
        if tuple(t.ndim for t in tensors) != ndims:
            raise TypeError(f"inputs must have {ndims} dimensions, got {[t.ndim for t in tensors]}")
        return Apply(self, tensors, [pt.dscalar(), *(t.type() for t in tensors[:4])])

    def perform(self, node: Apply[Any], inputs: Any, output_storage: Any) -> None:
        """Evaluate outside of a compiled graph."""
        scores, scale, noise, df, y, start = (np.ascontiguousarray(x) for x in inputs)
        value, *grads = student_value_and_grad(scores, scale, noise, df.item(), y, start)
        output_storage[0][0] = np.asarray(value.sum())
        for store, grad in zip(output_storage[1:], grads, strict=True):
            store[0] = np.asarray(grad)

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Variable[Any, Any]]:
        """Chain rule; second derivatives are not supported."""
        from pytensor.gradient import disconnected_type

        scale = cotangents[0]
        return [*(scale * grad for grad in outputs[1:]), *(disconnected_type() for _ in inputs[4:])]

    def connection_pattern(self, node: Apply[Any]) -> list[list[bool]]:
        """Only the first four inputs are parameters."""
        return [[True] * 5] * 4 + [[False] * 5] * 2


@register_funcify_default_op_cache_key(StudentLoglik)  # type: ignore[untyped-decorator]
def _numba_student_loglik(op: Op, node: Apply[Any] | None = None, **kwargs: Any) -> Any:
    @numba_basic.numba_njit
    def student_loglik(scores, scale, noise, df, y, start):  # type: ignore[no-untyped-def]
        value, g_scores, g_scale, g_noise, g_df = student_value_and_grad(
            scores, scale, noise, df.item(), y, start
        )
        return np.asarray(value.sum()), g_scores, g_scale, g_noise, np.asarray(g_df)

    return student_loglik, source_version(_numba_student_loglik)


student_loglik_op = StudentLoglik()
