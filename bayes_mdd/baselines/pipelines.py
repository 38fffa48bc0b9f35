"""One scikit-learn pipeline per method and question; what it tunes is tuned in inner folds."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from scipy.special import expit
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import SelectKBest, f_classif, f_regression
from sklearn.linear_model import ElasticNetCV, LassoLarsCV, LogisticRegression, RidgeCV
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from bayes_mdd.baselines.methods import CLINICAL, FACTORS, MAJORITY, Question
from bayes_mdd.types import Array, IntArray

#: Inner folds of the tuning.
INNER: Final = 3
#: Fewest training patients with, and without, the event; otherwise their share is predicted.
LEAST_CLASS: Final = 2
#: Candidates: penalties of ridge, C of logistic regression and of support vector machines.
PENALTIES: Final = np.logspace(-2, 3, 11)
LOGISTIC_C: Final = (0.01, 0.1, 1.0)
SVM_C: Final = (0.1, 1.0, 10.0)
#: Elastic net: share of the L1 penalty, and smallest over largest penalty.
L1_SHARE, SHORTEST = 0.5, 0.05
#: Features that boosting keeps, screened in the training patients.
SCREENED: Final = 128
#: Trees of a forest; fewer in permutations, for the observed outcomes as for the permuted ones.
TREES, FEW_TREES = 64, 24
#: A linear predictor of an event is cut to these probabilities.
LOWEST: Final = 0.02
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


class LinearProbability(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A regression on 0 and 1, whose predictions are cut to probabilities.

    Parameters
    ----------
    regression : estimator
        The regression.
    """

    def __init__(self, regression: Any) -> None:
        self.regression = regression

    def fit(self, x: Array, y: Array) -> Self:
        """Fit the regression.

        Parameters
        ----------
        x : ndarray, shape (patient, column)
            Columns.
        y : ndarray, shape (patient,)
            0 or 1.

        Returns
        -------
        LinearProbability
            Itself.
        """
        self.classes_ = np.array([0, 1])
        self.fitted_ = clone(self.regression).fit(x, np.asarray(y, dtype=float))
        return self

    def predict_proba(self, x: Array) -> Array:
        """Predict probabilities.

        Parameters
        ----------
        x : ndarray, shape (patient, column)
            Columns.

        Returns
        -------
        ndarray, shape (patient, 2)
            Of no event and of the event.
        """
        p = _squeeze(self.fitted_.predict(x))
        return np.column_stack([1 - p, p])


def _squeeze(p: Array) -> Array:
    """Cut to probabilities, with the order of the predictions outside kept."""
    inside = np.clip(p, LOWEST, 1 - LOWEST)
    return np.asarray(inside + (LOWEST / 2) * np.tanh(p - inside))


