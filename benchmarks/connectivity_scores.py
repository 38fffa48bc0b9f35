"""Comparison of components and fits with the truth of a cohort of time series."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from recovery_scores import rv
from scipy.optimize import linear_sum_assignment
from series_cohorts import ARMS, SeriesCohort

from bayes_mdd.results.result import read_result
from bayes_mdd.results.rules import RULES
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.tables.stability import tabulate_reliability

#: R2 on the true scores below which a component is noise, and R2 of a true score that is found.
NOISE, FOUND = 0.36, 0.5
#: Share of an arm from which a component is named specific, and |r| with the factor it matches.
NAMED, MATCH = 0.85, 0.6
#: Probability from which a fitted factor is called specific.
P_NAMED = 0.9
#: Reliability of a trait, by source.
TRAIT = {"halves": 1.0, "pieces": 1.0}
#: Probability mass of intervals.
CI = 0.9
#: Random directions that are compared between sessions.
RANDOM = 500
#: What counts as inside beyond an interval: some true values lie on the edge of what can be.
TOLERANCE = {"sharing": 0.01, "explained": 0.001, "reliability": 0.005}


def explained_variance(of: np.ndarray, by: np.ndarray) -> np.ndarray:
    """R2 of each column of one array in the span of the columns of another."""
    of, by = of - of.mean(axis=0), by - by.mean(axis=0)
    left = of - by @ np.linalg.lstsq(by, of, rcond=None)[0] if by.size else of
    return 1 - (left**2).sum(axis=0) / (of**2).sum(axis=0)


def correlations(truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Correlations (true factor, component) of scores."""
    k = truth.shape[1]
    if not (truth.size and found.size):
        return np.zeros((k, found.shape[1]))
    return np.corrcoef(truth.T, found.T)[:k, k:]


def compare_scores(found: np.ndarray, cohort: SeriesCohort) -> dict[str, Any]:
    """Count components that are noise and true scores that are found."""
    r2 = explained_variance(cohort.scores, found)
    return {
        "noise": int((explained_variance(found, cohort.scores) < NOISE).sum()),
        "dims": int((r2 > FOUND).sum()),
        "r2": r2.tolist(),
    }


def count_named(found: np.ndarray, named: np.ndarray, cohort: SeriesCohort) -> tuple[int, int]:
    """Count components that are named specific, rightly and wrongly.

    `named` (component, arm) says which components are named specific to which arm.
    """
    r, taken = np.abs(correlations(cohort.scores, found)), set()
    right = wrong = 0
    for f, a in np.argwhere(named):
        true = np.flatnonzero(cohort.sharing[:, a] > NAMED)
        matched = [t for t in true if r[t, f] > MATCH and t not in taken]
        taken.update(matched[:1])
        right, wrong = right + bool(matched), wrong + (not matched)
    return right, wrong


def rv_of_loadings(loadings: np.ndarray, scores: np.ndarray, truth: np.ndarray) -> float | None:
    """RV coefficient of loadings (feature, factor) per SD of the scores with the true ones."""
    if not truth.size:
        return None
    return rv(truth, loadings * np.sqrt((scores**2).mean(axis=0)))


def true_loadings(cohort: SeriesCohort, sd: np.ndarray) -> np.ndarray:
    """True loadings (feature, factor) of features with these SDs, for scores of variance 1."""
    unit = np.sqrt(cohort.variance.mean(axis=1))
    return (cohort.loadings / sd).T * unit


