"""Who was in a fit and who was not, for reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, SITE, SUBJECT
from bayes_mdd.results.privacy import list_participants, withhold_notes
from bayes_mdd.results.result import Result

#: Parts of a provenance that reports show in a section of their own.
_SHOWN_ELSEWHERE: Final = ("excluded", "roles", "warnings")


@dataclass(frozen=True, kw_only=True)
class CohortFacts:
    """Who was in the fit and who was not.

    Parameters
    ----------
    counts : pandas.DataFrame
        Participants by arm (rows) and site (columns, where sites are known) with totals.
    left_out : list of (str, list of str)
        Each reason with the participants it applies to.
    n_left_out : int
        How many were left out, also where their names are not known.
    """

    counts: pd.DataFrame
    left_out: list[tuple[str, list[str]]]
    n_left_out: int

    @property
    def by_arm(self) -> dict[str, int]:
        """Number of participants of each arm."""
        # The last row is the total; an arm may have its name.
        total = self.counts["people"].iloc[:-1]
        return {str(arm): int(n) for arm, n in total.items()}

    @property
    def sites(self) -> list[str]:
        """Names of the sites; empty where they are not known."""
        return [str(c) for c in self.counts.columns if c != "people"]


def describe_cohort(result: Result) -> CohortFacts:
    """Count the participants of a fit and list those who were left out.

    Parameters
    ----------
    result : Result
        A fit.

    Returns
    -------
    CohortFacts
        Counts by arm and site, and who was left out why.

    Raises
    ------
    DataContractError
        If the fit does not say which arm its participants belong to.
    """
    constant = result.constant
    posterior = result.group("posterior", ["scores"])
    if ARM not in constant.variables:
        constant = result.group("constant_data", [ARM])
    arms = list(result.arms)
    own = pd.Series(_arm_names(constant[ARM].values, arms), name=ARM)
    counts = pd.DataFrame(index=pd.Index([*arms, "all"], name=ARM))
    site = _find_sites(constant, posterior)
    if site is not None:
        table = pd.crosstab(own, site).reindex(arms, fill_value=0)
        for name in table:
            counts[name] = [*table[name], table[name].sum()]
    by_arm = own.value_counts().reindex(arms, fill_value=0)
    counts["people"] = [*by_arm, by_arm.sum()]
    excluded = result.provenance.get("excluded") or {}
    reasons: dict[str, list[str]] = {}
    if isinstance(excluded, Mapping):
        for subject, reason in excluded.items():
            reasons.setdefault(str(reason), []).append(str(subject))
    n = int(result.provenance.get("n_excluded") or sum(len(v) for v in reasons.values()))
    return CohortFacts(counts=counts, left_out=list(reasons.items()), n_left_out=n)


def say_reference(result: Result) -> list[str]:
    """Say first that a fit has no healthy controls as reference.

    Parameters
    ----------
    result : Result
        A fit.

    Returns
    -------
    list of str
        One sentence or two; empty if the features were standardised relative to controls.
    """
    reference = result.reference
    if reference.removeprefix("robust ").startswith("z against"):
        return []
    if reference.removeprefix("robust ").startswith("z within"):
        return [
            f"Healthy controls are not the reference of this fit: features are {reference}. "
            "Nothing on this page compares patients with healthy participants; 0 is the average "
            "patient."
        ]
    return [
        "The features were not standardised relative to healthy controls (reference: "
        f"{reference}). Nothing on this page compares patients with healthy participants."
    ]


def list_warnings(result: Result) -> list[str]:
    """List the warnings that arose while the cohort was read and fitted.

    Parameters
    ----------
    result : Result
        A fit.

    Returns
    -------
    list of str
        Those of Python and its libraries with their kind; empty where there were none, and for
        runs of earlier versions. They may name participants and folders.
    """
    noted = result.provenance.get("warnings")
    rows = [r for r in noted if isinstance(r, Mapping)] if isinstance(noted, list) else []
    kinds = [str(r.get("category", "warning")) for r in rows]
    return [
        str(r.get("message", "")) if kind == "warning" else f"{kind}: {r.get('message', '')}"
        for r, kind in zip(rows, kinds, strict=True)
    ]


def list_roles(result: Result) -> list[dict[str, Any]]:
    """List the groups of the cohort, with their role in the fit.

    Parameters
    ----------
    result : Result
        A fit.

    Returns
    -------
    list of dict
        ``role``, ``diagnosis``, ``arm``, ``participants`` and ``use``; empty for runs of earlier
        versions.
    """
    roles = result.provenance.get("roles")
    return [dict(r) for r in roles if isinstance(r, Mapping)] if isinstance(roles, list) else []


def _arm_names(values: Any, arms: list[str]) -> list[str]:
    """Names, where arms are stored as positions."""
    if np.issubdtype(np.asarray(values).dtype, np.integer):
        return [arms[int(v)] for v in values]
    return [str(v) for v in values]


def _find_sites(constant: xr.Dataset, posterior: xr.Dataset) -> pd.Series[Any] | None:
    for dataset in (constant, posterior):
        if SITE in dataset.variables and dataset[SITE].dims == (SUBJECT,):
            return pd.Series([str(s) for s in dataset[SITE].values], name=SITE)
    return None


def list_provenance(result: Result, *, with_participants: bool = False) -> list[tuple[str, str]]:
    """Flatten everything a fit recorded about itself.

    Parameters
    ----------
    result : Result
        A fit.
    with_participants : bool, default False
        Whether the command line, folders and names of participants are shown.

    Returns
    -------
    list of (str, str)
        Dotted name and value, without the list of participants who were left out.
    """
    notes = {
        "fit": {k: v for k, v in result.provenance.items() if k not in _SHOWN_ELSEWHERE},
        "model": result.spec.to_mapping(),
        "sampler": result.sampler.to_mapping(),
        # The quality of the features has a section of its own.
        "features": {k: v for k, v in result.features.items() if k != "quality"},
    }
    if not with_participants:
        notes = withhold_notes(notes, list_participants(result))
    rows: list[tuple[str, str]] = []
    for part, note in notes.items():
        _flatten(part, note, rows)
    return rows


def _flatten(name: str, value: Any, rows: list[tuple[str, str]]) -> None:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            _flatten(f"{name}.{key}", item, rows)
    elif value not in (None, "", [], {}):
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        rows.append((name, text))
