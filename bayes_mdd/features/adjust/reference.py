"""Standardisation of features relative to healthy controls."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bayes_mdd.cohort.control_question import control_question
from bayes_mdd.cohort.roles import mark_controls
from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, FEATURE, MISSING, SUBJECT
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.features.additions import standardise_additions
from bayes_mdd.features.contract import check_features, constant_features
from bayes_mdd.features.loading import Floats
from bayes_mdd.features.order import in_order_of, in_standard_order
from bayes_mdd.features.provenance import extend_provenance
from bayes_mdd.features.roles import participants_of
from bayes_mdd.parallel.blas import one_blas_thread

log = logging.getLogger("bayes_mdd.reference")

#: Smallest number of residual degrees of freedom of the regression in the reference subjects.
MIN_RESIDUAL_DF = 3
#: A residual SD below this fraction of the magnitude of the feature is rounding error.
RESIDUAL_TOLERANCE = 1e-10
#: Ratio of SD to median absolute deviation of a normal distribution.
MAD_TO_SD = 1.4826022185056018

type Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Reference:
    """The reference subjects."""

    chosen: Mask
    controls: bool
    robust: bool = False
    #: Number of controls that were deliberately not used.
    unused: int = 0

    @property
    def name(self) -> str:
        """Name of the reference subjects in messages."""
        return "controls" if self.controls else "participants with an arm"

    @property
    def _lacking(self) -> str:
        return f"{self.unused} controls not used" if self.unused else "no controls"

    def describe(self, covariates: Sequence[str]) -> str:
        """Describe the reference, for the attribute ``reference`` of the features."""
        n = int(self.chosen.sum())
        z = "robust z" if self.robust else "z"
        text = (
            f"{z} against {n} controls"
            if self.controls
            else f"{z} within {n} patients with a known arm ({self._lacking})"
        )
        return text + (f", {'+'.join(covariates)} removed" if covariates else "")


@one_blas_thread()
def reference_to_controls(
    features: xr.Dataset,
    covariates: Sequence[str] = (),
    *,
    robust: bool = False,
    group: Literal["controls", "patients"] | None = None,
) -> xr.Dataset:
    """Standardise features relative to healthy controls.

    A regression on the covariates (with intercept) is fitted in controls only. Its prediction is
    subtracted from all subjects, and the residuals are divided by the residual standard deviation
    of the controls. The nuisance part is therefore not affected by illness or drug.

    If there are no controls, the subjects with a known arm are the reference. The result then does
    not compare patients with healthy subjects: the attributes ``reference`` and
    ``reference_group`` state it, and a warning is logged unless `group` asks for it.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set. Controls have ``diagnosis`` "HC".
    covariates : sequence of str, optional
        Coordinates of the subjects to remove, e.g. ``("age", "sex", "mean_fd")``. Text is
        dummy-coded (one column per level except the first); numbers are centred at the mean of the
        reference subjects.
    robust : bool, default False
        Use the median of the residuals and 1.4826 times their median absolute deviation in the
        controls instead of mean and standard deviation. Recommended for features with heavy tails
        or many zeros, such as streamline counts, where a single control can dominate the SD.
    group : {"controls", "patients"}, optional
        The reference subjects: controls (refused if there are none), or the subjects with a known
        arm, whether or not there are controls. Default: controls if there are any.

    Returns
    -------
    xarray.Dataset
        A new feature set with all subjects, including controls. ``units`` is "z"; ``reference`` is,
        for example, "z against 39 controls, age+sex removed"; ``reference_group`` is "controls" or
        "patients"; ``provenance`` has the details. If
        the features were Fisher z or r, the coordinates ``raw_mean`` and ``raw_sd`` and the
        attribute ``raw_units`` keep their scale: the mean (with `robust`: the centre) of the
        reference subjects, that is, the value at their mean covariates, and the SD. A second call
        continues this scale. Differences between halves or sessions are divided by the same SD;
        pieces of the scan are unchanged (see `check_features`).

    Raises
    ------
    DataContractError
        If the features violate their contract; if there are no controls, but a diagnosis is a word
        for controls other than "HC" or does not say whether it means controls, or `group` is
        "controls"; if a covariate is unknown, has missing values, does
        not vary in the reference subjects, depends linearly on others, or has a level that the
        reference subjects lack; if there are fewer reference subjects than columns of the
        regression plus 3; or if a feature does not vary in them (with `robust`: has the same value
        in at least half of them). All problems of the reference are reported in one error.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> coords = {"subject": [f"s{i}" for i in range(8)], "feature": ["a--b"],
    ...           "block": ("feature", ["N-N"]), "arm": ("subject", ["n/a"] * 6 + ["SSRI"] * 2),
    ...           "diagnosis": ("subject", ["HC"] * 6 + ["MDD"] * 2)}
    >>> raw = xr.Dataset({"y": (("subject", "feature"), rng.normal(size=(8, 1)))}, coords)
    >>> reference_to_controls(raw).attrs["reference"]
    'z against 6 controls'
    """
    if isinstance(covariates, str):
        raise DataContractError(
            "reference", [f"covariates must be a list of names; got the text {covariates!r}."]
        )
    check_features(features)
    given, features = features, in_standard_order(features)
    names = list(dict.fromkeys(map(str, covariates)))
    reference = replace(_choose_reference(features, group), robust=robust)
    columns, problems = _design(features, names, reference)
    y = features["y"].values.astype(np.float64)
    problems += _flat_problems(constant_features(y[reference.chosen]), features, reference, "")
    if problems:
        raise DataContractError("reference", problems)
    z, centre, sd = _standardised(y, columns, reference, features)
    out = standardise_additions(features.assign(y=((SUBJECT, FEATURE), z)), centre, sd)
    out["y"].attrs.update(features["y"].attrs)
    facts = {
        "people": "controls" if reference.controls else "subjects with a known arm",
        "n": int(reference.chosen.sum()),
        "covariates": names,
        "columns": columns.shape[1],
        **({"robust": True} if robust else {}),
        "units_before": features.attrs.get("units"),
    }
    return in_order_of(out, given).assign_attrs(
        units="z",
        reference=reference.describe(names),
        reference_group="controls" if reference.controls else "patients",
        provenance=extend_provenance(out.attrs.get("provenance"), reference=facts),
    )


def _choose_reference(features: xr.Dataset, group: str | None) -> _Reference:
    if group not in ("controls", "patients", None):
        raise SpecError(f"group must be 'controls' or 'patients', got {group!r}.")
    table = participants_of(features)
    controls = np.zeros(len(table), dtype=bool)
    if DIAGNOSIS in table:
        controls = (table[DIAGNOSIS] == CONTROL).to_numpy()
    if group != "patients":
        if controls.any():
            return _Reference(controls, controls=True)
        if DIAGNOSIS in table:
            _check_diagnosis(table)
        if group == "controls":
            raise DataContractError("reference", [control_question(table)])
    treated = (table[ARM] != MISSING).to_numpy() & ~controls
    if not treated.any():
        raise DataContractError(
            "reference",
            [
                f"no participant has diagnosis '{CONTROL}' or an arm, so there is no reference. "
                "Fill in diagnosis or arm in participants.tsv."
            ],
        )
    if group is None:
        log.warning(
            "No participant is a healthy control (diagnosis %s): features are standardised within "
            "the %d participants with an arm, so nothing is compared with healthy participants. "
            "Pass group='patients' if this is intended.",
            CONTROL,
            int(treated.sum()),
        )
    return _Reference(treated, controls=False, unused=int(controls.sum()))


def _check_diagnosis(table: pd.DataFrame) -> None:
    """Refuse to do without controls where other diagnoses mark them, or may mark them."""
    groups = mark_controls(table, {})
    problems = [
        f"{note} Write {CONTROL} as the diagnosis of controls, or pass group='patients' "
        "if they are none."
        for note in groups.notes
    ]
    problems += [f"{text} Or pass group='patients'." for text in groups.problems]
    if problems:
        raise DataContractError("reference", problems)


def _design(
    features: xr.Dataset, names: Sequence[str], reference: _Reference
) -> tuple[Floats, list[str]]:
    """Build the columns of the regression for all subjects, and list problems with them."""
    problems = list(_name_problems(features, names))
    columns = [np.ones((features.sizes[SUBJECT], 1))]
    usable = [n for n in names if n in features.coords and features[n].dims == (SUBJECT,)]
    for name in usable:
        block, found = _columns(features, name, reference)
        problems += found
        columns.append(block)
    design = np.concatenate(columns, axis=1)
    if problems:
        return design, problems
    n, width = int(reference.chosen.sum()), design.shape[1]
    if n < width + MIN_RESIDUAL_DF:
        problems.append(
            f"{n} {reference.name} are too few for a regression with {width} column(s) (intercept "
            f"and covariates): at least {width + MIN_RESIDUAL_DF} are needed. Remove covariates or "
            "add participants."
        )
    elif np.linalg.matrix_rank(_scaled(design[reference.chosen])) < width:
        problems.append(
            f"the covariates {', '.join(names)} are linearly dependent in the {n} "
            f"{reference.name}: remove one of them."
        )
    return design, problems


def _scaled(design: Floats) -> Floats:
    """Scale columns to unit norm, so that the rank does not depend on their units."""
    return design / np.linalg.norm(design, axis=0)


def _name_problems(features: xr.Dataset, names: Sequence[str]) -> Iterator[str]:
    known = [
        str(c) for c, v in features.coords.items() if v.dims == (SUBJECT,) and str(c) != SUBJECT
    ]
    allowed = [c for c in known if c not in (ARM, DIAGNOSIS)]
    for name in names:
        if name in (ARM, DIAGNOSIS):
            yield f"'{name}' is the effect of interest and cannot be removed as a covariate."
        elif name not in allowed:
            similar = get_close_matches(name, allowed, n=1)
            hint = (
                f"Did you mean '{similar[0]}'?"
                if similar
                else f"Available: {some(allowed, 12) or 'none'}."
            )
            yield f"unknown covariate '{name}'. {hint} Correct the name, or add the column."


def _columns(features: xr.Dataset, name: str, reference: _Reference) -> tuple[Floats, list[str]]:
    values = features[name].values
    subjects = features[SUBJECT].values
    if values.dtype.kind in "fiub":
        number = values.astype(np.float64)
        missing = ~np.isfinite(number)
    else:
        text = values.astype(str)
        missing = (text == MISSING) | (np.strings.strip(text) == "")
    if missing.any():
        return np.empty((len(subjects), 0)), [
            f"covariate '{name}' is missing for {int(missing.sum())} participant(s): "
            f"{some(subjects[missing])}. Fill it in, exclude these participants or remove the "
            "covariate."
        ]
    if values.dtype.kind in "fiub":
        return _numeric_column(number, name, reference)
    return _level_columns(text, name, reference, subjects)


def _numeric_column(number: Floats, name: str, reference: _Reference) -> tuple[Floats, list[str]]:
    chosen = number[reference.chosen]
    spread = float(np.ptp(chosen))
    if spread <= 1e-12 * float(np.abs(chosen).max()):
        return np.empty((len(number), 0)), [
            f"covariate '{name}' is {chosen[0]:g} in all {len(chosen)} {reference.name}, so its "
            "effect cannot be estimated from them. Remove it."
        ]
    return (number - chosen.mean())[:, None], []


def _level_columns(
    text: npt.NDArray[Any], name: str, reference: _Reference, subjects: npt.NDArray[Any]
) -> tuple[Floats, list[str]]:
    levels = np.unique(text[reference.chosen])
    problems = []
    if len(levels) < 2:
        problems.append(
            f"covariate '{name}' is '{levels[0]}' in all {reference.name}, so its effect cannot be "
            "estimated from them. Remove it."
        )
    for level in np.setdiff1d(text, levels):
        at_level = text == level
        problems.append(
            f"{name} '{level}' has {int(at_level.sum())} participant(s) "
            f"({some(subjects[at_level], 3)}) but no {reference.name}, so its effect cannot be "
            f"estimated from them. Use {name} as a covariate of the model instead."
        )
    return (text[:, None] == levels[None, 1:]).astype(np.float64), problems


def _standardised(
    y: Floats, design: Floats, reference: _Reference, features: xr.Dataset
) -> tuple[Floats, Floats, Floats]:
    """Standardised values; centre at the mean covariates of the reference, and SD."""
    fitted = design[reference.chosen]
    # Centring at the reference subjects first reduces rounding error.
    centre = y[reference.chosen].mean(axis=0)
    residual = y - centre
    weights, *_ = np.linalg.lstsq(fitted, residual[reference.chosen], rcond=None)
    residual -= design @ weights
    chosen = residual[reference.chosen]
    if reference.robust:
        median = np.median(chosen, axis=0)
        residual -= median
        centre = centre + median
        sd = MAD_TO_SD * np.median(np.abs(chosen - median), axis=0)
    else:
        sd = np.sqrt((chosen**2).sum(axis=0) / (len(fitted) - fitted.shape[1]))
    size = np.abs(y[reference.chosen]).max(axis=0)
    flat = sd <= RESIDUAL_TOLERANCE * size
    when = " after removal of the covariates"
    if reference.robust:
        when = " (median absolute deviation 0: at least half of them have the same value)"
    problems = _flat_problems(flat, features, reference, when)
    if problems:
        raise DataContractError("reference", problems)
    z: Floats = residual / sd
    return z, centre, sd


def _flat_problems(flat: Mask, features: xr.Dataset, reference: _Reference, when: str) -> list[str]:
    if not flat.any():
        return []
    return [
        f"{int(flat.sum())} feature(s) do not vary in the {int(reference.chosen.sum())} "
        f"{reference.name}{when}: {some(features[FEATURE].values[flat])}. They cannot be "
        "standardised; exclude them."
    ]
