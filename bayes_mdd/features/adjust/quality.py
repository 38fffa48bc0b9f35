"""Quality control of features: head motion, missing signal, outliers, arms by site."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import FEATURE, SUBJECT
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.adjust.motion import groups_of, motion_of, summarise_motion
from bayes_mdd.features.adjust.quality_checks import FORMER_NAMES, judge_quality
from bayes_mdd.features.adjust.quality_tables import (
    correlate_stages,
    count_by_site,
    find_silent_regions,
    summarise_subjects,
)
from bayes_mdd.features.copies import find_copies
from bayes_mdd.features.provenance import extend_provenance
from bayes_mdd.specs import QualitySpec

#: Key of the table of subjects in the facts that `Quality.to_facts` stores with the features.
_STORED_AS = {"subjects": "people"}


class _FailedChecks(dict[str, str]):
    """Advice by name of the check; former names are accepted with a warning."""

    def __missing__(self, name: str) -> str:
        current = FORMER_NAMES.get(name)
        if current is None:
            raise KeyError(name)
        _warn_of_rename(f"The check '{name}'", f"'{current}'")
        return self[current]


def _warn_of_rename(old: str, new: str) -> None:
    message = f"{old} is now called {new}; the former name will be removed in the next version."
    warnings.warn(message, DeprecationWarning, stacklevel=3)


@dataclass(frozen=True, eq=False, kw_only=True)
class Quality:
    """Result of `check_quality`: the checks and the tables behind them.

    Parameters
    ----------
    checks : pandas.DataFrame
        ``name``, ``value``, ``threshold``, ``passed`` (None if it cannot be judged), ``advice``.
    motion : pandas.DataFrame
        Head motion by group: ``group``, ``people`` (number of subjects), ``known`` (number with
        known motion), ``mean``, ``sd``, ``median``, ``max``, ``above`` (number above the limit).
    subjects : pandas.DataFrame
        One row per subject: ``subject``, ``group``, ``motion``, ``outliers`` (number of features),
        ``largest_z`` and ``at`` (the feature with this value).
    regions : pandas.DataFrame
        Regions without signal: ``region``, ``people`` (number of subjects) and ``who``.
    qcfc : pandas.DataFrame
        Correlation of features with motion by ``stage`` ("before" and "after" standardisation):
        ``people`` (number of subjects), ``median_abs_r``, ``expected_abs_r``, ``share``.
    distribution : pandas.DataFrame
        Histogram of these correlations: ``low`` (lower edge of the bin) and the number of features
        ``before`` and ``after`` standardisation.
    sites : pandas.DataFrame
        Number of subjects by ``group`` and site; empty if there are no sites.
    """

    checks: pd.DataFrame
    motion: pd.DataFrame
    subjects: pd.DataFrame
    regions: pd.DataFrame
    qcfc: pd.DataFrame
    distribution: pd.DataFrame
    sites: pd.DataFrame

    @property
    def people(self) -> pd.DataFrame:
        """Former name of `subjects`."""
        _warn_of_rename("Quality.people", "Quality.subjects")
        return self.subjects

    @property
    def failed(self) -> dict[str, str]:
        """Advice of the failed checks, by name of the check."""
        rows = self.checks[[p is False for p in self.checks["passed"]]]
        return _FailedChecks(zip(rows["name"], rows["advice"], strict=True))

    def to_facts(self) -> dict[str, Any]:
        """Convert the tables to values that JSON can represent.

        Returns
        -------
        dict
            One list of rows per table.
        """
        return {
            _STORED_AS.get(f.name, f.name): json.loads(
                getattr(self, f.name).to_json(orient="records")
            )
            for f in fields(self)
        }

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """Restore the tables from the result of `to_facts`.

        Parameters
        ----------
        facts : mapping
            One list of rows per table.

        Returns
        -------
        Quality
            The same tables.
        """
        stored = {f.name: facts.get(_STORED_AS.get(f.name, f.name)) for f in fields(cls)}
        return cls(**{name: pd.DataFrame(rows or []) for name, rows in stored.items()})


def check_quality(
    features: xr.Dataset, spec: QualitySpec | None = None, *, before: xr.Dataset | None = None
) -> Quality:
    """Check features for problems that could produce artefactual patterns.

    Parameters
    ----------
    features : xarray.Dataset
        The feature set to be fitted, usually standardised (`reference_to_controls`).
    spec : QualitySpec, optional
        Thresholds.
    before : xarray.Dataset, optional
        The same features as measured. If given, their correlation with motion before the removal
        of nuisance effects is reported too, and regions without signal are detected, which
        standardisation conceals.

    Returns
    -------
    Quality
        Checks and the tables behind them. Plot them with `bayes_mdd.plotting.plot_quality`; add
        them to the report with `record_quality`.

    Raises
    ------
    DataContractError
        If a feature set has no ``y``, or `before` has other subjects or features.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> on = {"subject": [f"s{i}" for i in range(20)], "feature": ["a--b", "a--c"],
    ...       "block": ("feature", ["N-N"] * 2), "arm": ("subject", ["X", "Y"] * 10),
    ...       "mean_fd": ("subject", rng.gamma(4, 0.04, 20))}
    >>> y = (("subject", "feature"), rng.normal(size=(20, 2)))
    >>> quality = check_quality(xr.Dataset({"y": y}, on))
    >>> quality.checks["name"].tolist()[:2]
    ['participants with high motion', 'motion, arms']
    """
    spec = QualitySpec() if spec is None else spec
    _check_pair(features, before)
    raw = features if before is None else before
    group = groups_of(features)
    motion = motion_of(features, spec.motion)
    if motion is None and before is not None:
        motion = motion_of(before, spec.motion)
    known = np.full(len(group), np.nan) if motion is None else motion
    subjects = summarise_subjects(features, group, known, spec)
    summary = summarise_motion(known, group, spec.max_motion)
    regions = find_silent_regions(raw)
    qcfc, distribution = correlate_stages(features, before, known, group, spec)
    sites = count_by_site(features, group)
    checks = judge_quality(
        features,
        group=group,
        subjects=subjects,
        motion=summary,
        regions=regions,
        copies=find_copies(raw),
        qcfc=qcfc,
        spec=spec,
    )
    return Quality(
        checks=checks,
        motion=summary,
        subjects=subjects,
        regions=regions,
        qcfc=qcfc,
        distribution=distribution,
        sites=sites,
    )


def record_quality(features: xr.Dataset, quality: Quality) -> xr.Dataset:
    """Store the result of `check_quality` with the features, for run folder and report.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set.
    quality : Quality
        Result of `check_quality` for it.

    Returns
    -------
    xarray.Dataset
        The same features; the attribute ``provenance`` contains the tables.
    """
    text = extend_provenance(features.attrs.get("provenance"), quality=quality.to_facts())
    return features.assign_attrs(provenance=text)


def _check_pair(features: xr.Dataset, before: xr.Dataset | None) -> None:
    problems = []
    arguments = {"features": features} | ({} if before is None else {"before": before})
    for name, argument in arguments.items():
        if not isinstance(argument, xr.Dataset) or "y" not in argument:
            problems.append(f"{name} is not a feature set: expected y (subject, feature).")
    if not problems and before is not None:
        for dim in (SUBJECT, FEATURE):
            a, b = (d[dim].values.astype(str) for d in (features, before))
            if not np.array_equal(a, b):
                differ = np.setxor1d(a, b)
                problems.append(
                    f"the {dim}s of before and features differ "
                    f"({some(differ) if differ.size else 'in order'}): pass the same feature set "
                    "as measured."
                )
    if problems:
        raise DataContractError("quality", problems)
