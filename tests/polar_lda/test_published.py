"""Agreement with the published program from its own starting points."""

from __future__ import annotations

import numpy as np
import pytest

from bayes_mdd.errors import DataContractError
from bayes_mdd.polar_lda import fit_counts, read_documents, read_published_model

RUNS = ("run_k2_r1", "run_k3_r1", "run_k3_r2")


@pytest.fixture(scope="module")
def golden(shared_data):
    folder = shared_data("polar_lda")
    return folder, read_documents(folder / "corpus.dat", 190).astype(np.int32)


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize(("step", "iterations"), [("005", 5), ("final", 101)])
def test_same_numbers_from_the_same_start(golden, run, step, iterations):
    folder, counts = golden
    start = read_published_model(folder / run, "000")
    found = fit_counts(counts, start=start, max_iterations=None if step == "final" else 5, n_jobs=1)
    wanted = read_published_model(folder / run, step)
    history = np.loadtxt(folder / run / "likelihood.dat")[:iterations, 0]

    assert found.attrs["iterations"] == iterations
    np.testing.assert_allclose(found["history"], history, rtol=0, atol=1e-5)
    assert found.attrs["elbo"] == pytest.approx(history[-1], abs=1e-5)
    assert found.attrs["alpha"] == pytest.approx(wanted.attrs["alpha"], rel=1e-7)
    np.testing.assert_allclose(found["composition"], wanted["composition"], rtol=0, atol=1e-7)
    np.testing.assert_allclose(found["beta"], wanted["beta"], rtol=0, atol=1e-8)
    estimable = wanted["beta"].values > 1e-6
    np.testing.assert_allclose(
        found["rho"].values[estimable], wanted["rho"].values[estimable], rtol=0, atol=1e-6
    )


def test_a_start_may_hold_logarithms_as_the_files_do(golden):
    folder, counts = golden
    logs = {name: np.loadtxt(folder / "run_k2_r1" / f"000.{name}") for name in ("beta", "rho")}
    given = fit_counts(counts, start=logs, max_iterations=2, n_jobs=1)
    read = fit_counts(
        counts, start=read_published_model(folder / "run_k2_r1", "000"), max_iterations=2, n_jobs=1
    )
    np.testing.assert_allclose(given["beta"], read["beta"], rtol=1e-9)


@pytest.mark.parametrize(("n_factors", "best"), [(2, -171919.5378039219), (3, -167018.6546491890)])
def test_own_restarts_reach_the_best_published_bound(golden, n_factors, best):
    found = fit_counts(golden[1], n_factors, n_restarts=10, seed=1)
    assert found.attrs["elbo"] >= best
    assert np.isclose(found["restart_elbo"].max(), found.attrs["elbo"])


def test_own_restarts_find_the_truth(golden):
    folder, counts = golden
    with np.load(folder / "truth.npz") as truth:
        np.testing.assert_array_equal(truth["X"], counts)
        theta = truth["theta"]
    found = fit_counts(counts, 3, n_restarts=3)["composition"].values
    published = read_published_model(folder / "run_k3_r1")["composition"].values
    r, theirs = (np.corrcoef(theta.T, x.T)[:3, 3:] for x in (found, published))
    assert len(set(r.argmax(axis=1))) == 3
    np.testing.assert_allclose(np.sort(r.max(axis=1)), np.sort(theirs.max(axis=1)), atol=1e-3)
    assert r.max(axis=1).min() > 0.98


def test_all_invalid_lines_of_documents_are_named(tmp_path):
    path = tmp_path / "corpus.dat"
    path.write_text("2 0:3 1:-2\n3 0:1\n1 7:1\n1 0:x\n", encoding="utf-8")
    with pytest.raises(DataContractError) as caught:
        read_documents(path, 5)
    assert [p.split(":")[0] for p in caught.value.problems] == ["line 2", "line 3", "line 4"]
    path.write_text("2 0:3 1:-2\n", encoding="utf-8")
    assert read_documents(path, 3).tolist() == [[3, -2, 0]]


def test_files_of_a_model_whose_sizes_differ_are_named(tmp_path):
    np.savetxt(tmp_path / "final.beta", np.zeros((2, 4)))
    np.savetxt(tmp_path / "final.rho", np.zeros((3, 4)))
    np.savetxt(tmp_path / "final.gamma", np.ones((5, 4)))
    (tmp_path / "final.other").write_text("alpha 0.5\n")
    with pytest.raises(DataContractError) as error:
        read_published_model(tmp_path)
    assert "final.beta has 2 rows of 4 numbers, final.rho 3 of 4" in str(error.value)
    assert "final.gamma has 4 columns, final.beta 2 rows" in str(error.value)
