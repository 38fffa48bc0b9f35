"""Checks of the arguments of a simulated trial."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isfinite, nextafter
from typing import Any

from bayes_mdd.errors import some
from bayes_mdd.simulate._design import make_edges, make_regions

_CHOICES = ("none", "random", "not random")
#: Whole numbers and the least one; numbers with the range they must lie in, in words and ends.
_COUNTS = {"seed": 0, "model_seed": 0, "n": 4, "n_factors": 1, "n_sites": 1, "n_controls": 0}
_COUNTS |= {"n_regions": 4}
_RANGES = {
    "drug_effect": ("a finite number", -inf, inf),
    "confounding": ("a finite number", -inf, inf),
    "shift": ("a finite number", -inf, inf),
    "benefit_sd": ("at least 0", nextafter(0, -1), inf),
    "site_by_drug": ("at least 0", nextafter(0, -1), inf),
    "noise_ratio": ("above 0", 0, inf),
    "share_other": ("strictly between 0 and 1", 0, 1),
    "prognosis_r2": ("at least 0 and below 1", nextafter(0, -1), 1),
    "missing_share": ("at least 0 and below 1", nextafter(0, -1), 1),
    "reliability": ("above 0 and at most 1", 0, nextafter(1, 2)),
    "believed": ("above 0 and at most 1", 0, nextafter(1, 2)),
}


def trial_problems(given: Mapping[str, Any]) -> list[str]:
    """List arguments that are out of range or contradict each other."""
    problems = [
        f"{name} must be a whole number of at least {least}, got {given[name]!r}"
        for name, least in _COUNTS.items()
        if isinstance(given[name], bool) or not isinstance(given[name], int) or given[name] < least
    ]
    problems += [
        f"{name} must be {words}, got {given[name]!r}"
        for name, (words, low, high) in _RANGES.items()
        if not (name == "believed" and given[name] is None)
        and not (_is_number(given[name]) and low < given[name] < high)
    ]
    if given["missing"] not in _CHOICES:
        problems.append(f"missing must be one of {', '.join(_CHOICES)}, got {given['missing']!r}")
    problems += _arm_problems(given)
    if any(p.startswith(("n_", "reliability", "drug_effect")) for p in problems):
        return problems
    return problems + _factor_problems(given) + _shape_problems(given)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def _arm_problems(given: Mapping[str, Any]) -> list[str]:
    arms, sites = given["arms"], given["sites"]
    problems = []
    if len(arms) != 2 or len(set(arms)) != 2:
        problems.append(f"arms must be two different names, got {arms!r}")
    unknown = [a for a in (given["specific"] or {}).values() if a not in arms]
    if unknown:
        problems.append(f"specific names {some(unknown)}, which is no arm ({some(arms)})")
    if sites is not None and len(set(sites)) != given["n_sites"]:
        problems.append(f"sites must be {given['n_sites']} different name(s) (n_sites)")
    return problems


def _factor_problems(given: Mapping[str, Any]) -> list[str]:
    k = given["n_factors"]
    named = {
        "moderators": list(given["moderators"]),
        "moderation": list(given["moderation"] or ()),
        "specific": list(given["specific"] or ()),
    }
    problems = [
        f"{name} names factor {some(wrong)}, expected positions from 0 to {k - 1}"
        for name, positions in named.items()
        if (wrong := [p for p in positions if p not in range(k)])
    ]
    if len(set(named["moderators"])) < len(named["moderators"]):
        problems.append("moderators names a factor twice")
    if not named["moderators"] and given["moderation"] is None and given["benefit_sd"]:
        problems.append("moderators is empty, but benefit_sd is not 0")
    return problems


def _shape_problems(given: Mapping[str, Any]) -> list[str]:
    problems = []
    if given["nonlinear"] and not given["crossover"]:
        problems.append("nonlinear and crossover=False exclude each other")
    if not given["crossover"] and not given["drug_effect"]:
        problems.append("crossover=False needs a drug_effect other than 0")
    if not given["features"]:
        return problems
    if given["reliability"] == 1:
        problems.append("features have an error: reliability must be below 1")
    blocks = make_edges(make_regions(given["n_regions"]))["block"].nunique()
    if given["n_factors"] > blocks:
        problems.append(
            f"{given['n_factors']} factors need as many pairs of networks, but {given['n_regions']}"
            f" regions have {blocks}: use more regions or fewer factors"
        )
    return problems
