"""What is wrong with features, in words: one row a check."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scipy.stats.contingency import association

from bayes_mdd.dims import FEATURE, MISSING, SITE
from bayes_mdd.errors import some
from bayes_mdd.features.adjust.motion import CONTROLS, NO_ARM, largest_difference
from bayes_mdd.specs import QualitySpec

COLUMNS = ("name", "value", "threshold", "passed", "advice")

type _Row = tuple[str, float, float, bool | None, str]


def judge_quality(
    features: xr.Dataset,
    *,
    group: npt.NDArray[np.str_],
    people: pd.DataFrame,
    motion: pd.DataFrame,
    regions: pd.DataFrame,
    qcfc: pd.DataFrame,
    spec: QualitySpec,
) -> pd.DataFrame:
    """Hold the tables of `bayes_mdd.features.adjust.quality.Quality` against the thresholds.

    Parameters
    ----------
    features : xarray.Dataset
        The feature set.
    group : numpy.ndarray of str
        Group of every person.
    people, motion, regions, qcfc : pandas.DataFrame
        As `Quality` describes them.
    spec : QualitySpec
        Thresholds.

    Returns
    -------
    pandas.DataFrame
        ``name``, ``value``, ``threshold``, ``passed`` (None where it cannot be judged), ``advice``.
    """
    rows = [
        *_motion_checks(people, motion, spec),
        _region_check(regions),
        _outlier_check(people, features.sizes[FEATURE], spec),
        _qcfc_check(qcfc, spec),
        _site_check(features, group, spec),
    ]
    checks = pd.DataFrame(rows, columns=list(COLUMNS))
    checks["passed"] = pd.Series([r[3] for r in rows], dtype=object)
    return checks


def _motion_checks(people: pd.DataFrame, summary: pd.DataFrame, spec: QualitySpec) -> list[_Row]:
    if people["motion"].isna().all():
        advice = f"'{spec.motion}' is not known: add motion (mm) to participants.tsv to judge it."
        return [("people who moved", np.nan, 0, None, advice)]
    above = people[people["motion"] > spec.max_motion]
    unknown = people.loc[people["motion"].isna(), "subject"]
    advice = ""
    if len(above):
        advice = (
            f"{spec.motion} above {spec.max_motion:g} mm: {some(above['subject'])}. Look at their "
            "data, scrub or leave them out, and say so."
        )
    if len(unknown):
        advice += f" {spec.motion} is not known of {some(unknown)}."
    rows: list[_Row] = [("people who moved", float(len(above)), 0, not len(above), advice.strip())]
    arms = [g for g in summary["group"] if g not in (CONTROLS, NO_ARM)]
    for name, chosen in (("motion, arms", arms), ("motion, controls", [CONTROLS, *arms])):
        if len(chosen) < 2 or chosen[0] not in set(summary["group"]):
            continue
        value, words = largest_difference(summary, chosen)
        good = None if np.isnan(value) else value <= spec.max_motion_difference
        rows.append(
            (
                name,
                value,
                spec.max_motion_difference,
                good,
                f"{words} (SD): keep {spec.motion} among the covariates of the model, and see "
                "whether factors follow it."
                if good is False
                else "",
            )
        )
    return rows


def _region_check(regions: pd.DataFrame) -> _Row:
    listed = some(
        f"{r} ({n}: {who})"
        for r, n, who in zip(regions["region"], regions["people"], regions["who"], strict=True)
    )
    advice = (
        f"all 0 or missing: {listed}. Leave the region or the people out; a filled-in zero is no "
        "measurement."
    )
    n = len(regions)
    return ("regions without signal", float(n), 0, n == 0, advice if n else "")


def _outlier_check(people: pd.DataFrame, n_features: int, spec: QualitySpec) -> _Row:
    name = f"values beyond {spec.outlier_z:g} SD"
    if people["largest_z"].isna().all():
        return (name, np.nan, 0, None, "there are no reference people to tell them by.")
    bad = people[people["outliers"] > 0].sort_values("outliers", ascending=False)
    total = float(people["outliers"].sum())
    listed = some(
        f"{s} ({n} of {n_features}; {z:.1f} SD at {at})"
        for s, n, z, at in zip(
            bad["subject"], bad["outliers"], bad["largest_z"], bad["at"], strict=True
        )
    )
    advice = f"{listed}. Look at these images; one such person can make a factor."
    return (name, total, 0, total == 0, advice if total else "")


def _qcfc_check(qcfc: pd.DataFrame, spec: QualitySpec) -> _Row:
    last = qcfc.iloc[-1]
    share = float(last["share"])
    if np.isnan(share):
        why = "motion is known of too few people to relate it to features."
        return ("features that follow motion", np.nan, spec.max_qcfc, None, why)
    good = share <= spec.max_qcfc
    earlier = float(qcfc.iloc[0]["share"])
    advice = f"median |r| {last['median_abs_r']:.2f} where {last['expected_abs_r']:.2f} is chance"
    if earlier < share:
        advice += (
            f"; as measured it was {earlier:.0%} of features, so a slope that few reference people "
            "tell badly put some of it there"
        )
    advice += (
        f". Keep {spec.motion} among the covariates of the model, which takes the rest out; where "
        "it was there as measured, denoise better (scrubbing, global signal)."
    )
    return ("features that follow motion", share, spec.max_qcfc, good, "" if good else advice)


def arm_site_association(group: npt.NDArray[np.str_], site: npt.NDArray[np.str_]) -> float | None:
    """Compute Cramer's V of arm and site, corrected for its bias in small samples.

    Parameters
    ----------
    group : numpy.ndarray of str
        Group of every subject (`bayes_mdd.features.adjust.motion.groups_of`); controls and subjects
        without an arm do not count.
    site : numpy.ndarray of str
        Site of every person.

    Returns
    -------
    float or None
        0 where they are unrelated, 1 where one follows from the other; None with one arm or site.

    References
    ----------
    .. [1] Bergsma, W. (2013). A bias-correction for Cramer's V and Tschuprow's T. Journal of the
       Korean Statistical Society, 42, 323-328.
    """
    own = (group != CONTROLS) & (group != NO_ARM) & (site != MISSING)
    table = pd.crosstab(group[own], site[own]).to_numpy()
    if min(table.shape) < 2:
        return None
    v = float(association(table, method="cramer"))
    n, (rows, columns) = table.sum(), table.shape
    # Chance alone makes V positive, the more the smaller the sample.
    chance = (rows - 1) * (columns - 1) / (n - 1)
    phi = max(0.0, v**2 * (min(rows, columns) - 1) - chance)
    least = min(rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)) - 1
    return float(np.sqrt(phi / least)) if least > 0 else v


def _site_check(features: xr.Dataset, group: npt.NDArray[np.str_], spec: QualitySpec) -> _Row:
    name = "arm by site"
    if SITE not in features.coords:
        return (name, np.nan, spec.max_arm_site, None, "no column 'site'.")
    value = arm_site_association(group, features[SITE].values.astype(str))
    if value is None:
        return (name, np.nan, spec.max_arm_site, None, "one arm or one site: nothing to tie.")
    good = value <= spec.max_arm_site
    advice = (
        "arms were measured at different sites: an effect of the site can look like one of the "
        "drug. Keep site among the covariates of the model, compare within sites, and do not "
        "harmonise without the arm."
    )
    return (name, value, spec.max_arm_site, good, "" if good else advice)
