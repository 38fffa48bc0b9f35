"""Columns of the views of one fold: every step is learned from the training patients only.

None of these steps sees an outcome or an arm, so that all methods and permutations share them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from bayes_mdd.baselines.cases import Cases
from bayes_mdd.baselines.methods import BOTH, CLINICAL, EARLY, IMAGING
from bayes_mdd.dims import SUBJECT
from bayes_mdd.features import harmonize_sites
from bayes_mdd.response.design import build_design, learn_coding
from bayes_mdd.types import Array, IntArray

#: Largest number of principal components that PCA + LARS sees.
COMPONENTS = 30
#: Residual degrees of freedom that the reference needs, as for `reference_to_controls`.
LEAST_FREE = 3


class AdjustEdges(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Harmonise sites, standardise against the reference, and remove means of sites.

    Parameters
    ----------
    cases : Cases
        Patients and controls.

    Notes
    -----
    Rows are positions of patients, shape (patient, 1). The reference are the healthy controls,
    who are in no fold, or without them the training patients. Means of sites are those of the
    training patients; patients of a site without training patients keep their values.
    """

    def __init__(self, cases: Cases) -> None:
        self.cases = cases

    def fit(self, rows: IntArray, y: Array | None = None) -> Self:
        """Learn from training patients.

        Parameters
        ----------
        rows : ndarray of int, shape (patient, 1)
            Their positions.
        y : ndarray, optional
            Not used.

        Returns
        -------
        AdjustEdges
            Itself.
        """
        cases, at = self.cases, rows[:, 0]
        edges, controls = _harmonised(cases, at)
        if cases.referenced:
            edges = _standardised(cases, edges, controls, at)
        if cases.harmonise == "site":
            for site in np.unique(cases.site[at]):
                mean = edges[at[cases.site[at] == site]].mean(axis=0)
                edges = np.where((cases.site == site)[:, None], edges - mean, edges)
        self.adjusted_ = edges
        return self

    def transform(self, rows: IntArray) -> Array:
        """Take adjusted features.

        Parameters
        ----------
        rows : ndarray of int, shape (patient, 1)
            Positions of patients.

        Returns
        -------
        ndarray, shape (patient, feature)
            Adjusted features.
        """
        return np.asarray(self.adjusted_[rows[:, 0]])


def _harmonised(cases: Cases, train: IntArray) -> tuple[Array, Array]:
    if cases.combat_features is None:
        return cases.edges, cases.controls
    ids = np.array(cases.prepared.subjects)
    features = cases.combat_features
    names = features[SUBJECT].values.astype(str)
    healthy = ~np.isin(names, ids)
    done = harmonize_sites(features, train=[*ids[train], *names[healthy]])["y"].values
    at = {name: i for i, name in enumerate(names)}
    return done[[at[i] for i in ids]], done[healthy]


def _standardised(cases: Cases, edges: Array, controls: Array, train: IntArray) -> Array:
    ones = np.ones((len(edges), 1))
    design = np.column_stack([ones, cases.nuisance])
    of_controls = np.column_stack([np.ones((len(controls), 1)), cases.nuisance_controls])
    if len(controls):
        fitted, values = of_controls, controls
    else:
        fitted, values = design[train], edges[train]
    weights = np.linalg.lstsq(fitted, values, rcond=None)[0]
    free = max(len(fitted) - np.linalg.matrix_rank(fitted), 1)
    sd = np.sqrt(((values - fitted @ weights) ** 2).sum(axis=0) / free)
    return np.asarray((edges - design @ weights) / np.where(sd > 0, sd, 1.0))


def prepare_edges(cases: Cases) -> Pipeline:
    """Build the steps that turn features as given into columns of a fold.

    Parameters
    ----------
    cases : Cases
        Patients and controls.

    Returns
    -------
    Pipeline
        Of positions of patients, shape (patient, 1).
    """
    return Pipeline([("adjust", AdjustEdges(cases)), ("scale", StandardScaler())])


