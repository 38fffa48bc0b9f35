"""Estimators whose tuning in inner folds scikit-learn does not offer, or not as quickly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC, SVR

from bayes_mdd.types import Array, IntArray

#: Inner folds of the tuning.
INNER: Final = 3
#: Candidates: C of logistic regression and of support vector machines.
LOGISTIC_C: Final = (0.01, 0.1, 1.0)
SVM_C: Final = (0.1, 1.0, 10.0)
#: A linear predictor of an event is cut to these probabilities.
LOWEST: Final = 0.02


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
        for train, test in inner_folds(y, self.seed):
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
        for train, test in inner_folds(y, self.seed):
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
        for train, test in inner_folds(None, self.seed, len(y)):
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


def inner_folds(y: Array | None, seed: int, n: int = 0) -> list[tuple[IntArray, IntArray]]:
    """Divide training patients into folds for the tuning.

    Each class is dealt to all folds, so that every training part has both.

    Parameters
    ----------
    y : ndarray of shape (patient,), or None
        The event, above 0; None for outcomes in points.
    seed : int
        Of the division.
    n : int, default 0
        Number of patients, where `y` is None.

    Returns
    -------
    list of (ndarray of int, ndarray of int)
        Rows to learn from and rows to predict.
    """
    rng = np.random.default_rng(seed)
    groups = [np.arange(n)] if y is None else [np.flatnonzero(y > 0), np.flatnonzero(y <= 0)]
    order = np.concatenate([rng.permutation(g) for g in groups])
    fold = np.empty(order.size, dtype=np.int64)
    fold[order] = np.arange(order.size) % INNER
    return [(np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in range(INNER)]
