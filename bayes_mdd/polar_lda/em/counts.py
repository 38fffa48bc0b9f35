"""From measured edges to signed counts relative to controls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.polar_lda.em.corpus import COUNT_MAX
from bayes_mdd.types import Array, BoolArray

Rounding = Literal["symmetric", "floor"]

#: Ridge penalty of the published nuisance regression.
RIDGE = 1e-6


def make_counts(
    z: Array, *, scale: float = 10.0, rounding: Rounding = "symmetric"
) -> NDArray[np.int32]:
    r"""Discretise z values into signed token counts.

    The sign of a count is the polarity (positive: stronger connection than in controls), its size
    the number of tokens. `scale` is arbitrary, and the nominal posterior SD of a composition
    falls with its square root: see `token_sensitivity`.

    Parameters
    ----------
    z : ndarray, shape (subject, edge)
        Edges in SD of the controls.
    scale : float, default 10.0
        Tokens per SD.
    rounding : {"symmetric", "floor"}, default "symmetric"
        Round to the nearest integer, or down as the published program does. Rounding down
        subtracts half a token on average: hypo-connected tokens then outnumber hyper-connected
        ones where there is no difference from controls.

    Returns
    -------
    ndarray of int32, shape (subject, edge)
        Signed counts.

    Raises
    ------
    SpecError
        If `scale` is not above 0 or `rounding` is unknown.
    DataContractError
        If a value is not finite or its count does not fit the integer type.

    References
    ----------
    .. [1] Tang, S. et al. (2020). Reconciling dimensional and categorical models of autism
       heterogeneity: a brain connectomics and behavioral study. Biological Psychiatry, 87,
       1071-1082.

    Examples
    --------
    >>> make_counts(np.array([[0.26, -0.26, 0.04]])).tolist()
    [[3, -3, 0]]
    >>> make_counts(np.array([[0.26, -0.26, 0.04]]), rounding="floor").tolist()
    [[2, -3, 0]]
    """
    if not (np.isfinite(scale) and scale > 0):
        raise SpecError(f"scale must be a finite number above 0, got {scale}.")
    if rounding not in ("symmetric", "floor"):
        raise SpecError(f'rounding must be "symmetric" or "floor", got {rounding!r}.')
    scaled = scale * np.asarray(z, dtype=np.float64)
    # rint rounds halves to the even neighbour, which is symmetric around zero.
    whole = np.floor(scaled) if rounding == "floor" else np.rint(scaled)
    finite = np.isfinite(whole)
    problems = []
    if not finite.all():
        where = np.unique(np.nonzero(~finite)[0])
        problems.append(f"{int((~finite).sum())} value(s) are not finite: rows {some(where)}.")
    big = finite & (np.abs(whole) > COUNT_MAX)
    if big.any():
        where = np.unique(np.nonzero(big)[0])
        problems.append(
            f"{int(big.sum())} count(s) are too large for 32-bit integers (scale {scale:g}, "
            f"largest |z| {np.abs(scaled[big]).max() / scale:.3g}): rows {some(where)}. "
            "Check these z values, or lower the scale."
        )
    if problems:
        raise DataContractError("z values", problems)
    return whole.astype(np.int32)


@dataclass(frozen=True, eq=False)
class PublishedReference:
    """The reference to controls of the published program, for use with a later cohort.

    Parameters
    ----------
    mean, sd : ndarray, shape (edge,)
        Mean and SD of the controls' edges after the nuisance regression.
    """

    mean: Array
    sd: Array


def published_z(
    edges: Array,
    is_control: BoolArray,
    covariates: Array,
    *,
    reference: PublishedReference | None = None,
) -> tuple[Array, PublishedReference]:
    r"""Standardise edges relative to controls exactly as the published program does.

    `bayes_mdd.reference_to_controls` does the same with correct degrees of freedom. This function
    serves comparisons with published numbers: it uses a ridge penalty of 1e-6 in the nuisance
    regression, and an SD that divides by n - 1 whatever the number of covariates.

    Parameters
    ----------
    edges : ndarray, shape (subject, edge)
        Patients and controls together, in their original units.
    is_control : ndarray of bool, shape (subject,)
        True for controls.
    covariates : ndarray, shape (subject, covariate)
        Nuisance columns without the intercept: age, sex, motion, site dummies.
    reference : PublishedReference, optional
        Reference of the cohort to which a model was fitted. The nuisance regression of a new
        cohort uses its own controls; mean and SD are those of the reference.

    Returns
    -------
    z : ndarray, shape (subject, edge)
        Edges in SD of the controls.
    reference : PublishedReference
        To pass for a later cohort.

    Raises
    ------
    DataContractError
        If there are too few controls, an edge does not vary among them, shapes disagree, or
        values are missing or infinite.
    """
    edges, covariates = np.asarray(edges, float), np.asarray(covariates, float)
    control = np.asarray(is_control, bool)
    _check_controls(edges, control, covariates)
    design = np.column_stack([np.ones(len(edges)), covariates])
    own = design[control]
    gram = own.T @ own + RIDGE * np.eye(own.shape[1])
    weights = np.linalg.solve(gram, own.T @ edges[control])
    cleaned = edges - design @ weights + edges[control].mean(axis=0)
    if reference is None:
        reference = PublishedReference(
            cleaned[control].mean(axis=0), cleaned[control].std(axis=0, ddof=1)
        )
    flat = np.flatnonzero(~(reference.sd > 0))
    if flat.size:
        raise DataContractError(
            "edges",
            [
                f"{flat.size} edge(s) do not vary among the {int(control.sum())} controls "
                f"(columns {some(flat)}) and cannot be standardised. Exclude them."
            ],
        )
    return (cleaned - reference.mean) / reference.sd, reference


def _check_controls(edges: Array, control: BoolArray, covariates: Array) -> None:
    problems = []
    if (
        edges.ndim != 2
        or covariates.ndim != 2
        or len({*map(len, (edges, control, covariates))}) > 1
    ):
        problems.append(
            f"edges {edges.shape}, is_control {control.shape} and covariates {covariates.shape} "
            "must have one row per participant."
        )
    elif not control.any():
        problems.append(
            "there are no controls, and polar LDA counts deviations from controls. Without them, "
            "standardise relative to the patients themselves with "
            "bayes_mdd.reference_to_controls; hyper- and hypo-connection then mean more and less "
            "than in the average patient."
        )
    elif control.sum() < covariates.shape[1] + 3:
        problems.append(
            f"{int(control.sum())} controls are too few for {covariates.shape[1]} covariates and "
            "an SD: at least covariates + 3 are needed."
        )
    if not (np.isfinite(edges).all() and np.isfinite(covariates).all()):
        problems.append("edges or covariates contain missing or infinite values.")
    if problems:
        raise DataContractError("reference", problems)
