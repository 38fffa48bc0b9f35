"""Predictors of the benefit of the other drug, learned from the training patients of a fold.

Each returns the expected benefit, in points, of the other drug for test patients: the outcome on
the default minus that on the other drug, where lower outcomes are better.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import numpy as np
from scipy import stats
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import RidgeCV

from bayes_mdd.baselines.methods import MAJORITY
from bayes_mdd.baselines.pipelines import PENALTIES, Effort
from bayes_mdd.errors import SpecError
from bayes_mdd.types import Array, BoolArray, IntArray

#: Columns that the personalised advantage index screens, and the level at which it keeps them.
PAI_SCREENED: Final = 10
PAI_LEVEL: Final = 0.05
#: Draws of the causal forest: warm starts, burn-in and draws.
BCF_DRAWS: Final = {"num_gfr": 10, "num_burnin": 0, "num_mcmc": 200}


def predict_benefit(
    method: str, train: Array, other: BoolArray, outcome: Array, test: Array, effort: Effort
) -> Array:
    """Learn the benefit of the other drug, and predict it.

    Parameters
    ----------
    method : str
        A method that chooses a drug.
    train : ndarray, shape (patient, column)
        Columns of the view, of the training patients.
    other : ndarray of bool, shape (patient,)
        Whether each training patient received the other drug.
    outcome : ndarray, shape (patient,)
        Outcome of the training patients, lower is better.
    test : ndarray, shape (test patient, column)
        Columns of the patients to predict.
    effort : Effort
        Seed and number of trees.

    Returns
    -------
    ndarray, shape (test patient,)
        Expected benefit of the other drug, in points.
    """
    if method == MAJORITY:
        return np.zeros(len(test))
    if not train.shape[1]:
        return np.full(len(test), outcome[~other].mean() - outcome[other].mean())
    if method == "ridge interactions":
        return _ridge(train, other, outcome, test)
    if method == "t-learner forest":
        return _forests(train, other, outcome, test, effort)
    if method == "pai":
        return _advantage_index(train, other, outcome, test)
    return _causal_forest(train, other, outcome, test, effort)


def _ridge(train: Array, other: BoolArray, outcome: Array, test: Array) -> Array:
    centre = train.mean(axis=0)
    x, new = train - centre, test - centre
    code = np.where(other, 0.5, -0.5)
    # Twice the code, so that main effects and interactions have the same scale.
    columns = np.column_stack([x, 2 * code[:, None] * x, 2 * code])
    slope = RidgeCV(PENALTIES).fit(columns, outcome).coef_
    k = x.shape[1]
    return np.asarray(-2 * (slope[-1] + new @ slope[k : 2 * k]))


def _forests(train: Array, other: BoolArray, outcome: Array, test: Array, effort: Effort) -> Array:
    expected = [
        RandomForestRegressor(
            effort.trees,
            min_samples_leaf=5,
            max_features="sqrt",
            random_state=effort.seed,
            n_jobs=1,
        )
        .fit(train[arm], outcome[arm])
        .predict(test)
        for arm in (~other, other)
    ]
    return np.asarray(expected[0] - expected[1])


def _advantage_index(train: Array, other: BoolArray, outcome: Array, test: Array) -> Array:
    """Screen main effects and interactions, eliminate backwards, and fit by least squares."""
    code = np.where(other, 0.5, -0.5)
    centre = train.mean(axis=0)
    x, new = train - centre, test - centre
    main = strongest(x, outcome, PAI_SCREENED)
    both = strongest_interactions(x, code, outcome, PAI_SCREENED)
    terms = [("main", int(j)) for j in main] + [("arm", int(j)) for j in both]
    while terms:
        design = _design(terms, x, code)
        p = _p_values(design, outcome)[2:]
        worst = int(np.argmax(p))
        if p[worst] <= PAI_LEVEL:
            break
        terms.pop(worst)
    slope = np.linalg.lstsq(_design(terms, x, code), outcome, rcond=None)[0]
    size = np.full(len(new), slope[1])
    for (kind, j), b in zip(terms, slope[2:], strict=True):
        if kind == "arm":
            size = size + b * new[:, j]
    return np.asarray(-size)


def _design(terms: list[tuple[str, int]], x: Array, code: Array) -> Array:
    columns = [x[:, j] if kind == "main" else code * x[:, j] for kind, j in terms]
    return np.column_stack([np.ones(len(x)), code, *columns])


def _p_values(design: Array, y: Array) -> Array:
    inverse = np.linalg.pinv(design.T @ design)
    slope = inverse @ design.T @ y
    free = max(len(y) - np.linalg.matrix_rank(design), 1)
    variance = ((y - design @ slope) ** 2).sum() / free
    error = np.sqrt(np.maximum(variance * np.diag(inverse), 1e-300))
    return np.asarray(2 * stats.t.sf(np.abs(slope) / error, free))


def strongest(x: Array, y: Array, most: int) -> IntArray:
    """Select the columns that correlate most with an outcome.

    Parameters
    ----------
    x : ndarray, shape (patient, column)
        Columns.
    y : ndarray, shape (patient,)
        Outcome.
    most : int
        Number of columns to select.

    Returns
    -------
    ndarray of int
        Positions, the strongest first.
    """
    centred = x - x.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    size = np.abs(centred.T @ (y - y.mean())) / np.where(length > 0, length, np.inf)
    return np.asarray(np.argsort(-size, kind="stable")[:most])


def strongest_interactions(x: Array, code: Array, y: Array, most: int) -> IntArray:
    """Select the columns whose slope differs most between arms.

    Parameters
    ----------
    x : ndarray, shape (patient, column)
        Columns.
    code : ndarray, shape (patient,)
        -1/2 for the default, 1/2 for the other drug.
    y : ndarray, shape (patient,)
        Outcome.
    most : int
        Number of columns to select.

    Returns
    -------
    ndarray of int
        Positions, the strongest first.
    """
    score = np.empty(x.shape[1])
    slopes = []
    for arm in (code > 0, code <= 0):
        centred = x[arm] - x[arm].mean(axis=0)
        square = np.maximum((centred**2).sum(axis=0), 1e-300)
        slope = centred.T @ (y[arm] - y[arm].mean()) / square
        left = ((y[arm] - y[arm].mean()) ** 2).sum() - slope**2 * square
        slopes.append((slope, np.maximum(left, 1e-300) / max(arm.sum() - 2, 1) / square))
    (first, of_first), (second, of_second) = slopes
    score = np.abs(first - second) / np.sqrt(of_first + of_second)
    return np.asarray(np.argsort(-score, kind="stable")[:most])


def import_bcf() -> Any:
    """Import the package of the causal forest.

    Returns
    -------
    module
        stochtree.

    Raises
    ------
    SpecError
        If it is not installed.
    """
    try:
        return import_module("stochtree")
    except ImportError as error:
        raise SpecError(
            "method 'bcf' requires stochtree, which is not installed: pip install "
            f"'bayes-mdd[bcf]' ({error}). Alternatively, leave 'bcf' out of methods."
        ) from error


def _causal_forest(
    train: Array, other: BoolArray, outcome: Array, test: Array, effort: Effort
) -> Array:
    model = import_bcf().BCFModel()
    # stochtree wants contiguous arrays.
    x, new = np.ascontiguousarray(train), np.ascontiguousarray(test)
    treated, share = other.astype(float), float(other.mean())
    model.sample(
        X_train=x,
        Z_train=treated,
        y_train=np.ascontiguousarray(outcome),
        propensity_train=np.full(len(x), share),
        X_test=new,
        Z_test=np.zeros(len(new)),
        propensity_test=np.full(len(new), share),
        general_params={"random_seed": effort.seed, "num_threads": 1},
        **BCF_DRAWS,
    )
    effect = np.asarray(model.tau_hat_test)
    return np.asarray(-effect.reshape(len(new), -1).mean(axis=1))
