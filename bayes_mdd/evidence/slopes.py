"""The link between scores of factors and the outcome, within each drug class."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, CHAIN, DRAW, FACTOR
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.evidence.tables import MODERATION
from bayes_mdd.evidence.words import class_of
from bayes_mdd.types import Array

#: Drug classes of findings that name none, or pool two.
POOLED = ("antidepressant", "SSRI+SNRI")


@dataclass(frozen=True, eq=False)
class Slopes:
    """Slopes of the better outcome on the scores.

    Parameters
    ----------
    factors : tuple of str
        Names.
    of_class : mapping of str to ndarray, shape (draw, factor)
        Slope within the arm of each drug class; ``""`` is the average over arms.
    moderation : bool
        Whether a finding is compared with the difference between its class and the other one.
    """

    factors: tuple[str, ...]
    of_class: Mapping[str, Array]
    moderation: bool

    def only(self, factors: Sequence[str]) -> Slopes:
        """Keep some factors.

        Parameters
        ----------
        factors : sequence of str
            Their names.

        Returns
        -------
        Slopes
            Slopes of these, in this order.

        Raises
        ------
        SpecError
            If the response has no such factor.
        """
        if lost := [f for f in factors if f not in self.factors]:
            raise SpecError(
                f"factors {some(lost)} are not in the response, which has {some(self.factors, 12)}."
            )
        at = [self.factors.index(f) for f in factors]
        kept = {name: slope[:, at] for name, slope in self.of_class.items()}
        return Slopes(tuple(factors), kept, self.moderation)

    def choose(self, findings: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
        """Separate findings whose drug class is not that of an arm.

        Parameters
        ----------
        findings : DataFrame
            Findings.

        Returns
        -------
        chosen : DataFrame
            The others.
        reasons : dict of str to str
            Why a finding is left out, by ``finding_id``.
        """
        allowed = {c for c in self.of_class if c} | (set() if self.moderation else set(POOLED))
        kept = findings["drug_class"].isin(allowed)
        if self.moderation and len(self.of_class) < 3:
            kept[:] = False
        reasons = {
            str(name): f"no arm of the trial is of the class {drug_class or 'that is not named'}"
            for name, drug_class in findings.loc[~kept, ["finding_id", "drug_class"]].to_numpy()
        }
        return findings[kept], reasons

    def of(self, drug_classes: pd.Series) -> Array:
        """Take the slopes that belong to findings.

        Parameters
        ----------
        drug_classes : Series of str
            Drug class of each finding.

        Returns
        -------
        ndarray, shape (draw, factor, finding)
            Slope of the better outcome.
        """
        found = []
        for name in drug_classes:
            slope = self.of_class.get(str(name), self.of_class[""])
            if self.moderation:
                other = next(c for c in self.of_class if c not in ("", name))
                slope = slope - self.of_class[other]
            found.append(slope)
        return np.stack(found, axis=-1)


def read_slopes(
    response: xr.DataTree,
    drug_classes: Mapping[str, str] | None,
    estimand: str,
    source: str,
) -> Slopes:
    """Read the link with the outcome.

    Parameters
    ----------
    response : DataTree
        From `fit_response`.
    drug_classes : mapping of str to str, optional
        Drug class by arm.
    estimand : str
        What is compared.
    source : str
        Fingerprint of the fit of factors; empty if it has none.

    Returns
    -------
    Slopes
        Slopes.

    Raises
    ------
    DataContractError
        If it is no result of `fit_response`, of another fit, or has no factor.
    SpecError
        If an arm is unknown.
    """
    if "spec" not in response.attrs or "posterior" not in response.children:
        raise DataContractError("response", ["this is no result of fit_response."])
    posterior = response["posterior"].to_dataset()
    if missing := [v for v in ("prognosis", "moderation") if v not in posterior]:
        raise DataContractError("response", [f"its posterior has no {some(missing)}."])
    own = str(response.attrs.get("scores_source", ""))
    if source and own and own != source:
        raise DataContractError(
            "response", [f"its scores come from run {own}, the maps from run {source}."]
        )
    arms = [str(a) for a in posterior[ARM].values]
    if lost := [a for a in drug_classes or {} if a not in arms]:
        raise SpecError(f"drug_classes names {some(lost)}, but the arms are {some(arms)}.")
    if not posterior.sizes[FACTOR]:
        raise DataContractError("response", ["no factor is in use, so that there is no slope."])
    order = (CHAIN, DRAW, FACTOR)
    prognosis, moderation = (
        posterior[v].transpose(*order).values.reshape(-1, posterior.sizes[FACTOR])
        for v in ("prognosis", "moderation")
    )
    scale = np.ones(posterior.sizes[FACTOR])
    if "constant_data" in response.children:
        constant = response["constant_data"].to_dataset()
        scale = constant["score_scale"].values if "score_scale" in constant else scale
    spec = json.loads(str(response.attrs["spec"]))
    better = (1.0 if spec.get("higher_is_better") else -1.0) / np.where(scale > 0, scale, 1.0)
    of_arm = {
        arm: better * (prognosis + code * moderation)
        for arm, code in zip(arms, (-0.5, 0.5), strict=True)
    }
    of_class = {"": better * prognosis}
    for arm, slope in of_arm.items():
        name = (drug_classes or {}).get(arm) or class_of(arm)
        if name:
            of_class[name] = slope
    return Slopes(tuple(str(f) for f in posterior[FACTOR].values), of_class, estimand == MODERATION)
