"""Check of whether head motion was controlled, for features from functional scans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bayes_mdd.dims import FEATURE, SUBJECT
from bayes_mdd.results.checks import Check
from bayes_mdd.results.regions import is_edges
from bayes_mdd.results.result import Result
from bayes_mdd.specs.column_names import is_motion_name

NAME: Final = "covariates of head motion"
#: Kinds of features that are measured in functional scans.
_FUNCTIONAL: Final = ("functional", "alff", "falff", "reho", "bold", "fmri")


def judge_motion_control(result: Result) -> list[Check]:
    """Check whether a covariate of head motion is in the model or was removed from the features.

    Parameters
    ----------
    result : Result
        A fit.

    Returns
    -------
    list of Check
        One check for features from functional scans, failed if no covariate is named after head
        motion (``mean_fd``, ...); not judged for edges of unstated kind without such a covariate.
        Empty for other features.
    """
    functional = is_functional(result)
    controlled = {c for c in _all_covariates(result) if is_motion_name(c)}
    if functional is False or (functional is None and controlled):
        return []
    unused = [
        str(n)
        for n, c in result.constant.coords.items()
        if c.dims == (SUBJECT,) and is_motion_name(str(n))
    ]
    found = f" participants.tsv has {', '.join(unused)}." if unused else ""
    advice = (
        "Motion not controlled: no covariate of head motion is in the model or was removed from "
        f"the features, so a factor may be motion.{found} Add mean_fd (mean framewise "
        "displacement, mm) to participants.tsv and to model.covariates."
    )
    if functional is None:
        advice = (
            "Motion not controlled, and the features do not state their kind: if they are from "
            f"functional scans, a factor may be motion.{found} Add mean_fd to the covariates, or "
            "state the kind of the features."
        )
    passed = bool(controlled) if functional else None
    return [Check(NAME, float(len(controlled)), ">= 1", passed, advice)]


def is_functional(result: Result) -> bool | None:
    """Test whether features were measured in functional scans.

    Parameters
    ----------
    result : Result
        A fit.

    Returns
    -------
    bool or None
        None for edges that do not state their kind.
    """
    loadings = result.loadings
    if "kind" not in loadings.coords or loadings["kind"].dims != (FEATURE,):
        return None if is_edges(loadings) else False
    kinds = {str(k).lower() for k in loadings["kind"].values}
    return any(word in kind for kind in kinds for word in _FUNCTIONAL)


def _all_covariates(result: Result) -> list[str]:
    """Covariates of the model and of the reference."""
    reference = result.features.get("reference")
    removed = reference.get("covariates", ()) if isinstance(reference, Mapping) else ()
    return [*map(str, getattr(result.spec, "covariates", ())), *map(str, removed)]
