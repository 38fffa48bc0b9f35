"""The PyTensor operation hands on what the kernel computes, however it is compiled."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from bayes_mdd.shared_specific.likelihood.collapsed import collapsed_value_and_grad
from bayes_mdd.shared_specific.likelihood.collapsed_op import collapsed_loglik_op

pytestmark = pytest.mark.usefixtures("interpreted")


def graph():
    """Twice the log-likelihood and its gradient, so that the chain rule is seen to work."""
    inputs = [
        t(name)
        for t, name in (
            (pt.dmatrix, "scores"),
            (pt.dmatrix, "scale"),
            (pt.dvector, "noise"),
            (pt.dtensor3, "cross"),
            (pt.dvector, "traces"),
            (pt.dvector, "size"),
        )
    ]
    value = 2.0 * collapsed_loglik_op(*inputs)[0]
    return inputs, [value, *pytensor.grad(value, inputs[:3])]


@pytest.fixture(scope="module")
def compiled():
    inputs, outputs = graph()
    return pytensor.function(inputs, outputs, mode="NUMBA")


@pytest.fixture(scope="module")
def interpreted():
    inputs, outputs = graph()
    return pytensor.function(inputs, outputs, mode=pytensor.compile.Mode(linker="py"))


@pytest.mark.parametrize("n_factors", [1, 3, 8])
@pytest.mark.parametrize("how", ["compiled", "interpreted"])
def test_value_and_gradient_are_those_of_the_kernel(case, n_factors, how, request):
    arguments = case(n_factors).arguments
    found = request.getfixturevalue(how)(*arguments)
    value, *grads = collapsed_value_and_grad(*arguments)
    assert found[0].shape == ()
    for have, want in zip(found, [value.sum(), *grads], strict=True):
        np.testing.assert_allclose(have, 2.0 * want, rtol=1e-12)


def test_arrays_of_any_memory_order(case, interpreted):
    arguments = case(3).arguments
    reordered = [np.asfortranarray(x) for x in arguments]
    for have, want in zip(interpreted(*reordered), interpreted(*arguments), strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-12)


def test_data_have_no_gradient():
    inputs, outputs = graph()
    with pytest.raises(pytensor.gradient.DisconnectedInputError):
        pytensor.grad(outputs[0], inputs[3])


def test_wrong_number_of_dimensions_is_refused():
    scores = pt.dvector("scores")
    rest = [pt.dmatrix(), pt.dvector(), pt.dtensor3(), pt.dvector(), pt.dvector()]
    with pytest.raises(TypeError, match="dimensions"):
        collapsed_loglik_op(scores, *rest)


def test_jax_gives_the_same(case):
    jax = pytest.importorskip("jax")
    from bayes_mdd.shared_specific.likelihood import jax_kernels as collapsed_jax

    arguments = case(3).arguments
    with jax.enable_x64(True):
        evaluate = jax.jit(jax.value_and_grad(collapsed_jax._value, argnums=(0, 1, 2)))
        value, grads = evaluate(*arguments)
    expected, *expected_grads = collapsed_value_and_grad(*arguments)
    assert float(value) == pytest.approx(expected.sum(), rel=1e-10)
    for have, want in zip(grads, expected_grads, strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-8, atol=1e-10)
