"""Figure of posterior predictive checks of features and residuals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import arviz as az
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from bayes_mdd.dims import ARM, CHAIN, DRAW, FEATURE
from bayes_mdd.results.figures.arviz_panels import LINES, VALUE, on_axes, say_instead
from bayes_mdd.results.figures.people import count_people
from bayes_mdd.results.figures.style import (
    INK,
    MARKERS,
    PALETTE,
    SMALL,
    open_panels,
    put_legend_above,
    tidy,
    write_caption,
)
from bayes_mdd.results.result import Result, read_with_participants
from bayes_mdd.shared_specific.checks.arviz_groups import add_arviz_groups
from bayes_mdd.shared_specific.checks.predictive import p_value
from bayes_mdd.shared_specific.checks.replicates import (
    FEATURE_SD,
    OBSERVED,
    REPLICATED,
    SOURCE,
)
from bayes_mdd.shared_specific.schema import (
    OBSERVED_DATA,
    POSTERIOR_PREDICTIVE,
    PREDICTIVE_STATISTICS,
    WHITENED_BLOCK,
)
from bayes_mdd.types import Array

#: Panels of statistics of residuals: title and axis.
PANELS: Final = {
    "residual_correlation": ("Residual correlation", "mean squared r of two features"),
    "residual_kurtosis": ("Residual kurtosis", "excess kurtosis, mean over features"),
    "participant_spread": ("Residual SD, participants", "SD of log residual SD"),
    "arm_ratio": ("Residual SD, arms", "F ratio, between arms over within"),
}
MISSING_REASON: Final = {
    "arm_ratio": "one arm:\nnothing to compare",
}
#: Replicates that are drawn.
SHOWN: Final = 40


def plot_predictive(idata: xr.DataTree | Result, *, axes: Sequence[Axes] | None = None) -> Figure:
    """Plot whether data replicated by the model look like the data, by ArviZ.

    Parameters
    ----------
    idata : xarray.DataTree
        What `add_arviz_groups` returned with ``posterior_predictive`` and
        ``predictive_statistics``; or what `fit` or `read_run` returned, for which these are made
        from 100 draws.
    axes : sequence of Axes, optional
        Six, row by row in two columns; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        Values of the features (`arviz.plot_ppc_dist`); SD of the features over the participants of
        each arm, given covariates; and statistics of the residuals (`arviz.plot_ppc_tstat`):
        correlation between features, kurtosis, differences in width between participants and
        between arms. Curves are replicates, marks the data. Of residuals, which depend on the draw,
        the mark is the posterior mean and ``p`` the share of draws with a replicate that is at
        least as large as the data.

    Raises
    ------
    DataContractError
        If the run has no factor, does not contain its features, or leaves too few degrees of
        freedom.
    SpecError
        If there are not six axes.

    See Also
    --------
    predictive_checks : The same statistics in a table, with those of symptoms, blocks and
        participants.

    Notes
    -----
    Replicated features use loadings from their posterior, which have fitted part of the noise:
    they vary a little more than the data, the more the fewer participants there are for each
    covariate and factor. The SD by arm has no such bias. Draws of a fast fit are approximate, so
    are its replicates.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> figure = bm.plotting.plot_predictive(bm.read_run("runs/demo"))  # doctest: +SKIP
    """
    result = read_with_participants(idata, "predictive checks")
    tree = result.tree
    needed = (POSTERIOR_PREDICTIVE, PREDICTIVE_STATISTICS)
    if not set(needed) <= set(tree.children):
        tree = add_arviz_groups(tree, groups=needed)
    figure, panels = open_panels(axes, (3, 2), 7.0, 7.4)
    whitened = "whitened " if WHITENED_BLOCK in result.posterior.dims else ""
    _draw_features(panels[0], tree, f"value ({whitened}features)")
    stats = (
        tree[PREDICTIVE_STATISTICS].to_dataset()
        if PREDICTIVE_STATISTICS in tree.children
        else xr.Dataset()
    )
    if FEATURE_SD in stats:
        _draw_spread(panels[1], stats[FEATURE_SD])
    else:
        say_instead(panels[1], "too few participants")
    for ax, (name, (title, xlabel)) in zip(panels[2:], PANELS.items(), strict=True):
        if name in stats:
            _draw_statistic(ax, stats[name], title, xlabel)
        else:
            say_instead(ax, MISSING_REASON[name] if FEATURE_SD in stats else "too few participants")
    y = tree[OBSERVED_DATA]["y"]
    people = count_people(result)
    replicates = int(np.prod([tree[POSTERIOR_PREDICTIVE].sizes[d] for d in (CHAIN, DRAW)]))
    write_caption(
        panels[4],
        f"{f'{people}, ' if people else ''}{y.sizes[FEATURE]} {whitened}features, {replicates} "
        "replicates. Marks: data; curves (right: cumulative) and bars: replicates. p: share of "
        "draws with a replicate at least as large as the data. Replicated values are a little "
        "wider than the data, to which their loadings and covariate effects were fitted."
        + (" Fast fit: approximate." if result.approximate else ""),
        across=2,
    )
    return figure


def _draw_features(ax: Axes, tree: xr.DataTree, xlabel: str) -> None:
    shown = xr.DataTree.from_dict(
        {
            "posterior_predictive": tree[POSTERIOR_PREDICTIVE].to_dataset()[["y"]],
            "observed_data": tree[OBSERVED_DATA].to_dataset()[["y"]],
        }
    )
    drawn = shown["posterior_predictive"].sizes
    number = min(SHOWN, drawn[CHAIN] * drawn[DRAW])
    empty = xr.Dataset({"y": ("sample", np.zeros(number))}, {"sample": np.arange(number)})
    panel = on_axes(ax, empty, ["sample"], aesthetics=("overlay_ppc",))
    az.plot_ppc_dist(
        shown,
        num_samples=number,
        plot_collection=panel,
        visuals={
            "title": False,
            "remove_axis": False,
            "predictive_dist": {"color": PALETTE[0], "alpha": 0.25},
            "observed_dist": {"color": INK, "width": 2.2, "linestyle": "--"},
        },
    )
    tidy(ax, title="Feature values", xlabel=xlabel)
    own: Array = tree[OBSERVED_DATA].to_dataset()["y"].values
    ax.set_xlim(*(float(x) for x in np.quantile(own, [0.0005, 0.9995])))
    ax.set_ylabel("density", fontsize=SMALL)
    put_legend_above(
        ax,
        [
            Line2D([], [], color=INK, linestyle="--", linewidth=2.2, label="data"),
            Line2D([], [], color=PALETTE[0], alpha=0.6, label="replicates"),
        ],
    )


def _draw_spread(ax: Axes, spread: xr.DataArray) -> None:
    arms = [str(a) for a in spread[ARM].values]
    for i, arm in enumerate(arms):
        colour = PALETTE[i % len(PALETTE)]
        _tstat(
            ax,
            spread.sel({ARM: arm}),
            {"color": colour, "linestyle": LINES[i % len(LINES)], "width": 1.6},
            {
                "color": colour,
                "marker": MARKERS[i % len(MARKERS)],
                # Marks at the same place do not hide each other.
                "size": 45 + 60 * (len(arms) - 1 - i),
            },
            "ecdf",
        )
    tidy(ax, title="SD of features", xlabel="SD given covariates (relative noise)")
    ax.set_ylabel("share of replicates", fontsize=SMALL)
    put_legend_above(
        ax,
        [
            Line2D([], [], color=PALETTE[i % len(PALETTE)], linestyle=LINES[i % len(LINES)],
                   marker=MARKERS[i % len(MARKERS)], label=arm)
            for i, arm in enumerate(arms)
        ],
    )  # fmt: skip


def _draw_statistic(ax: Axes, values: xr.DataArray, title: str, xlabel: str) -> None:
    curve = {"color": PALETTE[0]}
    mark = {"color": INK, "marker": "D", "size": 45}
    _tstat(ax, values, curve, mark, "hist")
    flat = values.transpose(SOURCE, CHAIN, DRAW).values.reshape(2, -1)
    tidy(ax, title=f"{title} (p = {float(p_value(*flat)):.2f})", xlabel=xlabel)
    bars = ax.lines[0]
    height = np.asarray(bars.get_ydata(), dtype=float)
    ax.fill_between(bars.get_xdata(), height, step="post", color=PALETTE[0], alpha=0.2, linewidth=0)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)


def _tstat(
    ax: Axes,
    values: xr.DataArray,
    curve: Mapping[str, object],
    mark: Mapping[str, object],
    kind: Literal["hist", "ecdf"],
) -> None:
    """Draw a statistic of the replicates and its mean for the data."""
    sides = values.transpose(SOURCE, CHAIN, DRAW).reset_coords(drop=True)
    tree = xr.DataTree.from_dict(
        {
            "posterior_predictive": sides.sel({SOURCE: REPLICATED}, drop=True).to_dataset(
                name=VALUE
            ),
            "observed_data": sides.sel({SOURCE: OBSERVED}, drop=True)
            .mean((CHAIN, DRAW))
            .to_dataset(name=VALUE),
        }
    )
    az.plot_ppc_tstat(
        tree,
        t_stat="mean",
        kind=kind,
        plot_collection=on_axes(ax, tree["observed_data"].to_dataset()),
        visuals={
            "title": False,
            "remove_axis": False,
            "dist": dict(curve),
            "observed_tstat": dict(mark),
        },
    )