def session_correlations(data: ModelData, scores: np.ndarray, seed: int) -> dict[str, Any]:
    """Correlations between two sessions, of factors and of random directions.

    The loadings of `scores` (subject, factor) come from the first session, which was fitted. Random
    directions are those of the whitened features; their mean and 95th percentile are returned.
    """
    given, white = data.shown.features, data.whitening
    if white is None or "session_difference" not in given:
        return {}
    difference = given["session_difference"].values
    has = np.isfinite(difference).all(axis=1)
    first = data.features["y"].transpose("subject", "feature").values.astype(float)
    change = white.map.forward(difference[has][:, white.order]) / white.unit
    second = first[has] - 2 * change
    centred = scores - scores.mean(axis=0)
    loadings = np.linalg.lstsq(centred, first - first.mean(axis=0), rcond=None)[0]
    of_second = second @ np.linalg.pinv(loadings)
    any_way = np.random.default_rng(seed).normal(size=(first.shape[1], RANDOM))
    random = _paired(first[has] @ any_way, second @ any_way)
    return {
        "session_r": _paired(scores[has], of_second).tolist(),
        "session_r_random": [float(random.mean()), float(np.quantile(random, 0.95))],
    }


def _paired(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Correlations of the columns of one array with those of the other."""
    a, b = (x - x.mean(axis=0) for x in (a, b))
    return np.asarray((a * b).sum(axis=0) / np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0)))


class Comparison:
    """A fit beside the truth.

    `given` are the fitted features, standardised edges with ``raw_sd``.
    """

    def __init__(self, idata: xr.DataTree, table: pd.DataFrame, cohort: SeriesCohort, given: Any):
        posterior = idata["posterior"].to_dataset()
        self.active = np.flatnonzero(table["active"])
        self.table = table.iloc[self.active]
        self.sources = tabulate_reliability(read_result(idata), RULES)
        self.posterior = posterior.isel(factor=self.active)
        self.loadings = idata["loadings"].to_dataset().isel(factor=self.active)
        self.cohort, self.sd = cohort, given["raw_sd"].values
        self.z = given["y"].values
        self.scores = self._draws("scores", "subject", "factor").mean(axis=-1)

    def summary(self) -> dict[str, Any]:
        """What was found, and which specific factors were named."""
        named = self.p_specific > P_NAMED
        right, wrong = count_named(self.scores, named, self.cohort)
        return {
            "active": len(self.active),
            **compare_scores(self.scores, self.cohort),
            "right": right,
            "wrong": wrong,
            "specific": int((self.cohort.sharing.max(axis=1, initial=0) > NAMED).sum()),
            "labels": self.table["label"].tolist(),
        }

    @property
    def p_specific(self) -> np.ndarray:
        return self.table[[f"p_specific_{a}" for a in ARMS]].to_numpy(float)

    def rv(self) -> float | None:
        """RV coefficient of the posterior mean loadings of all factors."""
        mean = self.loadings["mean"].transpose("feature", "factor").values
        draws = self._draws("scores", "subject", "factor")
        scores = np.sqrt((draws**2).mean(axis=-1))
        return rv_of_loadings(mean, scores, true_loadings(self.cohort, self.sd))

    def rv_oracle(self) -> float | None:
        """RV coefficient of least-squares loadings, given the true scores."""
        truth, scores = true_loadings(self.cohort, self.sd), self.cohort.scores
        if not truth.size:
            return None
        centred = scores - scores.mean(axis=0)
        loadings = np.linalg.lstsq(centred, self.z, rcond=None)[0].T
        return rv_of_loadings(loadings, scores, truth)

    def factors(self) -> list[dict[str, Any]]:
        """One row for each true factor that a factor of the fit matches."""
        r = correlations(self.cohort.scores, self.scores)
        rows = []
        for t, f in zip(*linear_sum_assignment(-np.abs(r)), strict=True):
            if abs(r[t, f]) > MATCH:
                own = {"true": int(t), "found": int(f), "r": float(abs(r[t, f]))}
                rows.append(own | self._judge(t, f, r[t, f]))
        return rows

    def _judge(self, t: int, f: int, r: float) -> dict[str, Any]:
        sign, unit = np.sign(r), np.sqrt(self.cohort.variance[t].mean())
        explained = self._true_explained()
        sharing, found = (self._by_arm(n)[f] for n in ("sharing", "explained"))
        rows = {
            "sharing": [_place(sharing[1], self.cohort.sharing[t, 1], "sharing")],
            "explained": [_place(found[a], explained[t, a], "explained") for a in range(2)],
            "scores_inside": self._scores_inside(t, f, sign, unit),
            "loadings_inside": self._loadings_inside(t, f, sign),
            "p_specific": self.p_specific[f].tolist(),
            **self.reliability(f, TRAIT),
        }
        if "arm_mean" in self.posterior:
            means = sign * self._by_arm("arm_mean")[f]
            rows["gap"] = [_place(means[1] - means[0], self.cohort.mean_gap[t] / unit)]
        if "symptom_weight" in self.posterior:
            weights = self._draws("symptom_weight", "factor", "symptom")
            names = [str(n) for n in self.posterior["symptom"].values]
            true = self.cohort.symptom_weights[names].to_numpy()[t] * unit
            true = true / self.cohort.symptoms[names].std(ddof=1).to_numpy()
            rows["weights"] = [_place(sign * w, x) for w, x in zip(weights[f], true, strict=True)]
        return rows

    def reliability(self, f: int, truth: dict[str, float]) -> dict[str, Any]:
        """Verdict on the reliability of a factor, and its interval by source beside the truth."""
        row = self.table.iloc[f]
        found = {c: _plain(row[c]) for c in ("stability", "leverage")}
        of = self.sources[self.sources["factor"] == row["factor"]]
        room = TOLERANCE["reliability"]
        for name, mean, low, high, above in of[
            ["source", "reliability", "reliability_lower", "reliability_upper", "p_reliable"]
        ].itertuples(index=False):
            true = truth.get(name)
            inside = None if true is None else float(low - room <= true <= high + room)
            found[name] = [[true, float(mean), inside, float(above)]]
        return found

    def _true_explained(self) -> np.ndarray:
        """Share (factor, arm) of the variance of standardised edges, as the model defines it."""
        truth, scores = true_loadings(self.cohort, self.sd), self.cohort.scores
        arm = self.cohort.arm[:, None] == np.array(ARMS)
        design = np.column_stack([arm, scores])
        left = self.z - design @ np.linalg.lstsq(design, self.z, rcond=None)[0]
        noise = (left**2).sum() / (len(left) - design.shape[1])
        parts = 2 * self.cohort.sharing * (truth**2).sum(axis=0)[:, None]
        return parts / (parts.sum(axis=0) + noise)

    def _scores_inside(self, t: int, f: int, sign: float, unit: float) -> float:
        draws = sign * self._draws("scores", "subject", "factor")[:, f]
        low, high = np.quantile(draws, [(1 - CI) / 2, (1 + CI) / 2], axis=1)
        truth = self.cohort.scores[:, t] / unit
        # Differences between arms are in the means of the scores; their zero is not known.
        shift = (draws.mean(axis=1) - truth).mean()
        own = self.cohort.variance[t, (self.cohort.arm == ARMS[1]).astype(int)] > 0
        return float(((low <= truth + shift) & (truth + shift <= high))[own].mean())

    def _loadings_inside(self, t: int, f: int, sign: float) -> float:
        truth = sign * true_loadings(self.cohort, self.sd)[:, t]
        low, high = (self.loadings[n].isel(factor=f).values for n in ("lower", "upper"))
        return float(((low <= truth) & (truth <= high)).mean())

    def _draws(self, name: str, *dims: str) -> np.ndarray:
        """Draws (*dims, draw) of all chains."""
        values = self.posterior[name].transpose(*dims, "chain", "draw").values
        return values.reshape(*values.shape[:-2], values.shape[-2] * values.shape[-1])

    def _by_arm(self, name: str) -> np.ndarray:
        order = [self.posterior["arm"].values.astype(str).tolist().index(a) for a in ARMS]
        return self._draws(name, "factor", "arm")[:, order]


def _place(draws: np.ndarray, truth: float, what: str = "") -> list[float]:
    """True value, its rank among the draws, and whether the interval holds it."""
    low, high = np.quantile(draws, [(1 - CI) / 2, (1 + CI) / 2])
    room = TOLERANCE.get(what, 0.0)
    inside = low - room <= truth <= high + room
    return [float(truth), float((draws < truth).mean()), float(inside)]


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value
    return None if pd.isna(value) else float(value)
