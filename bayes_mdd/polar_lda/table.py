"""The table of factors of a polar LDA: which arm expresses each, and how certain that is."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pandas as pd

from bayes_mdd.dims import ARM, BLOCK, CHAIN, DRAW, FACTOR, MISSING
from bayes_mdd.errors import SpecError
from bayes_mdd.results.names import break_name, name_factors, read_names
from bayes_mdd.results.result import Result
from bayes_mdd.results.rules import PRESENT, RULES, UNDECIDED, Rules
from bayes_mdd.specs import PolarLDASpec

#: Largest p of the permutation null at which a fit counts as more than noise.
NULL_P = 0.05


def spec_of(result: Result) -> PolarLDASpec:
    """Read the spec of a polar LDA.

    Parameters
    ----------
    result : Result
        A polar LDA.

    Returns
    -------
    PolarLDASpec
        Its spec.
    """
    return cast(PolarLDASpec, result.spec)


def looks_like_noise(result: Result) -> bool:
    """Tell whether the same fit to permuted edges gains as much.

    Parameters
    ----------
    result : Result
        A polar LDA.

    Returns
    -------
    bool
        True where nothing of the fit should be interpreted.
    """
    return bool(float(result.group("null").attrs["p_value"]) > NULL_P)


def tabulate_factors(result: Result, rules: Rules = RULES) -> pd.DataFrame:
    """Label every factor: expressed more in one arm, alike, or undecided.

    Parameters
    ----------
    result : Result
        A polar LDA.
    rules : Rules
        Of these, ``probability`` (a label is given when its probability exceeds it) and
        ``ci_prob`` (of the equal-tailed intervals of the mean composition of an arm) are read.

    Returns
    -------
    DataFrame
        One row per factor: ``factor``; ``label``: "<arm>-more", "alike", "undecided", "present"
        (one arm) or "n/a" (permuted edges are fitted as well, or restarts or chains disagree);
        ``active``; ``p_more_<arm>``: probability that this arm's mean composition is above every
        other's by more than the ROPE; ``p_alike``: that all arms lie within it;
        ``expressed_<arm>`` with ``_lower``, ``_upper``; ``networks``; ``reproducible``;
        ``name``, from label and blocks; ``verdict``. Probabilities are shares of posterior draws,
        or of bootstrap resamples with the variational method: ``attrs["draws_are"]`` says which.

    Raises
    ------
    SpecError
        If a threshold is out of its range.
    """
    probability, ci_prob = rules.probability, rules.ci_prob
    if not (0.5 <= probability < 1 and 0 < ci_prob < 1):
        raise SpecError(
            f"probability must lie in [0.5, 1) and ci_prob in (0, 1), got {probability}, {ci_prob}."
        )
    posterior = result.group("posterior", ["arm_expression"])
    rope = spec_of(result).rope
    drawn = posterior["arm_expression"].transpose(CHAIN, DRAW, ARM, FACTOR).values
    drawn = drawn.reshape(-1, *drawn.shape[2:])
    arms = [str(a) for a in posterior[ARM].values]
    columns: dict[str, Any] = {"factor": [str(f) for f in posterior[FACTOR].values]}
    noise = looks_like_noise(result)
    columns["active"] = [not noise] * drawn.shape[2]
    columns |= _chances(drawn, arms, rope)
    tail = (1 - ci_prob) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    for i, arm in enumerate(arms):
        columns[f"expressed_{arm}"] = drawn[:, i].mean(axis=0)
        columns |= {f"expressed_{arm}_lower": low[i], f"expressed_{arm}_upper": high[i]}
    columns["networks"] = _networks(result)
    columns["reproducible"] = result.group("factors", ["reproducible"])["reproducible"].values
    table = pd.DataFrame(columns)
    judged = [_judge(row, arms, probability, noise) for _, row in table.iterrows()]
    table.insert(1, "label", [label for label, _ in judged])
    table["name"] = name_factors(table)
    table["verdict"] = [verdict for _, verdict in judged]
    table.attrs["rules"] = {"probability": probability, "ci_prob": ci_prob, "rope": rope}
    table.attrs["draws_are"] = str(posterior.attrs.get("draws_are", ""))
    return table


def _chances(drawn: np.ndarray, arms: list[str], rope: float) -> dict[str, Any]:
    if len(arms) < 2:
        return {}
    alike = (drawn.max(axis=1) - drawn.min(axis=1) <= rope).mean(axis=0)
    found: dict[str, Any] = {"p_alike": alike}
    for i, arm in enumerate(arms):
        others = np.delete(drawn, i, axis=1).max(axis=1)
        found[f"p_more_{arm}"] = (drawn[:, i] - others > rope).mean(axis=0)
    return found


def _networks(result: Result, at_most: int = 4) -> list[str]:
    """Name the blocks with the largest values of each map, with their sign."""
    value = result.group("blocks", ["map"])["map"].transpose(FACTOR, BLOCK)
    names = value[BLOCK].values
    top = np.argsort(-np.abs(value.values), axis=1)[:, :at_most]
    return [
        ", ".join(f"{names[j]} ({'+' if row[j] > 0 else '-'})" for j in chosen)
        for row, chosen in zip(value.values, top, strict=True)
    ]


def _judge(
    row: pd.Series[Any], arms: list[str], probability: float, noise: bool
) -> tuple[str, str]:
    if noise:
        return MISSING, (
            "The model fits permuted edges, which hold no pattern, equally well. No claim."
        )
    if not row["reproducible"]:
        return MISSING, "Not reproducible: other restarts or chains find a different map. No claim."
    amounts = ", ".join(f"{row[f'expressed_{a}']:.2f} in {a}" for a in arms)
    if len(arms) == 1:
        return PRESENT, f"Mean composition {amounts}. The fit has no other arm to compare with."
    chances = {f"{a}-more": float(row[f"p_more_{a}"]) for a in arms}
    chances["alike"] = float(row["p_alike"])
    best = max(chances, key=lambda k: chances[k])
    listed = ", ".join(f"P({k}) = {v:.2f}" for k, v in chances.items())
    label = best if chances[best] > probability else UNDECIDED
    return label, f"Mean composition {amounts}; {listed}."


def overview(table: pd.DataFrame) -> pd.DataFrame:
    """Shorten the table of factors for a terminal.

    Parameters
    ----------
    table : pandas.DataFrame
        From `tabulate_factors`.

    Returns
    -------
    pandas.DataFrame
        Text: name, expression by arm and probabilities.
    """
    names = [str(c).removeprefix("expressed_") for c in table if str(c).startswith("expressed_")]
    arms = [n for n in names if not n.endswith(("_lower", "_upper"))]
    columns: dict[str, Any] = {"factor": [break_name(n) for n in read_names(table)]}
    columns |= {f"expressed in {a}": table[f"expressed_{a}"].map("{:.2f}".format) for a in arms}
    if "p_alike" in table:
        columns |= {f"P({a} more)": table[f"p_more_{a}"].map("{:.2f}".format) for a in arms}
        columns["P(alike)"] = table["p_alike"].map("{:.2f}".format)
    return pd.DataFrame(columns)