@dataclass(frozen=True, eq=False)
class Fold:
    """Columns of the training and test patients of one fold.

    Parameters
    ----------
    train, test : ndarray of int
        Positions of patients.
    clinical : tuple of ndarray
        Coded clinical columns of training and test patients, standardised.
    early : tuple of ndarray
        The early change.
    scans : tuple of ndarray
        Features, standardised.
    rotated : tuple of ndarray
        Principal components of the training patients, and the distance from their span; total
        variance 1. Distances and products are those of all features.
    """

    train: IntArray
    test: IntArray
    clinical: tuple[Array, Array]
    early: tuple[Array, Array]
    scans: tuple[Array, Array]
    rotated: tuple[Array, Array]

    def view(self, name: str, form: str) -> tuple[Array, Array]:
        """Columns of a view.

        Parameters
        ----------
        name : str
            The view.
        form : {"single", "rotated", "components"}
            Features one by one; rotated, with the total variance of the clinical columns; or
            the first principal components.

        Returns
        -------
        train, test : ndarray, shape (patient, column)
            Columns.
        """
        if name == CLINICAL:
            return self.clinical
        if name == EARLY:
            return _beside(self.clinical, self.early)
        weight = np.sqrt(max(self.clinical[0].shape[1], 1))
        block = {
            "single": self.scans,
            "rotated": (self.rotated[0] * weight, self.rotated[1] * weight),
            "components": (self.rotated[0][:, :COMPONENTS], self.rotated[1][:, :COMPONENTS]),
        }[form]
        return block if name == IMAGING else _beside(self.clinical, block)


def _beside(left: tuple[Array, Array], right: tuple[Array, Array]) -> tuple[Array, Array]:
    return np.column_stack([left[0], right[0]]), np.column_stack([left[1], right[1]])


def build_fold(
    cases: Cases, train: IntArray, test: IntArray, *, scans: bool = True, chosen: IntArray | None
) -> Fold:
    """Learn all columns of a fold from its training patients.

    Parameters
    ----------
    cases : Cases
        Patients and controls.
    train, test : ndarray of int
        Positions of patients.
    scans : bool, default True
        Whether features of scans are needed.
    chosen : ndarray of int or None
        Features to keep; all by default.

    Returns
    -------
    Fold
        Columns of both groups.
    """
    empty = np.zeros((len(train), 0)), np.zeros((len(test), 0))
    single = rotated = empty
    if scans:
        steps = prepare_edges(cases).fit(train[:, None])
        single = steps.transform(train[:, None]), steps.transform(test[:, None])
        if chosen is not None:
            single = single[0][:, chosen], single[1][:, chosen]
        rotated = _rotate(*single)
    return Fold(
        train, test, _clinical(cases, train, test), _early(cases, train, test), single, rotated
    )


def _rotate(train: Array, test: Array) -> tuple[Array, Array]:
    values, vectors = np.linalg.eigh(train @ train.T)
    kept = values > 1e-9 * max(values[-1], 1e-300)
    length, vectors = np.sqrt(values[kept][::-1]), vectors[:, kept][:, ::-1]
    along = test @ (train.T @ (vectors / length))
    left = np.sqrt(np.maximum((test**2).sum(axis=1) - (along**2).sum(axis=1), 0.0))
    scale = np.sqrt(max((length**2).sum() / len(train), 1e-300))
    return (
        np.column_stack([vectors * length, np.zeros(len(train))]) / scale,
        np.column_stack([along, left]) / scale,
    )


def _clinical(cases: Cases, train: IntArray, test: IntArray) -> tuple[Array, Array]:
    learned, held = cases.table.iloc[train], cases.table.iloc[test]
    names = [c for c in cases.clinical if learned[c].nunique() > 1]
    codings = learn_coding(learned, names, None)
    blocks = [build_design(t, codings)[0][:, 1:] for t in (learned, held)]
    sd = blocks[0].std(axis=0)
    kept = sd > 0
    return blocks[0][:, kept] / sd[kept], blocks[1][:, kept] / sd[kept]


def _early(cases: Cases, train: IntArray, test: IntArray) -> tuple[Array, Array]:
    if cases.early is None:
        return np.zeros((len(train), 0)), np.zeros((len(test), 0))
    missing = np.isnan(cases.early)
    known = cases.early[train][~missing[train]]
    mean, sd = (known.mean(), known.std()) if known.size else (0.0, 1.0)
    value = (np.where(missing, mean, cases.early) - mean) / (sd if sd > 0 else 1.0)
    columns = np.column_stack([value, missing]) if missing[train].any() else value[:, None]
    return columns[train].astype(float), columns[test].astype(float)


def needs_scans(views: tuple[str, ...]) -> bool:
    """Tell whether any view holds features of scans.

    Parameters
    ----------
    views : tuple of str
        Views.

    Returns
    -------
    bool
        True if so.
    """
    return IMAGING in views or BOTH in views
