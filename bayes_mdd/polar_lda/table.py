"""What became of the factors of a polar LDA: who expresses them, and whether to believe it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, BLOCK, CHAIN, DRAW, FACTOR, MISSING
from bayes_mdd.errors import SpecError
from bayes_mdd.results.reading import read_group, read_note

#: Smallest p of the null run at which a fit is taken to show more than noise.
NULL_P = 0.05


def is_polar_lda(idata: xr.DataTree) -> bool:
    """Tell whether a result is a polar LDA.

    Parameters
    ----------
    idata : DataTree
        What `fit` returned.

    Returns
    -------
    bool
        By the attribute ``model``.
    """
    return idata.attrs.get("model") == "polar_lda"


def looks_like_noise(idata: xr.DataTree) -> bool:
    """Tell whether the same fit to permuted edges gains as much.

    Parameters
    ----------
    idata : DataTree
        A polar LDA.

    Returns
    -------
    bool
        True where nothing of the fit should be interpreted.
    """
    return bool(float(read_group(idata, "null").attrs["p_value"]) > NULL_P)


def classify_polar_factors(
    idata: xr.DataTree, *, probability: float = 0.9, ci_prob: float = 0.9
) -> pd.DataFrame:
    """Say of every factor which arm expresses it more, or that it cannot be told.

    Parameters
    ----------
    idata : DataTree
        A polar LDA.
    probability : float, default 0.9
        A label is given when its probability is above this.
    ci_prob : float, default 0.9
        Probability of the equal-tailed intervals of the mean composition of an arm.

    Returns
    -------
    DataFrame
        One row a factor: ``factor``; ``label``: "<arm>-more", "alike", "undecided", "present"
        (one arm) or "n/a" (permuted edges look the same, or restarts or chains disagree);
        ``active``; ``p_more_<arm>``: probability that this arm's mean composition is above every
        other's by more than the ROPE; ``p_alike``: that all arms lie within it;
        ``expressed_<arm>`` with ``_lower``, ``_upper``; ``networks``; ``reproducible``;
        ``verdict``. Probabilities are shares of posterior draws, or of bootstrap resamples with
        the variational method: ``attrs["draws_are"]`` says which.

    Raises
    ------
    SpecError
        If a threshold is out of its range.
    """
    if not (0.5 <= probability < 1 and 0 < ci_prob < 1):
        raise SpecError(
            f"probability must lie in [0.5, 1) and ci_prob in (0, 1), got {probability}, {ci_prob}."
        )
    posterior = read_group(idata, "posterior", ["arm_expression"])
    rope = float(read_note(idata, "spec").get("rope", 0.05))
    drawn = posterior["arm_expression"].transpose(CHAIN, DRAW, ARM, FACTOR).values
    drawn = drawn.reshape(-1, *drawn.shape[2:])
    arms = [str(a) for a in posterior[ARM].values]
    columns: dict[str, Any] = {"factor": [str(f) for f in posterior[FACTOR].values]}
    noise = looks_like_noise(idata)
    columns["active"] = [not noise] * drawn.shape[2]
    columns |= _chances(drawn, arms, rope)
    tail = (1 - ci_prob) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    for i, arm in enumerate(arms):
        columns[f"expressed_{arm}"] = drawn[:, i].mean(axis=0)
        columns |= {f"expressed_{arm}_lower": low[i], f"expressed_{arm}_upper": high[i]}
    columns["networks"] = _networks(idata)
    columns["reproducible"] = read_group(idata, "factors", ["reproducible"])["reproducible"].values
    table = pd.DataFrame(columns)
    judged = [_judge(row, arms, probability, noise) for _, row in table.iterrows()]
    table.insert(1, "label", [label for label, _ in judged])
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


def _networks(idata: xr.DataTree, at_most: int = 4) -> list[str]:
    """Name the blocks with the largest maps, as they stand in the model."""
    value = read_group(idata, "blocks", ["map"])["map"].transpose(FACTOR, BLOCK)
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
            "Permuted edges, in which there is nothing to find, are fitted as well. No claim."
        )
    if not row["reproducible"]:
        return MISSING, "Not reproducible: other restarts or chains find another map. No claim."
    amounts = ", ".join(f"{row[f'expressed_{a}']:.2f} in {a}" for a in arms)
    if len(arms) == 1:
        return "present", f"Mean composition {amounts}. There is no other arm to compare with."
    chances = {f"{a}-more": float(row[f"p_more_{a}"]) for a in arms}
    chances["alike"] = float(row["p_alike"])
    best = max(chances, key=lambda k: chances[k])
    listed = ", ".join(f"P({k}) = {v:.2f}" for k, v in chances.items())
    label = best if chances[best] > probability else "undecided"
    return label, f"Mean composition {amounts}; {listed}."
