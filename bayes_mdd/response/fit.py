"""Fit the second stage: outcomes given arms and moments of scores."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd import __version__
from bayes_mdd.dims import ARM, CHAIN, DRAW, FACTOR, SUBJECT
from bayes_mdd.errors import SpecError
from bayes_mdd.parallel.blas import one_blas_thread
from bayes_mdd.response.mixture import MOST_FACTORS, fit_mixture
from bayes_mdd.response.outcome_values import N_TRIALS
from bayes_mdd.response.pointwise import log_likelihood
from bayes_mdd.response.prepare import Prepared, prepare, warn_of_design
from bayes_mdd.response.scores import ARM_AWARE, NAMES, SOURCE, score_moments
from bayes_mdd.response.trial import Trial
from bayes_mdd.response.visit_mixture import fit_visits
from bayes_mdd.response.visits import VisitData, prepare_visits
from bayes_mdd.sampling.draws import OWN_SAMPLER, sampler_version
from bayes_mdd.specs import SamplerSpec
from bayes_mdd.specs.response import ResponseSpec
from bayes_mdd.streams import Stream, generator
from bayes_mdd.types import Array, IntArray

#: Kind of a result of this model.
KIND = "treatment_response"
DRUG, MODERATION, PROGNOSIS = "drug", "moderation", "prognosis"
BENEFIT_SD, SIGMA, COEFFICIENT = "benefit_sd", "sigma", "coefficient"
DRUG_VISIT = "drug_visit"
#: Dimensions of the adjusted columns, and of the visits.
COLUMN, VISIT = "column", "visit"
#: Smallest target acceptance rate: slopes near zero leave their scale and shares to the priors.
TARGET_ACCEPT = 0.97
#: What a fit without factors says.
NO_FACTOR = (
    "The scores hold no factor that is in use, so there is nothing by which patients could differ "
    "in what they gain: only the average difference between the drugs is estimated."
)
#: Draws of the fast method, in one chain for each thousand.
FAST_DRAWS = 4000


log = logging.getLogger("bayes_mdd.response")


@one_blas_thread()
def fit_response(
    spec: ResponseSpec,
    scores: xr.DataTree | xr.Dataset | pd.DataFrame,
    outcomes: pd.DataFrame,
    visits: pd.DataFrame | None = None,
    *,
    sampler: SamplerSpec | None = None,
    method: Literal["mcmc", "fast"] = "mcmc",
    progressbar: bool = True,
) -> xr.DataTree:
    """Estimate who gets better, and who gets better on which drug.

    Scores enter with their uncertainty and are integrated out. The outcome does not change the
    factors: they come from a fit that knew neither arms nor outcomes.

    Parameters
    ----------
    spec : ResponseSpec
        The model.
    scores : DataTree, Dataset or DataFrame
        What `score_moments` accepts.
    outcomes : DataFrame
        Indexed by participant, with ``arm``, the outcome, and the columns that the spec names; NaN
        where the outcome was not observed.
    visits : DataFrame, optional
        Every rating: ``participant_id``, ``session_id``, ``week`` and ``value``, as from
        `bayes_mdd.read_visits`. Patients without an outcome then enter through their earlier
        visits, for Gaussian outcomes and ``missing="mar"`` of the spec; without `visits` they are
        left out.
    sampler : SamplerSpec, optional
        Draws, chains and seed.
    method : {"mcmc", "fast"}, default "mcmc"
        "fast" is an approximation for Gaussian outcomes and up to 8 factors that takes a few
        milliseconds.
    progressbar : bool, default True
        Whether to show the progress of the chains.

    Returns
    -------
    DataTree
        ``posterior`` with ``drug`` (outcome on the other drug minus that on the default),
        ``moderation`` (factor), its change per SD of a score, ``prognosis`` (factor), the change
        of the outcome per SD of a score on either drug, ``benefit_sd``, the SD over patients of
        the benefit that the factors explain, and ``sigma`` (arm): in points of the outcome, or in
        SD of the latent outcome for binary, ordinal and binomial ones (`predict_benefit` gives
        probabilities, levels and numbers). ``log_likelihood``, with the scores
        integrated out, ``observed_data`` and ``constant_data``. Where visits entered, also
        ``drug_visit`` (visit), the average difference at each visit, and no ``log_likelihood``.

    Raises
    ------
    DataContractError
        If scores or outcomes cannot be used; every problem is listed.
    SpecError
        If the method does not support the spec.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> trial = bm.simulate_trial(seed=1, n=60)
    >>> spec = bm.ResponseSpec(outcome="hamd17", default_arm="SSRI", assignment="randomised")
    >>> fitted = bm.fit_response(spec, trial.scores, trial.outcomes, method="fast")
    >>> fitted["posterior"]["benefit_sd"].dims
    ('chain', 'draw')
    """
    if method not in ("mcmc", "fast"):
        raise SpecError(f"method must be 'mcmc' or 'fast', got {method!r}.")
    sampler = sampler or SamplerSpec()
    moments = score_moments(scores)
    seen = _visits(spec, moments, outcomes, visits)
    prepared = prepare(spec, moments, outcomes) if seen is None else seen.prepared
    check_method(prepared, method)
    warn_of_design(prepared)
    if not prepared.factors:
        log.warning("%s", NO_FACTOR)
    began = time.perf_counter()
    if method == "fast":
        tree = _fast(prepared, sampler, seen)
    else:
        tree = _mcmc(prepared, sampler, progressbar, seen)
    tree.attrs.update(
        kind=KIND,
        method=method,
        spec=json.dumps(spec.to_mapping()),
        other_arm=prepared.other_arm,
        scores_source=str(moments.attrs.get(SOURCE, "")),
        scores_arm_aware=int(moments.attrs.get(ARM_AWARE, 0)),
        excluded=json.dumps(dict(prepared.excluded)),
        codings=json.dumps([c.__dict__ for c in prepared.codings]),
        visits=json.dumps([] if seen is None else seen.sessions),
        note="" if prepared.factors else NO_FACTOR,
        factor_names=str(moments.attrs.get(NAMES, "{}")),
        seed=sampler.seed,
        bayes_mdd_version=__version__,
        seconds=round(time.perf_counter() - began, 2),
    )
    return tree


def _visits(
    spec: ResponseSpec, moments: xr.Dataset, outcomes: pd.DataFrame, visits: pd.DataFrame | None
) -> VisitData | None:
    """Join visits, where they add patients: None otherwise."""
    if visits is None or spec.missing == "complete":
        return None
    data = prepare_visits(spec, moments, outcomes, visits)
    return data if data.gone.any() else None


def check_method(prepared: Prepared, method: str) -> None:
    """Refuse the fast method where it does not apply.

    Parameters
    ----------
    prepared : Prepared
        From `prepare`.
    method : {"mcmc", "fast"}
        How the posterior is obtained.

    Raises
    ------
    SpecError
        If the outcome is not Gaussian or there are too many factors.
    """
    if method != "fast":
        return
    problems = []
    if prepared.spec.kind != "gaussian":
        problems.append(f"Gaussian outcomes, got kind '{prepared.spec.kind}'")
    if len(prepared.factors) > MOST_FACTORS:
        problems.append(f"at most {MOST_FACTORS} factors, got {len(prepared.factors)}")
    if problems:
        raise SpecError(f"method='fast' supports {' and '.join(problems)}: use method='mcmc'.")


def _fast(prepared: Prepared, sampler: SamplerSpec, seen: VisitData | None) -> xr.DataTree:
    rng = generator(sampler.seed, Stream.RESPONSE)
    fitted = None if seen is None else fit_visits(seen, prepared.scales)
    if fitted is None:
        mixture = fit_mixture(prepared.trial, prepared.scales)
    else:
        mixture = fitted.integrate(prepared.scales)
    drawn = mixture.draw(rng, FAST_DRAWS)
    values = {
        DRUG: drawn.drug,
        MODERATION: drawn.moderation,
        PROGNOSIS: drawn.prognosis,
        SIGMA: drawn.sigma,
        COEFFICIENT: drawn.design,
    }
    shape = (FAST_DRAWS // 1000, 1000)
    draws = {n: x.reshape(*shape, *x.shape[1:]) for n, x in values.items()}
    further = {"inclusion": xr.DataArray(mixture.inclusion, dims=FACTOR)}
    if fitted is not None and seen is not None:
        last = np.column_stack([drawn.design, drawn.prognosis, drawn.drug, drawn.moderation])
        early = fitted.draw_early(last, rng)[:, :, -len(prepared.factors) - 1]
        effects = np.column_stack([early, drawn.drug]).reshape(*shape, -1)
        further[DRUG_VISIT] = _by_visit(effects * prepared.sign, seen)
    tree = _assemble(prepared, draws, further, pointwise=seen is None)
    tree["posterior"].attrs.update(OWN_SAMPLER)
    return tree


def _by_visit(effects: Array, seen: VisitData) -> xr.DataArray:
    """Drug effects (chain, draw, visit) with the names of the sessions."""
    names = np.array(seen.sessions, dtype=object)
    return xr.DataArray(effects, dims=(CHAIN, DRAW, VISIT), coords={VISIT: names})


def _mcmc(
    prepared: Prepared, sampler: SamplerSpec, progressbar: bool, seen: VisitData | None
) -> xr.DataTree:
    # The compiler of the graph takes seconds to import, which a fast fit need not wait for.
    from bayes_mdd.response.graph import Outcomes, build_response_graph, starting_point
    from bayes_mdd.response.visit_graph import build_visit_graph
    from bayes_mdd.sampling.sample import sample_graph

    spec, trial = prepared.spec, prepared.trial
    unit = prepared.unit
    value = trial.outcome / unit
    n_levels, trials = 2, None
    if spec.kind in ("binary", "ordinal"):
        levels, at = np.unique(value, return_inverse=True)
        value, n_levels = at.astype(float), levels.size
    elif spec.kind == "binomial":
        trials = prepared.table[N_TRIALS].to_numpy(dtype=np.int64)
        value = np.where(prepared.sign > 0, value, trials + value)
    outcomes = Outcomes(spec.kind, value, n_levels, trials)
    if seen is None:
        model = build_response_graph(
            _without_sites(prepared), outcomes, prepared.scales, site=_sites(prepared),
            factors=prepared.factors,
        )  # fmt: skip
    else:
        model = build_visit_graph(seen, prepared.scales, unit)
    wanted = [
        "drug", "moderation", "prognosis", "noise", "noise_df", "coefficient", "cut", "site_sd",
        "site_effect", DRUG_VISIT,
    ]  # fmt: skip
    raw = sample_graph(
        model,
        starting_point(len(prepared.factors)),
        replace(sampler, target_accept=max(sampler.target_accept, TARGET_ACCEPT)),
        var_names=[n for n in wanted if n in model.named_vars],
        progressbar=progressbar,
    )
    posterior = raw["posterior"].to_dataset()
    draws = {DRUG: posterior[DRUG].values * unit}
    none = np.zeros((*draws[DRUG].shape, 0))
    for name in (MODERATION, PROGNOSIS):
        draws[name] = posterior[name].values * unit if name in posterior else none
    if "noise" in posterior:
        draws[SIGMA] = posterior["noise"].values * unit
    if "coefficient" in posterior:
        draws[COEFFICIENT] = posterior["coefficient"].values * unit
    further = {n: posterior[n] for n in ("cut", "noise_df", "site_sd") if n in posterior}
    if seen is not None:
        further[DRUG_VISIT] = _by_visit(posterior[DRUG_VISIT].values * unit * prepared.sign, seen)
    if "site_effect" in posterior:
        effect = posterior["site_sd"].values[..., None] * posterior["site_effect"].values * unit
        _add_sites(draws, further, effect)
        further["site_sd"] = further["site_sd"] * unit
    tree = _assemble(prepared, draws, further, pointwise=seen is None)
    tree["sample_stats"] = xr.DataTree(raw["sample_stats"].to_dataset())
    tree["posterior"].attrs.update(sampler=sampler_version(raw))
    return tree


def _add_sites(draws: dict[str, Array], further: dict[str, xr.DataArray], effect: Array) -> None:
    """Append site effects around their mean, as the design codes sites.

    The mean of the sites joins the intercept or, of ordinal outcomes, the cut points.
    """
    mean = effect.mean(axis=-1, keepdims=True)
    rest = draws.get(COEFFICIENT, np.zeros((*effect.shape[:-1], 0)))
    if "cut" in further:
        further["cut"] = further["cut"] - mean
    else:
        rest = np.concatenate([rest[..., :1] + mean, rest[..., 1:]], axis=-1)
    draws[COEFFICIENT] = np.concatenate([rest, effect - mean], axis=-1)


def _site_columns(prepared: Prepared) -> int:
    """Count the columns of the design that belong to sites; they are the last ones."""
    last = prepared.codings[-1] if prepared.codings else None
    several = prepared.site.max(initial=0) > 0
    return len(last.columns) if last is not None and several else 0


def _without_sites(prepared: Prepared) -> Trial:
    n = prepared.trial.design.shape[1] - _site_columns(prepared)
    return replace(
        prepared.trial,
        design=prepared.trial.design[:, :n],
        design_sd=prepared.trial.design_sd[:n],
    )


def _sites(prepared: Prepared) -> IntArray | None:
    return prepared.site if _site_columns(prepared) else None


def _number_of_trials(prepared: Prepared) -> dict[str, float]:
    """Median number of trials of a binomial outcome."""
    if prepared.spec.kind != "binomial":
        return {}
    return {N_TRIALS: float(np.median(prepared.table[N_TRIALS].to_numpy(dtype=float)))}


def _assemble(
    prepared: Prepared,
    draws: dict[str, Array],
    further: dict[str, xr.DataArray],
    *,
    pointwise: bool = True,
) -> xr.DataTree:
    """Posterior in points of the outcome, and what predictions need."""
    sign, trial = prepared.sign, prepared.trial
    dims = {
        DRUG: (),
        MODERATION: (FACTOR,),
        PROGNOSIS: (FACTOR,),
        SIGMA: (ARM,),
        COEFFICIENT: (COLUMN,),
    }
    columns = ["intercept", *(c for coding in prepared.codings for c in coding.columns)]
    if COEFFICIENT in draws and draws[COEFFICIENT].shape[-1] < len(columns):
        columns = columns[1:]  # cut points stand in for the intercept of ordinal outcomes
    signed = {n: x if n == SIGMA else sign * x for n, x in draws.items()}
    moderation = draws[MODERATION]
    posterior = xr.Dataset(
        {n: ((CHAIN, DRAW, *dims[n]), x) for n, x in signed.items()},
        coords={
            CHAIN: np.arange(moderation.shape[0]),
            DRAW: np.arange(moderation.shape[1]),
            FACTOR: np.array(prepared.factors, dtype=object),
            ARM: np.array([prepared.spec.default_arm, prepared.other_arm], dtype=object),
            COLUMN: np.array(columns, dtype=object),
        },
    ).assign(further)
    posterior[BENEFIT_SD] = ((CHAIN, DRAW), trial.benefit_sd(moderation))
    names = np.array(prepared.subjects, dtype=object)
    constant = xr.Dataset(
        {
            "score_centre": (FACTOR, prepared.centre),
            "score_scale": (FACTOR, prepared.scale),
            "score_mean": ((SUBJECT, FACTOR), trial.mean),
            "level": prepared.level * sign,
            "minimum": prepared.minimum,
            "residual_sd": prepared.unit,
            **_number_of_trials(prepared),
        },
        coords={SUBJECT: names, FACTOR: np.array(prepared.factors, dtype=object)},
    )
    observed = xr.Dataset(
        {
            "outcome": (SUBJECT, sign * (trial.outcome + prepared.level)),
            "received": (SUBJECT, prepared.table[ARM].to_numpy().astype(object)),
        },
        coords={SUBJECT: names},
    )
    if prepared.spec.kind in ("gaussian", "student"):
        # What the outcome would be at the mean of baseline, covariates and sites.
        slope = draws[COEFFICIENT].reshape(-1, len(columns))[:, 1:].mean(axis=0)
        adjusted = trial.outcome - trial.design[:, 1:] @ slope
        observed["adjusted"] = (SUBJECT, sign * (adjusted + prepared.level))
    groups = {"posterior": posterior, "observed_data": observed, "constant_data": constant}
    likelihood = log_likelihood(prepared, draws, further) if pointwise else None
    if likelihood is not None:
        groups["log_likelihood"] = xr.Dataset(
            {"outcome": ((CHAIN, DRAW, SUBJECT), likelihood)},
            coords={CHAIN: posterior[CHAIN], DRAW: posterior[DRAW], SUBJECT: names},
        )
    return xr.DataTree.from_dict(groups)
