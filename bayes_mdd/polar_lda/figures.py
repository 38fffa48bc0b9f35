"""Figures of polar LDA: compositions by arm, and the fit against permuted edges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_mdd.dims import ARM, CHAIN, DRAW, FACTOR, SUBJECT
from bayes_mdd.results.drawings import BOTH_INTERVALS, Drawing
from bayes_mdd.results.figures.blocks import plot_map_blocks
from bayes_mdd.results.figures.connectome import plot_connectome
from bayes_mdd.results.figures.style import (
    FADED,
    PALETTE,
    draw_intervals,
    name_rows,
    open_axes,
    open_panels,
    pick_colours,
    pick_markers,
    put_legend_above,
    say_intervals,
    tidy,
    write_caption,
)
from bayes_mdd.results.result import Result, read_result
from bayes_mdd.types import Array


def plot_compositions(
    idata: xr.DataTree | Result,
    *,
    columns: int = 3,
    points: bool = True,
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Plot how much each subject expresses each factor, by arm.

    Parameters
    ----------
    idata : DataTree
        A polar LDA.
    columns : int, default 3
        Panels side by side in a new figure.
    points : bool, default True
        Whether each subject is a dot; False shows the arms only.
    axes : sequence of Axes, optional
        Where to draw, one for each factor; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per factor; dots are subjects (mean over draws), marks the mean composition of an
        arm with its 50% and 90% equal-tailed intervals. A composition is a share: those of a
        subject sum to 1.

    Raises
    ------
    DataContractError
        If `idata` lacks a variable.
    SpecError
        If there are not as many axes as factors.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> figure = plot_compositions(bm.read_run("runs/polar"))  # doctest: +SKIP
    """
    result = read_result(idata)
    posterior = result.group("posterior", ["composition", "arm_expression"])
    composition = posterior["composition"].mean((CHAIN, DRAW)).transpose(SUBJECT, FACTOR).values
    own = result.group("constant_data", [ARM])[ARM].values.astype(str)
    arms = [str(a) for a in posterior[ARM].values]
    drawn = posterior["arm_expression"].transpose(CHAIN, DRAW, ARM, FACTOR).values
    drawn = drawn.reshape(-1, *drawn.shape[2:])
    names = [str(f) for f in posterior[FACTOR].values]
    shape = (math.ceil(len(names) / columns), min(columns, len(names)))
    if axes is not None:
        shape = (1, len(names))
    height = shape[0] * (1.5 + 0.5 * len(arms))
    figure, panels = open_panels(axes, shape, 1.3 + 2.15 * shape[1], height)
    rng = np.random.default_rng(0)
    for k, ax in enumerate(panels[: len(names)]):
        _draw_arms(ax, composition[:, k] if points else None, own, drawn[:, :, k], arms, rng)
        tidy(ax, title=names[k], xlabel="composition, share of 1", grid="x")
        name_rows(ax, [f"{arm} (n = {int((own == arm).sum())})" for arm in arms])
        if axes is None and k % shape[1]:
            ax.set_yticklabels([])
    for ax in panels[len(names) :]:
        ax.set_visible(False)
    last = panels[0] if axes is not None else panels[(shape[0] - 1) * shape[1]]
    said = f"{say_intervals((0.5, 0.9))} of the mean of an arm"
    said = f"dots: participants; {said}" if points else said
    write_caption(last, said, across=1 if axes is not None else shape[1])
    return figure


def _draw_arms(
    ax: Axes,
    composition: Array | None,
    own: npt.NDArray[np.str_],
    drawn: Array,
    arms: Sequence[str],
    rng: np.random.Generator,
) -> None:
    colours, markers = pick_colours(arms), pick_markers(arms)
    for i, arm in enumerate(arms):
        if composition is not None:
            x = composition[own == arm]
            ax.scatter(x, i + rng.uniform(-0.3, 0.3, x.size), s=10, c=FADED, alpha=0.6)
        draw_intervals(ax, drawn[:, [i]], [i], [colours[arm]], marker=markers[arm])
    ax.set_xlim(-0.03, 1.03)


def plot_null(idata: xr.DataTree | Result, *, ax: Axes | None = None) -> Figure:
    """Plot the gain of the fit over one factor and that of fits to permuted edges.

    Parameters
    ----------
    idata : DataTree
        A polar LDA.
    ax : Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        Dots are permutations (their height has no meaning), the line is the fit.

    Raises
    ------
    DataContractError
        If `idata` lacks the null run.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> figure = plot_null(bm.read_run("runs/polar"))  # doctest: +SKIP
    """
    null = read_result(idata).group("null", ["gain"])
    gain = null["gain"].values
    figure, ax = open_axes(ax, 6.6, 2.4)
    jitter = np.random.default_rng(0).uniform(-0.6, 0.6, len(gain) - 1)
    ax.scatter(gain[1:], jitter, s=18, c=FADED, label=f"permuted edges (n = {len(gain) - 1})")
    ax.axvline(gain[0], color=PALETTE[0], linewidth=2, label="observed")
    ax.set_ylim(-1, 1)
    ax.set_yticks([])
    ax.set_xlim(left=min(0.0, float(gain.min())))
    tidy(
        ax,
        title=f"Against permuted edges (p = {float(null.attrs['p_value']):.2g})",
        xlabel="gain of the bound over one factor,\nnats per 1000 tokens",
        grid="x",
    )
    ax.spines["left"].set_visible(False)
    put_legend_above(ax)
    return figure


def list_figures(
    result: Result, table: pd.DataFrame, sig: xr.Dataset, with_participants: bool
) -> list[Drawing]:
    """List the figures that a polar LDA supports.

    Parameters
    ----------
    result : Result
        A polar LDA.
    table : DataFrame
        What `classify_factors` returned.
    sig : Dataset
        What `signatures` returned.
    with_participants : bool
        Whether figures with one mark per participant are wanted.

    Returns
    -------
    list of Drawing
        Those of all factors, then those of each.
    """
    found = [
        Drawing(
            name="null", caption="Gain of the fit against fits to permuted edges.",
            draw=partial(plot_null, result),
        )
    ]  # fmt: skip
    if with_participants:
        found.append(
            Drawing(
                name="compositions", caption="Composition by arm, one mark per participant.",
                draw=partial(plot_compositions, result), interval=BOTH_INTERVALS,
            )
        )  # fmt: skip
    shown = [str(f) for f in sig[FACTOR].values]
    if shown:
        found.append(
            Drawing(
                name="blocks", caption="Maps by pair of networks.",
                draw=partial(plot_map_blocks, sig, factors=shown),
            )
        )  # fmt: skip
    return found + [
        Drawing(
            name=f"factor-{factor}_connectome",
            caption=f"{factor}. The strongest edges whose interval excludes 0.",
            draw=partial(plot_connectome, sig, factor), factor=factor,
            interval=f"{float(sig.attrs['ci_prob']):.0%}, equal-tailed",
        )
        for factor in shown
    ]  # fmt: skip
