"""Which symptoms go with which factors."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from bayes_mdd.dims import CHAIN, DRAW, FACTOR, SYMPTOM
from bayes_mdd.plotting.style import (
    FADED,
    PALETTE,
    QUIET,
    SMALL,
    TEXT,
    draw_intervals,
    name_rows,
    new_figure,
    tidy,
)
from bayes_mdd.signatures import classify_factors
from bayes_mdd.signatures.reading import read_group


def plot_symptom_links(
    idata: xr.DataTree,
    *,
    factors: pd.DataFrame | None = None,
    probs: tuple[float, float] = (0.5, 0.9),
    columns: int = 3,
) -> Figure:
    """Plot the weight of each factor in each symptom dimension.

    Parameters
    ----------
    idata : xarray.DataTree
        What `fit` returned, with symptoms.
    factors : pandas.DataFrame, optional
        What `classify_factors` returned; made with its defaults when absent.
    probs : tuple of float, default (0.5, 0.9)
        Of the thick and the thin equal-tailed interval around the posterior mean.
    columns : int, default 3
        Panels side by side.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a symptom. Coloured where the wider interval excludes 0; grey otherwise, and
        for factors that are unused or not reproducible.

    Raises
    ------
    DataContractError
        If the fit had no symptoms.
    """
    table = classify_factors(idata) if factors is None else factors
    weight = read_group(idata, "posterior", ["symptom_weight"])["symptom_weight"]
    # xarray's stack, not pandas'.
    weight = weight.stack(sample=(CHAIN, DRAW), create_index=False)
    symptoms = [str(s) for s in weight[SYMPTOM].values]
    n_columns = min(columns, len(symptoms))
    n_rows = math.ceil(len(symptoms) / n_columns)
    figure = new_figure(2.0 + 2.7 * n_columns, 0.9 + n_rows * (0.9 + 0.34 * len(table)))
    panels = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False).ravel()
    quiet = table["label"].isin(QUIET).to_numpy()
    for ax, symptom in zip(panels, symptoms, strict=False):
        values = weight.sel({SYMPTOM: symptom}).transpose("sample", FACTOR).values
        low, high = np.quantile(values, [(1 - probs[1]) / 2, (1 + probs[1]) / 2], axis=0)
        clear = ((low > 0) | (high < 0)) & ~quiet
        colours = [PALETTE[0] if c else FADED for c in clear]
        ax.axvline(0, color="0.6", linewidth=1, zorder=1)
        draw_intervals(ax, values, np.arange(len(table)), colours, probs=probs)
        tidy(ax, title=symptom.replace("_", " "), grid="x")
    names = [f"{f}  ({lab})" for f, lab in zip(table["factor"], table["label"], strict=True)]
    for i, ax in enumerate(panels[: len(symptoms)]):
        name_rows(ax, names)
        ax.tick_params(axis="y", labelsize=TEXT)
        # The lowest panel of each column carries the numbers, also above an empty place.
        ax.tick_params(axis="x", labelbottom=i + n_columns >= len(symptoms))
    for ax in panels[len(symptoms) :]:
        ax.set_visible(False)
    figure.supxlabel(
        "SD of the symptom per SD of the factor's score\n"
        f"point: posterior mean; lines: {probs[0]:.0%} and {probs[1]:.0%} intervals; "
        "coloured where the wider one excludes 0",
        fontsize=SMALL,
        color="0.25",
    )
    return figure
