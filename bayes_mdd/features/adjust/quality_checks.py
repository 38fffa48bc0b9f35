"""Checks of the quality of features against thresholds, with advice; one row per check."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scipy.stats.contingency import association

from bayes_mdd.dims import FEATURE, MISSING, SITE
from bayes_mdd.errors import some
from bayes_mdd.features.adjust.motion import CONTROLS, NO_ARM, largest_difference
from bayes_mdd.features.copies import say_copies
from bayes_mdd.specs import QualitySpec

COLUMNS = ("name", "value", "threshold", "passed", "advice")
HIGH_MOTION = "participants with high motion"
FOLLOW_MOTION = "features correlated with motion"
COPIES = "participants with the same features"
#: Current names of renamed checks, by their former name.
FORMER_NAMES = {"people who moved": HIGH_MOTION, "features that follow motion": FOLLOW_MOTION}

type _Row = tuple[str, float, float, bool | None, str]


def judge_quality(
    features: xr.Dataset,
    *,
    group: npt.NDArray[np.str_],
    subjects: pd.DataFrame,
    motion: pd.DataFrame,
    regions: pd.DataFrame,
    qcfc: pd.DataFrame,
    copies: Sequence[tuple[str, ...]],
    spec: QualitySpec,
) -> pd.DataFrame:
    """Compare the tables of `bayes_mdd.Quality` with the thresholds.

    Parameters
    ----------
    features : xarray.Dataset
        The feature set.
    group : numpy.ndarray of str
        Group of each subject.
    subjects, motion, regions, qcfc : pandas.DataFrame
        See `bayes_mdd.Quality`.
    copies : sequence of tuple of str
        Subjects with the same features, from `find_copies`.
    spec : QualitySpec
        Thresholds.

    Returns
    -------
    pandas.DataFrame
        ``name``, ``value``, ``threshold``, ``passed`` (None if it cannot be judged), ``advice``.
    """
    rows = [
        *_motion_checks(subjects, motion, spec),
        _region_check(regions),
        _copy_check(copies),
        _outlier_check(subjects, features.sizes[FEATURE], spec),
        _qcfc_check(qcfc, features, group, spec),
        _site_check(features, group, spec),
    ]
    checks = pd.DataFrame(rows, columns=list(COLUMNS))
    checks["passed"] = pd.Series([r[3] for r in rows], dtype=object)
    return checks


def _motion_checks(subjects: pd.DataFrame, summary: pd.DataFrame, spec: QualitySpec) -> list[_Row]:
    if subjects["motion"].isna().all():
        advice = (
            f"'{spec.motion}' is missing for all participants: add this column with head motion "
            "(mm) to participants.tsv."
        )
        return [(HIGH_MOTION, np.nan, 0, None, advice)]
    above = subjects[subjects["motion"] > spec.max_motion]
    unknown = subjects.loc[subjects["motion"].isna(), "subject"]
    advice = ""
    if len(above):
        advice = (
            f"{spec.motion} exceeds {spec.max_motion:g} mm in {some(above['subject'])}. Inspect "
            "their data, scrub volumes or exclude them, and report it."
        )
    if len(unknown):
        advice += f" {spec.motion} is missing for {some(unknown)}."
    rows: list[_Row] = [(HIGH_MOTION, float(len(above)), 0, not len(above), advice.strip())]
    arms = [g for g in summary["group"] if g not in (CONTROLS, NO_ARM)]
    for name, chosen in (("motion, arms", arms), ("motion, controls", [CONTROLS, *arms])):
        if len(chosen) < 2 or chosen[0] not in set(summary["group"]):
            continue
        value, pair = largest_difference(summary, chosen)
        passed = None if np.isnan(value) else value <= spec.max_motion_difference
        advice = (
            f"mean {spec.motion} differs by {value:.2f} pooled SD ({pair}): keep {spec.motion} as "
            "a covariate, and check whether factor scores correlate with it."
        )
        rows.append(
            (name, value, spec.max_motion_difference, passed, advice if passed is False else "")
        )
    return rows


def _region_check(regions: pd.DataFrame) -> _Row:
    listed = some(
        f"{region} ({n}: {subjects})"
        for region, n, subjects in zip(
            regions["region"], regions["people"], regions["who"], strict=True
        )
    )
    advice = (
        f"all features are 0 or missing: {listed}. Exclude the region or the participants; an "
        "imputed 0 is not a measurement."
    )
    n = len(regions)
    return ("regions without signal", float(n), 0, n == 0, advice if n else "")


def _copy_check(copies: Sequence[tuple[str, ...]]) -> _Row:
    n = sum(len(group) for group in copies)
    return (COPIES, float(n), 0, n == 0, say_copies(copies) if n else "")


def _outlier_check(subjects: pd.DataFrame, n_features: int, spec: QualitySpec) -> _Row:
    name = f"values beyond {spec.outlier_z:g} SD"
    if subjects["largest_z"].isna().all():
        return (name, np.nan, 0, None, "the features cannot be standardised to detect outliers.")
    bad = subjects[subjects["outliers"] > 0].sort_values("outliers", ascending=False)
    total = float(subjects["outliers"].sum())
    listed = some(
        f"{s} ({n} of {n_features}; {z:.1f} SD at {at})"
        for s, n, z, at in zip(
            bad["subject"], bad["outliers"], bad["largest_z"], bad["at"], strict=True
        )
    )
    advice = f"{listed}. Inspect these images: a single outlier can produce a factor."
    return (name, total, 0, total == 0, advice if total else "")


def _qcfc_check(
    qcfc: pd.DataFrame, features: xr.Dataset, group: npt.NDArray[np.str_], spec: QualitySpec
) -> _Row:
    share = float(qcfc.iloc[-1]["share"])
    if np.isnan(share):
        reason = f"{spec.motion} is known for too few participants to correlate it with features."
        return (FOLLOW_MOTION, np.nan, spec.max_qcfc, None, reason)
    passed = share <= spec.max_qcfc
    advice = "" if passed else _qcfc_advice(qcfc, features, group, spec)
    return (FOLLOW_MOTION, share, spec.max_qcfc, passed, advice)


def _qcfc_advice(
    qcfc: pd.DataFrame, features: xr.Dataset, group: npt.NDArray[np.str_], spec: QualitySpec
) -> str:
    first, last = qcfc.iloc[0], qcfc.iloc[-1]
    kind = "edges" if "region_b" in features.coords else "features"
    still = "still " if len(qcfc) > 1 and first["share"] >= last["share"] else ""
    advice = (
        f"{100 * last['share']:.0f} % of {kind} {still}correlate with head motion (median |r| "
        f"{last['median_abs_r']:.2f}; {last['expected_abs_r']:.2f} expected by chance)."
    )
    if first["share"] < last["share"]:
        controls, treated = (group == CONTROLS).sum(), (~np.isin(group, (CONTROLS, NO_ARM))).sum()
        reference = f"{controls} controls" if controls else f"{treated} participants with an arm"
        advice += (
            f" It was {100 * first['share']:.0f} % as measured: the regression on {reference} was "
            "imprecise."
        )
    return advice + (
        f" Keep {spec.motion} as a covariate of the model, or denoise more strictly (scrubbing, "
        "global signal regression)."
    )


def arm_site_association(group: npt.NDArray[np.str_], site: npt.NDArray[np.str_]) -> float | None:
    """Compute Cramer's V of arm and site, corrected for small-sample bias.

    Parameters
    ----------
    group : numpy.ndarray of str
        Group of every subject (`bayes_mdd.features.adjust.motion.groups_of`); controls and subjects
        without an arm do not count.
    site : numpy.ndarray of str
        Site of each subject.

    Returns
    -------
    float or None
        0 for no association, 1 for complete association; None if there is only one arm or site.

    References
    ----------
    .. [1] Bergsma, W. (2013). A bias-correction for Cramer's V and Tschuprow's T. Journal of the
       Korean Statistical Society, 42, 323-328.
    """
    counted = (group != CONTROLS) & (group != NO_ARM) & (site != MISSING)
    table = pd.crosstab(group[counted], site[counted]).to_numpy()
    if min(table.shape) < 2:
        return None
    v = float(association(table, method="cramer"))
    n, (rows, columns) = table.sum(), table.shape
    # Without any association the expected V is positive, and larger in smaller samples.
    bias = (rows - 1) * (columns - 1) / (n - 1)
    phi = max(0.0, v**2 * (min(rows, columns) - 1) - bias)
    size = min(rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)) - 1
    return float(np.sqrt(phi / size)) if size > 0 else v


def _site_check(features: xr.Dataset, group: npt.NDArray[np.str_], spec: QualitySpec) -> _Row:
    name = "arm by site"
    if SITE not in features.coords:
        return (name, np.nan, spec.max_arm_site, None, "participants.tsv has no column 'site'.")
    value = arm_site_association(group, features[SITE].values.astype(str))
    if value is None:
        return (name, np.nan, spec.max_arm_site, None, "there is only one arm or one site.")
    passed = value <= spec.max_arm_site
    advice = (
        f"arms are distributed unevenly across sites (Cramer's V {value:.2f}), so effects of site "
        "can appear as effects of the drug. Keep site as a covariate of the model, compare arms "
        "within sites, and preserve the arm if you harmonise."
    )
    return (name, value, spec.max_arm_site, passed, "" if passed else advice)
