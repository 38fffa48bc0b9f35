"""What every model family offers to the main job.

A family is one package with a module ``family.py`` that defines a `Family`. `bayes_mdd.workflow`
finds it by its kind and calls the functions below; it knows nothing else of a model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import CHAIN, DRAW, FACTOR, SUBJECT
from bayes_mdd.results.checks import Check
from bayes_mdd.results.drawings import Drawing
from bayes_mdd.results.page import PageOptions
from bayes_mdd.results.result import Result
from bayes_mdd.results.rules import Limits, Rules
from bayes_mdd.specs import SamplerSpec, Spec
from bayes_mdd.types import Array


class Prepared(Protocol):
    """Data as a family's model takes them."""

    @property
    def excluded(self) -> Mapping[str, str]:
        """Participants who are not fitted, with the reason."""
        ...


def no_items(spec: Any) -> tuple[str, ...]:
    """Name the single items of scales that a model links: none.

    Parameters
    ----------
    spec : Spec
        The model.

    Returns
    -------
    tuple of str
        Empty.
    """
    return ()


def no_arm_totals(result: Result, ci_prob: float) -> pd.DataFrame:
    """Tabulate the variance explained by arm: not defined for this model.

    Parameters
    ----------
    result : Result
        A fit.
    ci_prob : float
        Probability of intervals.

    Returns
    -------
    DataFrame
        Empty.
    """
    return pd.DataFrame()


def no_links(result: Result, ci_prob: float) -> Mapping[str, pd.DataFrame]:
    """Tabulate the symptom links: none in this model.

    Parameters
    ----------
    result : Result
        A fit.
    ci_prob : float
        Probability of intervals.

    Returns
    -------
    mapping of str to DataFrame
        Empty.
    """
    return {}


def no_figures(
    result: Result, table: pd.DataFrame, sig: xr.Dataset, with_participants: bool
) -> Sequence[Drawing]:
    """List the figures of a fit: none.

    Parameters
    ----------
    result : Result
        A fit.
    table : DataFrame
        Its factors.
    sig : Dataset
        Its maps.
    with_participants : bool
        Whether figures with one mark per participant are wanted.

    Returns
    -------
    sequence of Drawing
        Empty.
    """
    return ()


def no_reason(result: Result) -> str | None:
    """Say why a fit has no summary of its cohort: there is no reason.

    Parameters
    ----------
    result : Result
        A fit.

    Returns
    -------
    None
        Always.
    """
    return None


def stored_scores(result: Result, factors: Sequence[str]) -> Array:
    """Read the draws of scores as they are stored.

    Parameters
    ----------
    result : Result
        A fit.
    factors : sequence of str
        Factors to keep.

    Returns
    -------
    ndarray, shape (draw, subject, factor)
        All chains in a row.

    Raises
    ------
    DataContractError
        If the fit stores no scores.
    """
    drawn = result.group("posterior", ["scores"])["scores"].sel({FACTOR: list(factors)})
    values = drawn.transpose(CHAIN, DRAW, SUBJECT, FACTOR).values
    return np.asarray(values.reshape(-1, *values.shape[2:]))


@dataclass(frozen=True, kw_only=True)
class Family:
    """One model family as the main job sees it.

    Parameters
    ----------
    kind : str
        Its name in specs and results.
    spec : type of Spec
        The spec that its functions take.
    check_method : callable
        ``(spec, method)``: raises SpecError where a method does not serve a spec.
    prepare : callable
        ``(spec, features, symptoms) -> data``; `data` has ``excluded``.
    fit : callable
        ``(spec, data, sampler, method, progressbar, store) -> (DataTree, facts for the
        provenance)``; `store` keeps chains as they finish, or is None.
    checks : callable
        ``(result, limits) -> list of Check``; `limits` None stands for the family's own.
    table : callable
        ``(result, rules) -> DataFrame``, one row per factor, with ``factor``, ``label``,
        ``networks`` and ``verdict``.
    page : callable
        ``(result, checks, table, options) -> str``, the report as HTML.
    overview : callable
        ``(table) -> DataFrame`` of text: the table of factors as a terminal shows it.
    describe_fit : callable
        ``(spec, sampler, method) -> str``: how the model will be fitted, in a few words.
    links_symptoms : bool, default False
        Whether `prepare` takes symptoms.
    arm_totals : callable
        ``(result, ci_prob) -> DataFrame``: variance explained by arm; empty where not defined.
    links : callable
        ``(result, ci_prob) -> mapping of str to DataFrame``: tables of the symptom links by name,
        ``links`` and ``links_by_arm``; empty where the fit has none.
    figures : callable
        ``(result, table, sig, with_participants) -> sequence of Drawing``: the figures that a fit
        supports, for files.
    scores : callable
        ``(result, factors) -> ndarray, shape (draw, subject, factor)``: draws of scores with a
        common origin, for tables of participants. Default: as they are stored.
    items : callable
        ``(spec) -> tuple of str``: single items of scales that the spec links.
    summary : callable, optional
        ``(result) -> Dataset``: summary of a cohort for its combination with others; and
    why_no_summary : callable
        ``(result) -> str or None``: why a fit has none.
    prior : callable, optional
        ``(spec, features, symptoms, draws, seed) -> DataFrame``: what the priors expect.
    """

    kind: str
    spec: type[Spec]
    check_method: Callable[[Any, str], None]
    prepare: Callable[[Any, xr.Dataset, pd.DataFrame | None], Prepared]
    fit: Callable[[Any, Any, SamplerSpec, str, bool, Any], tuple[xr.DataTree, dict[str, Any]]]
    checks: Callable[[Result, Limits | None], list[Check]]
    table: Callable[[Result, Rules], pd.DataFrame]
    page: Callable[[Result, pd.DataFrame, pd.DataFrame, PageOptions], str]
    overview: Callable[[pd.DataFrame], pd.DataFrame]
    describe_fit: Callable[[Any, SamplerSpec, str], str]
    links_symptoms: bool = False
    arm_totals: Callable[[Result, float], pd.DataFrame] = no_arm_totals
    links: Callable[[Result, float], Mapping[str, pd.DataFrame]] = no_links
    figures: Callable[[Result, pd.DataFrame, xr.Dataset, bool], Sequence[Drawing]] = no_figures
    scores: Callable[[Result, Sequence[str]], Array] = stored_scores
    items: Callable[[Any], tuple[str, ...]] = no_items
    summary: Callable[[Result], xr.Dataset] | None = None
    why_no_summary: Callable[[Result], str | None] = no_reason
    prior: Callable[[Any, xr.Dataset, pd.DataFrame | None, int, int], pd.DataFrame] | None = None
