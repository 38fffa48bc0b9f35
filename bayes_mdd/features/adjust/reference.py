"""Features against healthy controls: what is nuisance is learned from them alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, FEATURE, MISSING, SUBJECT
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.contract import check_features, constant_features
from bayes_mdd.features.loading import Floats
from bayes_mdd.features.provenance import extend_provenance

#: Reference people beyond the columns of the regression, so that a residual SD means something.
SPARE_PEOPLE = 3
#: A residual SD below this share of the feature's size is rounding.
RESIDUAL_TOLERANCE = 1e-10
#: Makes the median absolute deviation of a normal distribution its SD.
MAD_TO_SD = 1.4826022185056018

type Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _People:
    """Who the reference is made of."""

    chosen: Mask
    controls: bool
    robust: bool = False

    @property
    def words(self) -> str:
        """How messages call them."""
        return "controls" if self.controls else "people with an arm"

    def sentence(self, covariates: Sequence[str]) -> str:
        """State the reference, as the attribute of the features holds it."""
        n = int(self.chosen.sum())
        z = "robust z" if self.robust else "z"
        text = (
            f"{z} against {n} controls"
            if self.controls
            else f"{z} within {n} patients with a known arm (no controls)"
        )
        return text + (f", {'+'.join(covariates)} removed" if covariates else "")


def reference_to_controls(
    features: xr.Dataset, covariates: Sequence[str] = (), *, robust: bool = False
) -> xr.Dataset:
    """Express every feature in standard deviations of the healthy controls.

    A regression on the covariates (with intercept) is fitted in controls only, its prediction is
    subtracted from everybody, and the rest is divided by the controls' residual standard
    deviation. So patients' illness or drug cannot leak into the nuisance part.

    Where there are no controls, the same is done within the people with a known arm: then nobody
    is compared with health, and the attribute ``reference`` says so.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set. Controls have ``diagnosis`` "HC".
    covariates : sequence of str, optional
        Coordinates of the subjects to remove, e.g. ``("age", "sex", "mean_fd")``. Text enters as
        one column a level but the first, numbers centred at the mean of the reference people.
    robust : bool, default False
        Measure from the controls' median in units of 1.4826 times their median absolute deviation
        (of what the regression leaves), instead of mean and standard deviation. For features with
        a heavy tail or many zeros, such as streamline counts, where one control can set the SD.

    Returns
    -------
    xarray.Dataset
        A new feature set with everybody in it, controls too. ``units`` is "z"; ``reference``
        reads, e.g., "z against 39 controls, age+sex removed"; ``provenance`` has the details.

    Raises
    ------
    DataContractError
        If the features break their contract; if a covariate is unknown, has missing values, does
        not vary among the reference people, repeats another, or has a level that they lack; if
        they are fewer than the columns of the regression plus 3; or if a feature does not vary
        among them (`robust`: has one value in half of them). All problems of the reference come in
        one error.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> people = {"subject": [f"s{i}" for i in range(8)], "feature": ["a--b"],
    ...           "block": ("feature", ["N-N"]), "arm": ("subject", ["n/a"] * 6 + ["SSRI"] * 2),
    ...           "diagnosis": ("subject", ["HC"] * 6 + ["MDD"] * 2)}
    >>> raw = xr.Dataset({"y": (("subject", "feature"), rng.normal(size=(8, 1)))}, people)
    >>> reference_to_controls(raw).attrs["reference"]
    'z against 6 controls'
    """
    if isinstance(covariates, str):
        raise DataContractError(
            "reference", [f"covariates wants a list of names, got the text {covariates!r}."]
        )
    check_features(features)
    names = list(dict.fromkeys(map(str, covariates)))
    people = replace(_reference_people(features), robust=robust)
    columns, problems = _design(features, names, people)
    y = features["y"].values.astype(np.float64)
    problems += _flat_problems(constant_features(y[people.chosen]), features, people, "")
    if problems:
        raise DataContractError("reference", problems)
    z = _standardised(y, columns, people, features)
    out = features.assign(y=((SUBJECT, FEATURE), z))
    out["y"].attrs.update(features["y"].attrs)
    facts = {
        "people": "controls" if people.controls else "people with a known arm",
        "n": int(people.chosen.sum()),
        "covariates": names,
        "columns": columns.shape[1],
        **({"robust": True} if robust else {}),
        "units_before": features.attrs.get("units"),
    }
    return out.assign_attrs(
        units="z",
        reference=people.sentence(names),
        provenance=extend_provenance(features.attrs.get("provenance"), reference=facts),
    )


def _reference_people(features: xr.Dataset) -> _People:
    if DIAGNOSIS in features.coords:
        controls = features[DIAGNOSIS].values.astype(str) == CONTROL
        if controls.any():
            return _People(controls, controls=True)
    treated = features[ARM].values.astype(str) != MISSING
    if not treated.any():
        raise DataContractError(
            "reference",
            [
                f"nobody has diagnosis '{CONTROL}' and nobody has an arm: there is nobody to take "
                "as reference. Fill in diagnosis or arm in participants.tsv."
            ],
        )
    return _People(treated, controls=False)


def _design(
    features: xr.Dataset, names: Sequence[str], people: _People
) -> tuple[Floats, list[str]]:
    """Build the columns of the regression for everybody, or say what is wrong with them."""
    problems = list(_name_problems(features, names))
    columns = [np.ones((features.sizes[SUBJECT], 1))]
    usable = [n for n in names if n in features.coords and features[n].dims == (SUBJECT,)]
    for name in usable:
        block, trouble = _columns(features, name, people)
        problems += trouble
        columns.append(block)
    design = np.concatenate(columns, axis=1)
    if problems:
        return design, problems
    n, width = int(people.chosen.sum()), design.shape[1]
    if n < width + SPARE_PEOPLE:
        problems.append(
            f"{n} {people.words} for a regression of {width} column(s) (intercept and covariates): "
            f"at least {width + SPARE_PEOPLE} are needed. Remove covariates or add people."
        )
    elif np.linalg.matrix_rank(_scaled(design[people.chosen])) < width:
        problems.append(
            f"covariates {', '.join(names)} repeat each other among the {n} {people.words} (one "
            "follows from the others): leave one out."
        )
    return design, problems


def _scaled(design: Floats) -> Floats:
    """Bring columns to one size, so that rank does not depend on units."""
    return design / np.linalg.norm(design, axis=0)


def _name_problems(features: xr.Dataset, names: Sequence[str]) -> Iterator[str]:
    known = [
        str(c) for c, v in features.coords.items() if v.dims == (SUBJECT,) and str(c) != SUBJECT
    ]
    allowed = [c for c in known if c not in (ARM, DIAGNOSIS)]
    for name in names:
        if name in (ARM, DIAGNOSIS):
            yield f"{name} is what the analysis is about: it cannot be removed as a nuisance."
        elif name not in allowed:
            near = get_close_matches(name, allowed, n=1)
            tail = (
                f"did you mean '{near[0]}'?" if near else f"known: {some(allowed, 12) or 'none'}."
            )
            yield f"unknown covariate '{name}': {tail}"


def _columns(features: xr.Dataset, name: str, people: _People) -> tuple[Floats, list[str]]:
    values = features[name].values
    who = features[SUBJECT].values
    if values.dtype.kind in "fiub":
        number = values.astype(np.float64)
        missing = ~np.isfinite(number)
    else:
        text = values.astype(str)
        missing = (text == MISSING) | (np.strings.strip(text) == "")
    if missing.any():
        return np.empty((len(who), 0)), [
            f"covariate '{name}' is missing for {int(missing.sum())} people: {some(who[missing])}. "
            "Fill it in, leave the people out or leave the covariate out."
        ]
    if values.dtype.kind in "fiub":
        return _number_column(number, name, people)
    return _level_columns(text, name, people, who)


def _number_column(number: Floats, name: str, people: _People) -> tuple[Floats, list[str]]:
    own = number[people.chosen]
    spread = float(np.ptp(own))
    if spread <= 1e-12 * float(np.abs(own).max()):
        return np.empty((len(number), 0)), [
            f"covariate '{name}' is {own[0]:g} in all {len(own)} {people.words}: its effect cannot "
            "be estimated from them. Leave it out."
        ]
    return (number - own.mean())[:, None], []


def _level_columns(
    text: npt.NDArray[Any], name: str, people: _People, who: npt.NDArray[Any]
) -> tuple[Floats, list[str]]:
    levels = np.unique(text[people.chosen])
    problems = []
    if len(levels) < 2:
        problems.append(
            f"covariate '{name}' is '{levels[0]}' in all {people.words}: its effect cannot be "
            "estimated from them. Leave it out."
        )
    for level in np.setdiff1d(text, levels):
        here = text == level
        problems.append(
            f"{name} '{level}' has {int(here.sum())} people ({some(who[here], 3)}) but no "
            f"{people.words}: its effect cannot be estimated from them. Take {name} out of the "
            "covariates here and put it among the covariates of the model."
        )
    return (text[:, None] == levels[None, 1:]).astype(np.float64), problems


def _standardised(y: Floats, design: Floats, people: _People, features: xr.Dataset) -> Floats:
    own = design[people.chosen]
    # y of the reference people is centred first: smaller numbers, smaller rounding.
    centre = y[people.chosen].mean(axis=0)
    shifted = y - centre
    weights, *_ = np.linalg.lstsq(own, shifted[people.chosen], rcond=None)
    shifted -= design @ weights
    rest = shifted[people.chosen]
    if people.robust:
        middle = np.median(rest, axis=0)
        shifted -= middle
        sd = MAD_TO_SD * np.median(np.abs(rest - middle), axis=0)
    else:
        sd = np.sqrt((rest**2).sum(axis=0) / (len(own) - own.shape[1]))
    size = np.abs(y[people.chosen]).max(axis=0)
    flat = sd <= RESIDUAL_TOLERANCE * size
    when = " once covariates are removed"
    if people.robust:
        when = " in at least half of them (their median absolute deviation is 0)"
    problems = _flat_problems(flat, features, people, when)
    if problems:
        raise DataContractError("reference", problems)
    z: Floats = shifted / sd
    return z


def _flat_problems(flat: Mask, features: xr.Dataset, people: _People, when: str) -> list[str]:
    if not flat.any():
        return []
    return [
        f"{int(flat.sum())} feature(s) do not vary among the {int(people.chosen.sum())} "
        f"{people.words}{when}: {some(features[FEATURE].values[flat])}. Nothing can be "
        "standardised against that; leave them out."
    ]
