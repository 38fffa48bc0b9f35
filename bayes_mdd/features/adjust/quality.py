"""Whether features can be trusted: motion, signal, outliers, and arms tied to sites."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bayes_mdd.dims import FEATURE, SITE, SUBJECT
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.adjust.motion import (
    BINS,
    correlate_with_motion,
    groups_of,
    motion_of,
    summarise_motion,
)
from bayes_mdd.features.adjust.quality_checks import judge_quality
from bayes_mdd.features.adjust.reference import reference_to_controls
from bayes_mdd.features.loading import Floats
from bayes_mdd.features.provenance import extend_provenance
from bayes_mdd.specs import QualitySpec


@dataclass(frozen=True, eq=False, kw_only=True)
class Quality:
    """What `check_quality` found.

    Parameters
    ----------
    checks : pandas.DataFrame
        ``name``, ``value``, ``threshold``, ``passed`` (None where it cannot be judged), ``advice``.
    motion : pandas.DataFrame
        Summary by group: ``group``, ``people``, ``known``, ``mean``, ``sd``, ``median``, ``max``,
        ``above``.
    people : pandas.DataFrame
        ``subject``, ``group``, ``motion``, ``outliers`` (number of features), ``largest_z`` and
        ``at`` (the feature where).
    regions : pandas.DataFrame
        ``region``, ``people`` (number without signal there) and ``who``.
    qcfc : pandas.DataFrame
        Correlation of features with motion, ``stage`` before and after standardisation:
        ``people``, ``median_abs_r``, ``expected_abs_r``, ``share``.
    distribution : pandas.DataFrame
        ``low`` (lower edge of a bin of r), and the number of features in it, ``before`` and
        ``after``.
    sites : pandas.DataFrame
        People by ``group`` and site; empty where there are no sites.
    """

    checks: pd.DataFrame
    motion: pd.DataFrame
    people: pd.DataFrame
    regions: pd.DataFrame
    qcfc: pd.DataFrame
    distribution: pd.DataFrame
    sites: pd.DataFrame

    @property
    def failed(self) -> dict[str, str]:
        """Advice by the name of the check, for those that failed."""
        rows = self.checks[[p is False for p in self.checks["passed"]]]
        return dict(zip(rows["name"], rows["advice"], strict=True))

    def to_facts(self) -> dict[str, Any]:
        """Plain values that JSON can hold.

        Returns
        -------
        dict
            One list of rows a table.
        """
        return {
            f.name: json.loads(getattr(self, f.name).to_json(orient="records"))
            for f in fields(self)
        }

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """Build it again from what `to_facts` returned.

        Parameters
        ----------
        facts : mapping
            One list of rows a table.

        Returns
        -------
        Quality
            The same tables.
        """
        return cls(**{f.name: pd.DataFrame(facts.get(f.name) or []) for f in fields(cls)})


def check_quality(
    features: xr.Dataset, spec: QualitySpec | None = None, *, before: xr.Dataset | None = None
) -> Quality:
    """Look for what would make a pattern an artefact.

    Parameters
    ----------
    features : xarray.Dataset
        The feature set that is to be fitted, usually standardised (`reference_to_controls`).
    spec : QualitySpec, optional
        Thresholds.
    before : xarray.Dataset, optional
        The same features as measured: adds their correlation with motion before nuisance was
        removed, and lets regions without signal be seen, which standardising hides.

    Returns
    -------
    Quality
        Checks and the tables behind them. `bayes_mdd.plotting.plot_quality` draws them,
        `record_quality` lets them travel to the report.

    Raises
    ------
    DataContractError
        If a feature set has no ``y``, or `before` has other people or features.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> on = {"subject": [f"s{i}" for i in range(20)], "feature": ["a--b", "a--c"],
    ...       "block": ("feature", ["N-N"] * 2), "arm": ("subject", ["X", "Y"] * 10),
    ...       "mean_fd": ("subject", rng.gamma(4, 0.04, 20))}
    >>> y = (("subject", "feature"), rng.normal(size=(20, 2)))
    >>> quality = check_quality(xr.Dataset({"y": y}, on))
    >>> quality.checks["name"].tolist()[:2]
    ['people who moved', 'motion, arms']
    """
    spec = QualitySpec() if spec is None else spec
    _check_pair(features, before)
    raw = features if before is None else before
    group = groups_of(features)
    motion = motion_of(features, spec.motion)
    if motion is None and before is not None:
        motion = motion_of(before, spec.motion)
    known = np.full(len(group), np.nan) if motion is None else motion
    people = _people(features, group, known, spec)
    summary = summarise_motion(known, group, spec.max_motion)
    regions = _silent_regions(raw)
    qcfc, distribution = _relate(features, before, known, group, spec)
    sites = _sites(features, group)
    checks = judge_quality(
        features, group=group, people=people, motion=summary, regions=regions, qcfc=qcfc, spec=spec
    )
    return Quality(
        checks=checks,
        motion=summary,
        people=people,
        regions=regions,
        qcfc=qcfc,
        distribution=distribution,
        sites=sites,
    )


def record_quality(features: xr.Dataset, quality: Quality) -> xr.Dataset:
    """Let the quality of features travel with them, into the run folder and the report.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set.
    quality : Quality
        What `check_quality` said of it.

    Returns
    -------
    xarray.Dataset
        The same features; ``provenance`` holds the tables.
    """
    text = extend_provenance(features.attrs.get("provenance"), quality=quality.to_facts())
    return features.assign_attrs(provenance=text)


def _check_pair(features: xr.Dataset, before: xr.Dataset | None) -> None:
    problems = []
    given = {"features": features} | ({} if before is None else {"before": before})
    for name, one in given.items():
        if not isinstance(one, xr.Dataset) or "y" not in one:
            problems.append(f"{name} is no feature set: expected y (subject, feature).")
    if not problems and before is not None:
        for dim in (SUBJECT, FEATURE):
            a, b = (d[dim].values.astype(str) for d in (features, before))
            if not np.array_equal(a, b):
                differ = np.setxor1d(a, b)
                problems.append(
                    f"the {dim}s of before are not those of features "
                    f"({some(differ) if differ.size else 'another order'}): give the same set as "
                    "measured."
                )
    if problems:
        raise DataContractError("quality", problems)


def _people(
    features: xr.Dataset, group: npt.NDArray[np.str_], motion: Floats, spec: QualitySpec
) -> pd.DataFrame:
    """Motion and outliers of everybody, in SD of the reference people."""
    y = features["y"].values
    if features.attrs.get("units") != "z":
        try:
            y = reference_to_controls(features)["y"].values
        except DataContractError:  # said by whoever standardises them for the fit
            y = np.full(features["y"].shape, np.nan)
    size = np.where(np.isfinite(y), np.abs(y), -1.0)
    at = size.argmax(axis=1)
    largest = size[np.arange(len(size)), at]
    return pd.DataFrame(
        {
            "subject": features[SUBJECT].values.astype(str),
            "group": group,
            "motion": motion,
            "outliers": (size > spec.outlier_z).sum(axis=1),
            "largest_z": np.where(largest >= 0, largest, np.nan),
            "at": features[FEATURE].values.astype(str)[at],
        }
    )


def _silent_regions(raw: xr.Dataset) -> pd.DataFrame:
    """Regions whose every feature is 0 or missing in a person."""
    y = raw["y"].values
    void = ~np.isfinite(y) | (y == 0)
    who = raw[SUBJECT].values.astype(str)
    sides = [c for c in ("region_a", "region_b") if c in raw.coords]
    sides = sides if len(sides) == 2 else [c for c in ("region_name",) if c in raw.coords]
    rows = []
    if sides and void.any():
        ends = np.stack([raw[c].values.astype(str) for c in sides])
        names, place = np.unique(ends, return_inverse=True)
        place = place.reshape(ends.shape)
        for i, region in enumerate(names):
            silent = void[:, (place == i).any(axis=0)].all(axis=1)
            if silent.any():
                rows.append((str(region), int(silent.sum()), some(who[silent], 10)))
    return pd.DataFrame(rows, columns=["region", "people", "who"])


def _relate(
    features: xr.Dataset,
    before: xr.Dataset | None,
    motion: Floats,
    group: npt.NDArray[np.str_],
    spec: QualitySpec,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    stages = {"after": features} if before is None else {"before": before, "after": features}
    rows: list[dict[str, Any]] = []
    counts: dict[str, npt.NDArray[Any]] = {"low": BINS[:-1]}
    for stage, one in stages.items():
        r, summary = correlate_with_motion(one["y"].values, motion, group, spec.fdr)
        rows.append({"stage": stage} | summary)
        counts[stage] = np.histogram(r[np.isfinite(r)], BINS)[0]
    columns = ["stage", "people", "median_abs_r", "expected_abs_r", "share"]
    return pd.DataFrame(rows).reindex(columns=columns), pd.DataFrame(counts)


def _sites(features: xr.Dataset, group: npt.NDArray[np.str_]) -> pd.DataFrame:
    if SITE not in features.coords:
        return pd.DataFrame()
    table = pd.crosstab(pd.Series(group, name="group"), features[SITE].values.astype(str))
    return table.rename_axis(columns=None).reset_index()
