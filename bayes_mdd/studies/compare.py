"""Model comparison by K-fold cross-validation over subjects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import SUBJECT, SYMPTOM
from bayes_mdd.errors import SpecError
from bayes_mdd.files.checksum import input_checksum
from bayes_mdd.parallel.blas import one_blas_thread
from bayes_mdd.parallel.fan_out import count_workers, fan_out
from bayes_mdd.parallel.keep import keep_results, part_files
from bayes_mdd.results.rules import FACTOR_RHAT_MAX
from bayes_mdd.shared_specific.data.dependence import choose_dependence
from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.new_subjects.read_fitted import MAX_DRAWS
from bayes_mdd.shared_specific.spec import KIND
from bayes_mdd.specs import SamplerSpec, SharedSpecificSpec, Spec, kind_of
from bayes_mdd.studies.folds import assign_folds, check_folds, held_out
from bayes_mdd.studies.held_out import Scored, score_fold
from bayes_mdd.types import Array

MODEL = "model"
FOLD = "fold"


@dataclass(frozen=True, eq=False)
class Comparison:
    """How well each model predicts subjects held out of its fit.

    Parameters
    ----------
    table : DataFrame
        One row per model, best first: ``rank``; ``elpd``, the sum over subjects of the log
        density of their features, and its standard error ``se``; ``elpd_diff`` from the best
        model (below 0 is worse) with its standard error ``dse`` over subjects; ``mcse``, the
        simulation error of ``elpd``; ``n`` subjects; ``warning``, problems of the fits.
    symptom_table : DataFrame or None
        The same for their symptoms given their features; None where no model links symptoms. A
        model without the link predicts from covariates alone.
    pointwise : Dataset
        ``elpd`` (model, subject), ``mcse`` (model, subject), ``elpd_symptom`` (model, subject,
        symptom), ``fold`` (subject), ``rhat`` and ``divergences`` (model, fold).
    """

    table: pd.DataFrame
    symptom_table: pd.DataFrame | None
    pointwise: xr.Dataset


def vary_factors(spec: SharedSpecificSpec, numbers: Iterable[int]) -> dict[str, SharedSpecificSpec]:
    """Vary the number of factors of one model.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model; its sharing must be learned.
    numbers : iterable of int
        Numbers of factors.

    Returns
    -------
    dict of str to SharedSpecificSpec
        For `compare_models`.

    Raises
    ------
    SpecError
        If the spec fixes its factors by a sharing pattern.

    Examples
    --------
    >>> list(vary_factors(SharedSpecificSpec(), [2, 4]))
    ['K=2', 'K=4']
    """
    if spec.sharing is not None:
        raise SpecError("the spec fixes its factors by 'sharing': their number cannot be varied.")
    return {f"K={k}": replace(spec, n_factors=int(k)) for k in numbers}


def check_supported(models: Iterable[Spec]) -> None:
    """Check that models can be compared by prediction of held-out subjects.

    Parameters
    ----------
    models : iterable of Spec
        The models.

    Raises
    ------
    SpecError
        If a model family does not support it.

    Examples
    --------
    >>> check_supported([SharedSpecificSpec()])
    """
    others = sorted({kind_of(model) for model in models} - {KIND})
    if others:
        raise SpecError(
            f"the model {', '.join(others)} does not support K-fold comparison, because it does "
            f"not predict held-out participants; models that do: {KIND}."
        )


def decide_dependence(
    models: Mapping[str, SharedSpecificSpec],
    features: xr.Dataset,
    symptoms: pd.DataFrame | None = None,
) -> dict[str, SharedSpecificSpec]:
    """Decide how errors of features are modelled in models that are to be compared.

    Parameters
    ----------
    models : mapping of str to SharedSpecificSpec
        Models by name.
    features : Dataset
        A FeatureSet.
    symptoms : DataFrame, optional
        One column per dimension, indexed by participant; needed where a model links symptoms.

    Returns
    -------
    dict of str to SharedSpecificSpec
        The models with one `feature_dependence` in place of "auto".

    Raises
    ------
    SpecError
        If some models are of whitened edges and others of the edges themselves.
    """
    found = dict(models)
    open_ = {n: s for n, s in models.items() if s.feature_dependence == "auto"}
    student = {n for n, s in open_.items() if s.feature_noise == "student"}
    found |= {n: replace(open_[n], feature_dependence="independent") for n in student}
    undecided = [n for n in open_ if n not in student]
    if undecided:
        largest = max((open_[n] for n in undecided), key=lambda s: s.n_factors)
        plain = replace(largest, feature_dependence="independent")
        data = prepare(plain, features, symptoms)
        chosen = choose_dependence(data, features, largest.n_factors)
        found |= {n: replace(open_[n], feature_dependence=chosen) for n in undecided}
    whitened = [n for n, s in found.items() if s.feature_dependence == "matrix"]
    others = [n for n in found if n not in whitened]
    if whitened and others:
        raise SpecError(
            f"the models {', '.join(whitened)} are fitted to whitened edges, the models "
            f"{', '.join(others)} to the edges themselves: densities of different features cannot "
            "be compared. Set feature_dependence to the same value in all models."
        )
    return found


@one_blas_thread()
def compare_models(
    models: Mapping[str, SharedSpecificSpec],
    features: xr.Dataset,
    *,
    symptoms: pd.DataFrame | None = None,
    folds: int = 5,
    seed: int = 1,
    sampler: SamplerSpec | None = None,
    n_jobs: int | None = None,
    max_draws: int = MAX_DRAWS,
    keep: str | Path | None = None,
) -> Comparison:
    """Compare models by how well they predict subjects held out of the fit.

    Every subject with an arm is held out once, in folds balanced by arm and site and the same for
    all models. The features of a held-out subject are scored by their density under the posterior
    of the other subjects: loadings, covariate effects and the subject's scores are integrated out
    for each draw, and densities are averaged over draws.

    Parameters
    ----------
    models : mapping of str to SharedSpecificSpec
        At least one model by name; see `vary_factors`.
    features : Dataset
        A FeatureSet, standardised against controls where there are any. A reference made of the
        patients themselves includes those who are held out.
    symptoms : DataFrame, optional
        One column per dimension, indexed by participant; needed where a model links symptoms.
    folds : int, default 5
        Number of folds; at most the size of the smallest arm.
    seed : int, default 1
        Of the folds.
    sampler : SamplerSpec, optional
        Draws, chains and seed of every fit.
    n_jobs : int, optional
        Fits at once, through joblib; default one, or what ``joblib.parallel_config`` says. When
        several run at once, each runs its chains one after the other.
    max_draws : int, default 1000
        Draws of each posterior to average over.
    keep : str or Path, optional
        Folder that the tables will be written to. Each fold is kept in a hidden folder beside it
        until all are complete, so that the same call continues after a stop.

    Returns
    -------
    Comparison
        Tables, and the density of each subject.

    Raises
    ------
    SpecError
        If there is no model, a model family does not support the comparison, `folds` is out of
        range, or some models are of whitened edges and others of the edges themselves.
    DataContractError
        If the cohort does not meet the contract of a model, or a site falls in one fold.

    Notes
    -----
    ``feature_dependence="auto"`` is decided once, for all models and folds, with the largest number
    of factors. Densities of whitened edges and of the edges themselves are of different features
    and cannot be compared.

    ``elpd_diff`` is trustworthy when it is several ``dse`` away from 0. Subjects of one fold share
    a fit, so ``dse`` is somewhat too small. A density is that of hundreds or thousands of features
    per subject: differences of hundreds are common.
    With ``feature_noise="student"`` the noise of each feature is fixed at its expected precision;
    integrated out, densities would be about half a nat higher for 1000 features and 60 subjects.

    References
    ----------
    .. [1] Vehtari, A. & Lampinen, J. (2002). Bayesian model assessment and comparison using
       cross-validation predictive densities. Neural Computation, 14, 2439-2468.
    .. [2] Sivula, T., Magnusson, M., Matamoros, A. A. & Vehtari, A. (2025). Uncertainty in Bayesian
       leave-one-out cross-validation based model comparison. Bayesian Analysis.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> spec = bm.SharedSpecificSpec(covariates=("site",))
    >>> found = bm.compare_models(vary_factors(spec, [2, 4]), features)  # doctest: +SKIP
    >>> found.table[["elpd_diff", "dse"]]  # doctest: +SKIP
    """
    if not models:
        raise SpecError("compare_models needs at least one model.")
    check_supported(models.values())
    fold = assign_folds(features, folds=folds, seed=seed)
    check_folds(features, fold, [c for spec in models.values() for c in spec.covariates])
    models = decide_dependence(models, features, symptoms)
    linked = tuple(dict.fromkeys(s for spec in models.values() for s in spec.symptoms))
    sampler = sampler or SamplerSpec()
    if count_workers(n_jobs) > 1 and sampler.cores is None:
        sampler = replace(sampler, cores=1)
    tasks = [(name, i) for name in models for i in range(folds)]
    arguments = (
        (models[name], *held_out(features, fold, i), symptoms, linked, sampler, max_draws)
        for name, i in tasks
    )
    key = {
        "study": "compare_models",
        "models": {name: spec.to_mapping() for name, spec in models.items()},
        "inputs": input_checksum(features, symptoms),
        "arguments": [folds, seed, replace(sampler, cores=None).to_mapping(), max_draws],
    }
    with keep_results(keep, key, noun="fits of folds") as folder:
        files = part_files(folder, range(len(tasks)))
        found = fan_out(score_fold, arguments, n_jobs=n_jobs, files=files)
    return _gather(list(models), fold, linked, dict(zip(tasks, found, strict=True)))


def _gather(
    names: list[str],
    fold: pd.Series[int],
    linked: tuple[str, ...],
    found: Mapping[tuple[str, int], Scored],
) -> Comparison:
    n, folds = len(fold), int(fold.max()) + 1
    elpd, mcse = np.empty((len(names), n)), np.empty((len(names), n))
    symptom = np.full((len(names), n, len(linked)), np.nan)
    rhat, divergences = np.empty((len(names), folds)), np.empty((len(names), folds), dtype=int)
    for (name, i), scored in found.items():
        m, at = names.index(name), fold.index.get_indexer(pd.Index(scored.subjects))
        elpd[m, at], mcse[m, at], symptom[m, at] = scored.elpd, scored.mcse, scored.symptoms
        rhat[m, i], divergences[m, i] = scored.rhat, scored.divergences
    pointwise = xr.Dataset(
        {
            "elpd": ((MODEL, SUBJECT), elpd),
            "mcse": ((MODEL, SUBJECT), mcse),
            "elpd_symptom": ((MODEL, SUBJECT, SYMPTOM), symptom),
            "fold_of": ((SUBJECT,), fold.to_numpy()),
            "rhat": ((MODEL, FOLD), rhat),
            "divergences": ((MODEL, FOLD), divergences),
        },
        coords={
            MODEL: np.array(names, dtype=object),
            SUBJECT: fold.index.to_numpy(dtype=object),
            SYMPTOM: np.array(linked, dtype=object),
            FOLD: np.arange(folds),
        },
        attrs={"units": "nats", "estimand": "log predictive density of held-out subjects"},
    )
    table = _rank(elpd, np.sqrt((mcse**2).sum(axis=1)), pointwise)
    symptom_table = None
    if linked and np.isfinite(symptom).any():
        rated = np.isfinite(symptom).any(axis=(0, 2))
        sums = np.nansum(symptom[:, rated], axis=2)
        symptom_table = _rank(sums, np.full(len(names), np.nan), pointwise)
    return Comparison(table, symptom_table, pointwise)


def _rank(elpd: Array, mcse: Array, pointwise: xr.Dataset) -> pd.DataFrame:
    n = elpd.shape[1]
    total = elpd.sum(axis=1)
    difference = elpd - elpd[int(np.argmax(total))]
    table = pd.DataFrame(
        {
            "elpd": total,
            "se": np.sqrt(n) * elpd.std(axis=1, ddof=1),
            "elpd_diff": difference.sum(axis=1),
            "dse": np.sqrt(n) * difference.std(axis=1, ddof=1),
            "mcse": mcse,
            "n": n,
            "warning": [_warning(pointwise.isel({MODEL: m})) for m in range(len(elpd))],
        },
        index=pd.Index(pointwise[MODEL].values.astype(str), name=MODEL),
    ).sort_values("elpd", ascending=False, kind="stable")
    table.insert(0, "rank", np.arange(len(table)))
    return table


def _warning(of_model: xr.Dataset) -> str:
    """Name the folds whose fits did not converge."""
    said = []
    bad = of_model[FOLD].values[of_model["rhat"].values > FACTOR_RHAT_MAX]
    if len(bad):
        said.append(f"R-hat above {FACTOR_RHAT_MAX} in fold {', '.join(str(b) for b in bad)}")
    count = int(of_model["divergences"].sum())
    if count:
        said.append(f"{count} divergences")
    return "; ".join(said)
