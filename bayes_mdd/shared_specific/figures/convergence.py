"""Figure of convergence: ranks, traces, energy and R-hat of quantities that factors share."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Final

import arviz as az
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bayes_mdd.dims import CHAIN, DRAW
from bayes_mdd.errors import DataContractError
from bayes_mdd.results.figures.arviz_panels import LINES, chains_of, on_axes, say_instead
from bayes_mdd.results.figures.people import count_people
from bayes_mdd.results.figures.style import (
    PALETTE,
    SMALL,
    open_panels,
    put_legend_above,
    tidy,
    write_caption,
)
from bayes_mdd.results.result import Result, read_result
from bayes_mdd.results.rules import FAST_LIMITS, LIMITS
from bayes_mdd.shared_specific.schema import COMMUNALITY, INVARIANTS, NOISE, NOISE_DF, SYMPTOM_NOISE

#: Quantities in words; a name follows.
WORDS: Final = {
    NOISE: "Noise SD",
    NOISE_DF: "Noise df",
    COMMUNALITY: "Fitted variance",
    "similarity": "Similarity, pair",
    "symptom_spread": "Predicted SD",
    SYMPTOM_NOISE: "Residual SD",
}
#: Draws of a chain below which R-hat is not defined, and chains that a legend can name.
LEAST_DRAWS, MOST_NAMED = 4, 5
#: Level of the test of ranks, over all quantities.
ALPHA: Final = 0.05
#: Characters of a name that fit above a panel.
LONGEST: Final = 26


def plot_convergence(idata: xr.DataTree | Result, *, axes: Sequence[Axes] | None = None) -> Figure:
    """Plot whether the chains agree, by ArviZ.

    The quantities are those of the group ``invariants``, which order, sign and rotation of factors
    cannot change and which `diagnose` judges. The two with the largest R-hat are shown by
    `arviz.plot_rank` and `arviz.plot_trace`, the sampler by `arviz.plot_energy`, and R-hat of all
    of them by `arviz.plot_convergence_dist`.

    Parameters
    ----------
    idata : xarray.DataTree
        What `fit` or `read_run` returned.
    axes : sequence of Axes, optional
        Six, row by row in two columns; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        Rows one and two: ranks and trace of a quantity, one line per chain. Chains that agree have
        ranks whose differences from the uniform distribution are small and without a trend; ``p``
        in the panel is a test of this. Row three: distribution of the energy and of its changes,
        which should be about equally wide; and R-hat of all quantities with the limit of
        `diagnose`. A fast fit has short chains that start at the same mode: its panels show that
        they agree near this mode only. A single chain has no R-hat.

    Raises
    ------
    DataContractError
        If `idata` has no invariants that vary, e.g. because it is of another model.
    SpecError
        If there are not six axes.

    See Also
    --------
    diagnose : The checks in numbers.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> figure = bm.plotting.plot_convergence(bm.read_run("runs/demo"))  # doctest: +SKIP
    """
    result = read_result(idata)
    found = list_invariants(result)
    if not found:
        raise DataContractError("plot_convergence", ["no invariant varies: nothing to show."])
    limits = FAST_LIMITS if result.approximate else LIMITS
    rhat = _rhat([values for _, values in found])
    worst = np.argsort(-np.nan_to_num(rhat, nan=0.0), kind="stable")[:2]
    figure, panels = open_panels(axes, (3, 2), 7.0, 7.2)
    stats = result.group("sample_stats") if "sample_stats" in result.tree.children else None
    for row in range(2):
        left, right = panels[2 * row : 2 * row + 2]
        if row >= len(worst):
            for ax in (left, right):
                say_instead(ax, "no second quantity")
            continue
        name, values = found[worst[row]]
        said = "" if np.isnan(rhat[worst[row]]) else f" (R-hat {rhat[worst[row]]:.3f})"
        short = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
        _draw_ranks(left, values, f"{short}: ranks", len(found))
        _draw_trace(right, values, stats, f"{short}: trace", f"draw{said}")
    chains = [str(c) for c in found[0][1][CHAIN].values]
    if 1 < len(chains) <= MOST_NAMED:
        put_legend_above(panels[0], _mark_chains(chains))
    _draw_energy(panels[4], stats)
    _draw_rhat(panels[5], [v for _, v in found], limits.rhat_max)
    _say(panels[4], result, found[0][1], len(found), limits.rhat_max)
    return figure


def _say(ax: Axes, result: Result, values: xr.DataArray, count: int, limit: float) -> None:
    """Write the caption: who, how many draws, and how to read the panels."""
    people, chains = count_people(result), values.sizes[CHAIN]
    parts = [
        *([people] if people else []),
        f"{chains} chain{'s' * (chains > 1)} of {values.sizes[DRAW]} draws"
        + (" around one mode (fast fit: approximate)" if result.approximate else ""),
    ]
    if chains > 1:
        parts.append(
            f"the two of {count} invariants with the largest R-hat; p: test of equal ranks in all "
            "chains, its limit that of so many quantities"
        )
    said = "; ".join(parts) + ". Energy and its changes should be about equally wide."
    write_caption(ax, said + f" Dashed: limit of R-hat ({limit:g})." * (chains > 1), across=2)


def list_invariants(result: Result) -> list[tuple[str, xr.DataArray]]:
    """List the quantities that vary, one by one.

    Parameters
    ----------
    result : Result
        A fit.

    Returns
    -------
    list of (str, DataArray)
        Name in words, and draws (chain, draw).
    """
    found = []
    for name, variable in result.group(INVARIANTS).data_vars.items():
        inner = [d for d in variable.dims if d not in (CHAIN, DRAW)]
        flat = variable.transpose(CHAIN, DRAW, *inner)
        for at in np.ndindex(*[variable.sizes[d] for d in inner]):
            values = flat[(..., *at)]
            if float(values.max()) > float(values.min()):
                own = [str(values.coords[d].values) if d in values.coords else str(i)
                       for d, i in zip(inner, at, strict=True)]  # fmt: skip
                words = " ".join([WORDS.get(str(name), str(name)), *own])
                found.append((words, values.reset_coords(drop=True)))
    return found


def _rhat(draws: list[xr.DataArray]) -> np.ndarray:
    if draws[0].sizes[CHAIN] < 2 or draws[0].sizes[DRAW] < LEAST_DRAWS:
        return np.full(len(draws), np.nan)
    stacked = np.stack([d.transpose(CHAIN, DRAW).values for d in draws])
    return np.array([float(az.rhat(values)) for values in stacked])


def _draw_ranks(ax: Axes, values: xr.DataArray, title: str, count: int) -> None:
    if values.sizes[CHAIN] < 2:
        say_instead(ax, "ranks compare chains:\nthis fit has one")
        return
    tree = chains_of(values)
    panel = on_axes(ax, tree["posterior"].to_dataset(), [CHAIN])
    az.plot_rank(
        tree,
        # The quantity is the worst of many.
        envelope_prob=1 - ALPHA / count,
        plot_collection=panel,
        visuals={"title": False, "xlabel": False, "remove_axis": False},
    )
    for text in ax.texts:
        p = text.get_text().partition("(")[0].replace("=", " = ")
        text.set(text=f"{p} (limit {ALPHA:g}/{count})", fontsize=SMALL)
    _thin_lines(ax, 1.2)
    tidy(ax, title=title, xlabel="fractional rank", grid="y")
    ax.set_ylabel("ECDF minus uniform", fontsize=SMALL)


def _draw_trace(
    ax: Axes, values: xr.DataArray, stats: xr.Dataset | None, title: str, xlabel: str
) -> None:
    tree = chains_of(values, stats)
    panel = on_axes(ax, tree["posterior"].to_dataset(), [CHAIN])
    unwanted = {"title": False, "xlabel": False, "ticklabels": False}
    az.plot_trace(tree, plot_collection=panel, visuals=unwanted)
    _thin_lines(ax, 0.5)
    for line in ax.lines:
        line.set_linestyle("-")
    tidy(ax, title=title, xlabel=xlabel)
    ax.set_ylabel(textwrap.fill(str(values.attrs.get("units", "")), 20), fontsize=SMALL)


def _draw_energy(ax: Axes, stats: xr.Dataset | None) -> None:
    if stats is None or "energy" not in stats:
        say_instead(ax, "no energy: the draws of this fit\nare independent")
        return
    empty = xr.Dataset({"Energy": ("energy", np.zeros(2))}, {"energy": ["marginal", "transition"]})
    az.plot_energy(
        xr.DataTree.from_dict({"sample_stats": stats}),
        show_bfmi=False,
        plot_collection=on_axes(ax, empty, ["energy"]),
        visuals={"title": False, "legend": False, "remove_axis": False, "face": False},
    )
    bfmi = np.ravel(az.bfmi(stats["energy"].transpose(CHAIN, DRAW).values))
    tidy(ax, title=f"Energy (BFMI at least {bfmi.min():.2f})", xlabel="energy minus mean (nats)")
    ax.set_ylabel("density", fontsize=SMALL)
    ax.set_ylim(top=1.3 * ax.get_ylim()[1])
    ax.legend(
        handles=[
            Line2D([], [], color=PALETTE[i], linestyle=LINES[i], label=name)
            for i, name in enumerate(("energy", "its changes"))
        ],
        loc="upper left",
        ncols=2,
        frameon=False,
        fontsize=SMALL,
    )


def _draw_rhat(ax: Axes, draws: list[xr.DataArray], limit: float) -> None:
    if draws[0].sizes[CHAIN] < 2 or draws[0].sizes[DRAW] < LEAST_DRAWS:
        say_instead(ax, "R-hat needs two chains\nof four draws")
        return
    stacked = xr.concat(draws, dim="quantity")
    tree = chains_of(stacked)
    az.plot_convergence_dist(
        tree,
        diagnostics=["rhat"],
        ref_line=False,
        plot_collection=on_axes(ax, tree["posterior"].to_dataset()),
        visuals={"title": False, "dist": {"color": PALETTE[0]}},
    )
    ax.axvline(limit, color="0.3", linestyle="--", linewidth=1.2)
    tidy(ax, title=f"R-hat of all {len(draws)} invariants", xlabel="R-hat", grid="y")
    ax.set_ylabel("share of invariants", fontsize=SMALL)
    ax.ticklabel_format(axis="x", useOffset=False)


def _mark_chains(names: list[str]) -> list[Line2D]:
    return [
        Line2D([], [], color=PALETTE[i % len(PALETTE)], linestyle=LINES[i % len(LINES)],
               label=f"chain {name}" if i == 0 else name)
        for i, name in enumerate(names)
    ]  # fmt: skip


def _thin_lines(ax: Axes, width: float) -> None:
    for line in ax.lines:
        line.set_linewidth(width)
