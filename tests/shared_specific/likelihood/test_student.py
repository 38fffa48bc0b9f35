"""Features as multivariate t: value, gradient, limit, and the operation that carries them."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from scipy.special import psi
from scipy.stats import multivariate_t

from bayes_mdd.shared_specific.graph.observed import _random_student
from bayes_mdd.shared_specific.likelihood.collapsed import collapsed_value_and_grad
from bayes_mdd.shared_specific.likelihood.student import digamma, student_value_and_grad
from bayes_mdd.shared_specific.likelihood.student_op import student_loglik_op

pytestmark = pytest.mark.usefixtures("interpreted")


def arguments(case, df):
    """Arguments of the kernel, with blocks in the order of the statistics of `case`."""
    stats = case.stats
    rows = [(stats.basis.T @ case.y)[:, case.block == b].T for b in stats.blocks]
    start = np.concatenate([[0], np.cumsum([len(r) for r in rows])])
    return (
        stats.basis.T @ case.scores,
        case.tau,
        case.noise,
        df,
        np.ascontiguousarray(np.concatenate(rows)),
        start.astype(np.int64),
    )


@pytest.mark.parametrize("n_factors", [1, 3, 8])
@pytest.mark.parametrize("df", [0.7, 4.0, 60.0])
def test_value_is_that_of_scipy(case, n_factors, df):
    scores, tau, noise, _, y, start = found = arguments(case(n_factors), df)
    value = student_value_and_grad(*found)[0]
    for b in range(len(tau)):
        shape = noise[b] ** 2 * (np.eye(len(scores)) + scores * tau[b] ** 2 @ scores.T)
        want = multivariate_t.logpdf(y[start[b] : start[b + 1]], shape=shape, df=df).sum()
        assert value[b] == pytest.approx(want, abs=1e-8)


def test_gradient_is_that_of_finite_differences(case):
    given = arguments(case(3), 3.5)
    _, *grads = student_value_and_grad(*given)
    for i, grad in enumerate(grads):
        for at in np.ndindex(np.shape(grad)):
            ends = []
            for step in (1e-5, -1e-5):
                moved = [np.array(x, dtype=float) for x in given[:4]]
                moved[i][at] += step
                moved[3] = moved[3].item()
                ends.append(student_value_and_grad(*moved, *given[4:])[0].sum())
            assert np.asarray(grad)[at] == pytest.approx(
                (ends[0] - ends[1]) / 2e-5, rel=1e-6, abs=1e-6
            )


def test_many_degrees_of_freedom_are_block_noise(case):
    """The difference vanishes like 1 / df."""
    plain = case(3)
    want = collapsed_value_and_grad(*plain.arguments)
    off = []
    for df in (1e5, 1e6):
        found = student_value_and_grad(*arguments(plain, df))
        off.append(np.abs(found[0] - want[0]).max())
        for have, expected in zip(found[1:4], want[1:], strict=True):
            np.testing.assert_allclose(have, expected, rtol=200 / df * 10, atol=1e3 / df)
    assert off[1] < 1e-3
    assert off[0] / off[1] == pytest.approx(10, rel=0.05)


def test_a_block_scale_of_zero_takes_the_factor_out(case):
    given = list(arguments(case(3), 5.0))
    given[1] = given[1].copy()
    given[1][:, 2] = 0.0
    value, *grads = student_value_and_grad(*given)
    fewer = student_value_and_grad(given[0][:, :2], given[1][:, :2].copy(), *given[2:])[0]
    np.testing.assert_allclose(value, fewer, rtol=1e-12)
    assert all(np.isfinite(g).all() for g in grads)


def test_digamma():
    x = np.geomspace(1e-3, 1e6, 60)
    np.testing.assert_allclose([digamma(v) for v in x], psi(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mode", ["NUMBA", pytensor.compile.Mode(linker="py")])
def test_operation_hands_on_value_and_gradient(case, mode):
    kinds = (pt.dmatrix, pt.dmatrix, pt.dvector, pt.dscalar, pt.dmatrix, pt.lvector)
    inputs = [kind() for kind in kinds]
    value = 2.0 * student_loglik_op(*inputs)[0]
    compiled = pytensor.function(inputs, [value, *pytensor.grad(value, inputs[:4])], mode=mode)
    given = arguments(case(3), 4.0)
    first, *grads = student_value_and_grad(*given)
    for have, want in zip(compiled(*given), [first.sum(), *grads], strict=True):
        np.testing.assert_allclose(have, 2.0 * np.asarray(want), rtol=1e-12)


def test_jax_gives_the_same(case):
    jax = pytest.importorskip("jax")
    from bayes_mdd.shared_specific.likelihood import jax_kernels as collapsed_jax

    given = arguments(case(3), 4.0)
    with jax.enable_x64(True):
        value, *grads = jax.jit(collapsed_jax._student_with_gradients)(*given)
    want, *want_grads = student_value_and_grad(*given)
    assert float(value) == pytest.approx(want.sum(), rel=1e-10)
    for have, expected in zip(grads, want_grads, strict=True):
        np.testing.assert_allclose(have, expected, rtol=1e-8, atol=1e-10)


def test_wrong_number_of_dimensions_is_refused():
    with pytest.raises(TypeError, match="dimensions"):
        student_loglik_op(pt.dvector(), pt.dmatrix(), pt.dvector(), 3.0, pt.dmatrix(), pt.lvector())


def test_predictive_draws_have_the_spread_of_the_model():
    """Second moments at fixed parameters: nu / (nu - 2) sigma_b^2 (I + H D_b^2 H')."""
    rng = np.random.default_rng(3)
    scores, block = rng.normal(size=(4, 2)), np.repeat([0, 1], 200_000)
    tau, noise, df = np.array([[0.5, 1.0], [0.0, 0.3]]), np.array([0.7, 1.4]), np.array(9.0)
    y = _random_student(scores, tau, noise, df, block, rng=rng)
    for b in range(2):
        part = y[block == b]
        want = noise[b] ** 2 * 9 / 7 * (np.eye(4) + scores * tau[b] ** 2 @ scores.T)
        np.testing.assert_allclose(part.T @ part / len(part), want, rtol=0.03, atol=0.03)
