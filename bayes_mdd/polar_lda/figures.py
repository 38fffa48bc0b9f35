"""Figures of polar LDA: compositions by arm, and the fit against permuted edges."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from bayes_mdd.dims import ARM, CHAIN, DRAW, FACTOR, SUBJECT
from bayes_mdd.results.figures.style import (
    FADED,
    PALETTE,
    draw_intervals,
    name_rows,
    new_figure,
    pick_colours,
    tidy,
)
from bayes_mdd.results.result import Result, read_result


def plot_compositions(idata: xr.DataTree | Result) -> Figure:
    """Plot how much each subject expresses each factor, by arm.

    Parameters
    ----------
    idata : DataTree
        A polar LDA.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per factor; points are subjects (mean over draws), bars the mean composition
        of an arm with its 50 % and 90 % intervals.

    Raises
    ------
    DataContractError
        If `idata` lacks a variable.
    """
    result = read_result(idata)
    posterior = result.group("posterior", ["composition", "arm_expression"])
    composition = posterior["composition"].mean((CHAIN, DRAW)).transpose(SUBJECT, FACTOR).values
    own = result.group("constant_data", [ARM])[ARM].values.astype(str)
    arms = [str(a) for a in posterior[ARM].values]
    drawn = posterior["arm_expression"].transpose(CHAIN, DRAW, ARM, FACTOR).values
    drawn = drawn.reshape(-1, *drawn.shape[2:])
    colours = pick_colours(arms)
    names = [str(f) for f in posterior[FACTOR].values]
    figure = new_figure(2.6 * len(names) + 1.0, 1.6 + 0.5 * len(arms))
    panels = np.atleast_1d(figure.subplots(1, len(names), sharey=True))
    rng = np.random.default_rng(0)
    for k, ax in enumerate(panels):
        for i, arm in enumerate(arms):
            x = composition[own == arm, k]
            ax.scatter(x, i + rng.uniform(-0.3, 0.3, x.size), s=10, c=FADED, alpha=0.6)
        draw_intervals(ax, drawn[:, :, k], np.arange(len(arms)), [colours[a] for a in arms])
        ax.set_xlim(-0.03, 1.03)
        tidy(ax, title=names[k], xlabel="composition", grid="x")
    name_rows(panels[0], arms)
    return figure


def plot_null(idata: xr.DataTree | Result) -> Figure:
    """Plot the gain of the fit over one factor and that of fits to permuted edges.

    Parameters
    ----------
    idata : DataTree
        A polar LDA.

    Returns
    -------
    matplotlib.figure.Figure
        Points are permutations, the line is the fit.

    Raises
    ------
    DataContractError
        If `idata` lacks the null run.
    """
    null = read_result(idata).group("null", ["gain"])
    gain = null["gain"].values
    figure = new_figure(6.0, 1.9)
    ax = figure.subplots()
    jitter = np.random.default_rng(0).uniform(-0.2, 0.2, len(gain) - 1)
    ax.scatter(gain[1:], jitter, s=18, c=FADED, label="permuted edges")
    ax.axvline(gain[0], color=PALETTE[0], linewidth=2, label="observed")
    ax.set_ylim(-1, 1)
    ax.set_yticks([])
    ax.set_xlim(left=min(0.0, float(gain.min())))
    tidy(
        ax,
        title=f"Against permuted edges (p = {float(null.attrs['p_value']):.2g})",
        xlabel="gain of the bound over one factor, nats per 1000 tokens",
        grid="x",
    )
    ax.spines["left"].set_visible(False)
    ax.legend(frameon=False, fontsize=8, loc="upper left", ncols=2)
    return figure