class TunedLogistic(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Logistic regression with a ridge penalty that is tuned in inner folds.

    Parameters
    ----------
    seed : int
        Of the inner folds.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def fit(self, x: Array, y: Array) -> Self:
        """Tune and fit.

        Parameters
        ----------
        x : ndarray, shape (patient, column)
            Columns.
        y : ndarray, shape (patient,)
            0 or 1.

        Returns
        -------
        TunedLogistic
            Itself.
        """
        self.classes_ = np.array([0, 1])
        loss = np.zeros(len(LOGISTIC_C))
        for train, test in _inner(y, self.seed):
            for i, c in enumerate(LOGISTIC_C):
                p = _logistic(c).fit(x[train], y[train]).predict_proba(x[test])[:, 1]
                loss[i] += _log_loss(p, y[test])
        self.fitted_ = _logistic(LOGISTIC_C[int(np.argmin(loss))]).fit(x, y)
        return self

    def predict_proba(self, x: Array) -> Array:
        """Predict probabilities.

        Parameters
        ----------
        x : ndarray, shape (patient, column)
            Columns.

        Returns
        -------
        ndarray, shape (patient, 2)
            Of no event and of the event.
        """
        return np.asarray(self.fitted_.predict_proba(x))


def _logistic(c: float) -> LogisticRegression:
    return LogisticRegression(C=c, max_iter=200, tol=1e-3)


class CalibratedSVM(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A support vector machine with tuned C, and a logistic curve from inner folds.

    Parameters
    ----------
    kernel : {"linear", "rbf"}
        The kernel. The width of "rbf" is the total variance of the columns.
    seed : int
        Of the inner folds.
    """

    def __init__(self, kernel: str, seed: int) -> None:
        self.kernel = kernel
        self.seed = seed

    def fit(self, x: Array, y: Array) -> Self:
        """Tune, fit and calibrate.

        Parameters
        ----------
        x : ndarray, shape (patient, column)
            Columns.
        y : ndarray, shape (patient,)
            0 or 1.

        Returns
        -------
        CalibratedSVM
            Itself.
        """
        self.classes_ = np.array([0, 1])
        self.kernel_ = Kernel.of(self.kernel, x)
        gram = self.kernel_.products(x)
        held = np.zeros((len(SVM_C), len(y)))
        for train, test in _inner(y, self.seed):
            for i, c in enumerate(SVM_C):
                machine = SVC(kernel="precomputed", C=c).fit(gram[np.ix_(train, train)], y[train])
                held[i, test] = machine.decision_function(gram[np.ix_(test, train)])
        event = y > 0
        won = [(v[event][:, None] > v[~event]).mean() for v in held]
        best = int(np.argmax(won))
        curve = LogisticRegression().fit(held[best][:, None], y)
        # A machine worse than chance in inner folds is not turned around.
        self.slope_, self.level_ = max(float(curve.coef_[0, 0]), 0.0), float(curve.intercept_[0])
        self.machine_ = SVC(kernel="precomputed", C=SVM_C[best]).fit(gram, y)
        return self

    def predict_proba(self, x: Array) -> Array:
        """Predict probabilities.

        Parameters
        ----------
        x : ndarray, shape (patient, column)
            Columns.

        Returns
        -------
        ndarray, shape (patient, 2)
            Of no event and of the event.
        """
        decision = self.machine_.decision_function(self.kernel_.products(x))
        p = expit(self.slope_ * decision + self.level_)
        return np.column_stack([1 - p, p])


class TunedSVR(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Support vector regression of the standardised outcome, with tuned C.

    Parameters
    ----------
    kernel : {"linear", "rbf"}
        The kernel.
    seed : int
        Of the inner folds.
    """

    def __init__(self, kernel: str, seed: int) -> None:
        self.kernel = kernel
        self.seed = seed

    def fit(self, x: Array, y: Array) -> Self:
        """Tune and fit.

        Parameters
        ----------
        x : ndarray, shape (patient, column)
            Columns.
        y : ndarray, shape (patient,)
            Outcome.

        Returns
        -------
        TunedSVR
            Itself.
        """
        self.level_, self.spread_ = float(y.mean()), float(y.std()) or 1.0
        standard = (y - self.level_) / self.spread_
        self.kernel_ = Kernel.of(self.kernel, x)
        gram = self.kernel_.products(x)
        loss = np.zeros(len(SVM_C))
        for train, test in _inner(None, self.seed, len(y)):
            for i, c in enumerate(SVM_C):
                machine = SVR(kernel="precomputed", C=c)
                machine.fit(gram[np.ix_(train, train)], standard[train])
                left = standard[test] - machine.predict(gram[np.ix_(test, train)])
                loss[i] += float((left**2).sum())
        best = SVM_C[int(np.argmin(loss))]
        self.machine_ = SVR(kernel="precomputed", C=best).fit(gram, standard)
        return self

    def predict(self, x: Array) -> Array:
        """Predict the outcome.

        Parameters
        ----------
        x : ndarray, shape (patient, column)
            Columns.

        Returns
        -------
        ndarray, shape (patient,)
            Points.
        """
        standard = self.machine_.predict(self.kernel_.products(x))
        return np.asarray(standard * self.spread_ + self.level_)


@dataclass(frozen=True, eq=False)
class Kernel:
    """Products with the training patients.

    Parameters
    ----------
    name : {"linear", "rbf"}
        The kernel.
    x : ndarray, shape (patient, column)
        Training patients.
    width : float
        Total variance of the columns.
    """

    name: str
    x: Array
    width: float

    @classmethod
    def of(cls, name: str, x: Array) -> Self:
        """Build the kernel of training patients.

        Parameters
        ----------
        name : {"linear", "rbf"}
            The kernel.
        x : ndarray, shape (patient, column)
            Training patients.

        Returns
        -------
        Kernel
            The kernel.
        """
        return cls(name, x, max(float(x.var(axis=0).sum()), 1e-12))

    def products(self, new: Array) -> Array:
        """Compute products of new patients with the training patients.

        Parameters
        ----------
        new : ndarray, shape (new patient, column)
            Columns.

        Returns
        -------
        ndarray, shape (new patient, patient)
            Products.
        """
        product = new @ self.x.T
        if self.name == "linear":
            return np.asarray(product)
        squares = (new**2).sum(axis=1)[:, None] + (self.x**2).sum(axis=1) - 2 * product
        return np.asarray(np.exp(-np.maximum(squares, 0.0) / self.width))


def _log_loss(p: Array, y: Array) -> float:
    return float(-np.log(np.clip(np.where(y > 0, p, 1 - p), 1e-9, 1)).sum())


def _inner(y: Array | None, seed: int, n: int = 0) -> list[tuple[IntArray, IntArray]]:
    """Inner folds; each class is dealt to all, so that every training part has both."""
    rng = np.random.default_rng(seed)
    groups = [np.arange(n)] if y is None else [np.flatnonzero(y > 0), np.flatnonzero(y <= 0)]
    order = np.concatenate([rng.permutation(g) for g in groups])
    fold = np.empty(order.size, dtype=np.int64)
    fold[order] = np.arange(order.size) % INNER
    return [(np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in range(INNER)]


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
