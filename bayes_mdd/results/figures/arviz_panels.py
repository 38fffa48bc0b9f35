"""Panels that ArviZ draws on axes of the caller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import arviz as az
import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from bayes_mdd.results.figures.style import PALETTE, SMALL

#: Name of the quantity in a panel.
VALUE: Final = "x"
#: Styles in the order of the colours, so that lines differ without colour.
LINES: Final = ("-", "--", ":", "-.")


def on_axes(
    ax: Axes,
    data: xr.Dataset,
    dims: Sequence[str] = (),
    aesthetics: Sequence[str] = ("color", "linestyle", "overlay"),
) -> Any:
    """Let ArviZ draw a quantity on existing axes.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    data : Dataset
        What is drawn, with one variable.
    dims : sequence of str, optional
        Dimensions along which there is one line each, e.g. ``["chain"]``.
    aesthetics : sequence of str, default ("color", "linestyle", "overlay")
        What tells these lines apart.

    Returns
    -------
    arviz_plots.PlotCollection
        For the argument ``plot_collection`` of ``arviz.plot_*``. It holds the figure of `ax`; none
        is made, and pyplot is not used.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> ax = Figure().subplots()
    >>> data = xr.Dataset({"x": (("chain", "draw"), np.zeros((2, 9)))})
    >>> on_axes(ax, data, ["chain"]).get_viz("plot") is ax
    True
    """
    viz = xr.DataTree(
        xr.Dataset(
            {
                "figure": ((), np.array(ax.get_figure(root=True), dtype=object)),
                "plot": ((), np.array(ax, dtype=object)),
                "row_index": 0,
                "col_index": 0,
            }
        )
    )
    chosen: dict[str, Any] = {}
    if dims:
        styles = {"color": list(PALETTE), "linestyle": list(LINES)}
        chosen = {"aes": {name: list(dims) for name in aesthetics}}
        chosen |= {name: value for name, value in styles.items() if name in aesthetics}
    return az.PlotCollection(data, viz, backend="matplotlib", **chosen)


def chains_of(values: xr.DataArray, stats: xr.Dataset | None = None) -> xr.DataTree:
    """Make draws of one quantity a tree that ArviZ takes.

    Parameters
    ----------
    values : DataArray
        Dims ``(chain, draw)``.
    stats : Dataset, optional
        Statistics of the sampler; divergences are marked in traces.

    Returns
    -------
    DataTree
        Groups ``posterior``, with the variable ``x``, and ``sample_stats``.
    """
    groups = {"posterior": values.reset_coords(drop=True).to_dataset(name=VALUE)}
    if stats is not None and "diverging" in stats:
        groups["sample_stats"] = stats[["diverging"]]
    return xr.DataTree.from_dict(groups)


def say_instead(ax: Axes, text: str) -> None:
    """Write in an empty panel why it is empty.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Changed in place.
    text : str
        The reason; lines are broken where stated.
    """
    ax.text(
        0.5,
        0.5,
        text,
        transform=ax.transAxes,
        ha="center",
        va="center",
        fontsize=SMALL,
        color="0.3",
    )
    ax.set_xticks([])
    ax.set_yticks([])
    for side in ax.spines.values():
        side.set_visible(False)
