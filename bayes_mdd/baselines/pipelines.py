"""One scikit-learn pipeline per method and question; what it tunes is tuned in inner folds."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from sklearn import config_context
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import SelectKBest, f_classif, f_regression
from sklearn.linear_model import ElasticNetCV, LassoLarsCV, RidgeCV
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from bayes_mdd.baselines.estimators import (
    INNER,
    CalibratedSVM,
    LinearProbability,
    TunedLogistic,
    TunedSVR,
)
from bayes_mdd.baselines.methods import CLINICAL, FACTORS, MAJORITY, Question
from bayes_mdd.types import Array

#: Fewest training patients with, and without, the event; otherwise their share is predicted.
LEAST_CLASS: Final = 2
#: Candidates: penalties of ridge.
PENALTIES: Final = np.logspace(-2, 3, 11)
#: Elastic net: share of the L1 penalty, and smallest over largest penalty.
L1_SHARE, SHORTEST = 0.5, 0.05
#: Features that boosting keeps, screened in the training patients.
SCREENED: Final = 128
#: Trees of a forest; fewer in permutations, for the observed outcomes as for the permuted ones.
TREES, FEW_TREES = 64, 24
#: Form of the columns that each method takes.
FORMS: Final = {
    "elastic net": "single",
    "random forest": "single",
    "boosting": "single",
    "pca + lars": "components",
    "t-learner forest": "single",
    "pai": "single",
    "bcf": "components",
}


@dataclass(frozen=True)
class Effort:
    """How much a pipeline computes.

    Parameters
    ----------
    seed : int
        Of inner folds and trees.
    trees : int
        Trees of a forest.
    """

    seed: int
    trees: int = TREES


def build_pipeline(method: str, question: Question, columns: int, effort: Effort) -> Pipeline:
    """Build the steps of a method that see the outcome, or are its own.

    Parameters
    ----------
    method : str
        A method that predicts the outcome.
    question : {"event", "points"}
        What is predicted.
    columns : int
        Number of columns of the view.
    effort : Effort
        Seed and number of trees.

    Returns
    -------
    Pipeline
        For the columns of a view in the form that `FORMS` says, rotated by default.
    """
    event = question == "event"
    steps: list[tuple[str, Any]] = []
    if method == "boosting" and columns > SCREENED:
        steps.append(("screen", SelectKBest(f_classif if event else f_regression, k=SCREENED)))
    if method in ("pca + lars", FACTORS):
        steps.append(("scale", StandardScaler()))
    steps.append(("model", _model(method, event, effort)))
    return Pipeline(steps)


def _model(method: str, event: bool, effort: Effort) -> Any:
    seed = effort.seed
    if method == MAJORITY:
        return DummyClassifier(strategy="prior") if event else DummyRegressor()
    if method in ("logistic", CLINICAL, FACTORS) and event:
        return TunedLogistic(seed)
    if method.startswith("svm"):
        kernel = method.removeprefix("svm ")
        return CalibratedSVM(kernel, seed) if event else TunedSVR(kernel, seed)
    if method == "random forest":
        forest = RandomForestClassifier if event else RandomForestRegressor
        return forest(
            effort.trees, min_samples_leaf=3, max_features="sqrt", random_state=seed, n_jobs=1
        )
    if method == "boosting":
        boosted = HistGradientBoostingClassifier if event else HistGradientBoostingRegressor
        return boosted(
            max_iter=50, max_leaf_nodes=4, l2_regularization=1.0, early_stopping=False,
            random_state=seed,
        )  # fmt: skip
    regression = {
        "elastic net": _ElasticNet(seed),
        "pca + lars": LassoLarsCV(max_iter=30, cv=KFold(INNER, shuffle=True, random_state=seed)),
    }.get(method, RidgeCV(PENALTIES))
    return LinearProbability(regression) if event else regression


class _ElasticNet(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Elastic net with its penalty tuned along a short path."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def fit(self, x: Array, y: Array) -> Self:
        largest = float(np.abs((x - x.mean(axis=0)).T @ (y - y.mean())).max()) / len(y) / L1_SHARE
        path = max(largest, 1e-12) * np.logspace(0, np.log10(SHORTEST), 12)
        inner = KFold(INNER, shuffle=True, random_state=self.seed)
        tuned = ElasticNetCV(l1_ratio=L1_SHARE, alphas=path, tol=1e-3, precompute=False, cv=inner)
        self.fitted_ = tuned.fit(x, y)
        return self

    def predict(self, x: Array) -> Array:
        return np.asarray(self.fitted_.predict(x))


def predict_outcome(
    method: str, question: Question, train: Array, y: Array, test: Array, effort: Effort
) -> Array:
    """Fit a method to training patients, and predict test patients.

    Parameters
    ----------
    method : str
        A method that predicts the outcome.
    question : {"event", "points"}
        What is predicted.
    train : ndarray, shape (patient, column)
        Columns of the view, of the training patients.
    y : ndarray, shape (patient,)
        Outcome of the training patients.
    test : ndarray, shape (test patient, column)
        Columns of the patients to predict.
    effort : Effort
        Seed and number of trees.

    Returns
    -------
    ndarray, shape (test patient,)
        Probability of the event, or points.
    """
    event = question == "event"
    too_few = event and min((y > 0).sum(), (y <= 0).sum()) < LEAST_CLASS
    if not train.shape[1] or too_few:
        method = MAJORITY
        train, test = np.zeros((len(train), 1)), np.zeros((len(test), 1))
    pipeline = build_pipeline(method, question, train.shape[1], effort)
    with warnings.catch_warnings(), config_context(assume_finite=True):
        # Paths that end early, and penalties at the end of the grid, are part of the tuning.
        warnings.simplefilter("ignore", ConvergenceWarning)
        pipeline.fit(train, y.astype(int) if event else y)
    if event:
        return np.asarray(pipeline.predict_proba(test)[:, 1])
    return np.asarray(pipeline.predict(test))
