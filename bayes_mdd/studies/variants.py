"""Variants of one model, for a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bayes_mdd.errors import SpecError
from bayes_mdd.specs import SharedSpecificSpec
from bayes_mdd.studies.compare import vary_factors

NO_LINK = "without symptoms"
ALL_SHARED = "all shared"


def list_variants(
    spec: SharedSpecificSpec,
    numbers: Sequence[int] = (),
    *,
    without_symptoms: bool = False,
    shared_only: bool = False,
) -> dict[str, SharedSpecificSpec]:
    """List variants of a model by number of factors, symptom link and sharing.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    numbers : sequence of int
        Numbers of factors; empty for that of the spec.
    without_symptoms : bool, default False
        Whether to add each model without its symptom link.
    shared_only : bool, default False
        Whether to add each model with all factors shared.

    Returns
    -------
    dict of str to SharedSpecificSpec
        At least two models, for `compare_models`.

    Raises
    ------
    SpecError
        If there would be one model only, or the spec rules a variant out.

    Examples
    --------
    >>> list(list_variants(SharedSpecificSpec(), [2, 4], shared_only=True))
    ['K=2', 'K=2, all shared', 'K=4', 'K=4, all shared']
    """
    if without_symptoms and not spec.symptoms:
        raise SpecError(
            "a model without symptoms was requested, but the spec links no symptoms that this "
            "cohort has."
        )
    if shared_only and spec.sharing is not None:
        raise SpecError(
            "a model with all factors shared was requested, but the spec fixes 'sharing' already."
        )
    models: dict[str, SharedSpecificSpec] = {}
    base = vary_factors(spec, numbers) if numbers else {f"K={spec.n_factors}": spec}
    for name, model in base.items():
        models[name] = model
        if without_symptoms:
            models[f"{name}, {NO_LINK}"] = replace(model, symptoms=())
        if shared_only:
            models[f"{name}, {ALL_SHARED}"] = replace(model, sharing={"shared": model.n_factors})
    if len(models) < 2:
        raise SpecError(
            "a comparison needs at least two models: give several numbers of factors, or request "
            "models without symptoms or with all factors shared."
        )
    return models
