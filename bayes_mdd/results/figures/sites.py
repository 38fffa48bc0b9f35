"""Figure of site differences before and after harmonisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_mdd.features.adjust.sites import site_of, site_variance
from bayes_mdd.results.figures.style import (
    FADED,
    INK,
    PALETTE,
    TEXT,
    legend_mark,
    name_rows,
    open_panels,
    put_legend_above,
    tidy,
    write_caption,
)
from bayes_mdd.types import Array

#: Colour, marker and line of each stage, which differ without colour.
STAGES: Final = {"before": ("#6E6E6E", "o", "--"), "after": (PALETTE[0], "s", "-")}


def plot_site_effects(
    before: xr.Dataset,
    after: xr.Dataset | None = None,
    *,
    covariates: Sequence[str] = (),
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Plot the variance of features explained by site, before and after harmonisation.

    Parameters
    ----------
    before : xarray.Dataset
        A feature set with the coordinate ``site``.
    after : xarray.Dataset, optional
        The same features harmonised (`harmonize_sites`), or standardised.
    covariates : sequence of str
        Coordinates of the subjects to adjust for first.
    axes : sequence of two Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        Left, the distribution over features of the share of variance explained by site; right,
        how far the mean of each site lies from the mean of all sites, in SD of the participants
        within sites (root mean square over features), with the distance expected by chance. With
        two sites, which lie equally far from their mean, the distance between them.

    Raises
    ------
    DataContractError
        If sites or covariates are absent or missing for a subject.
    SpecError
        If there are not two axes.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> features = bm.read_features("data/demo")  # doctest: +SKIP
    >>> figure = bm.plotting.plot_site_effects(features)  # doctest: +SKIP
    """
    stages = {"before": before} | ({} if after is None else {"after": after})
    site = site_of(before)
    sites, counts = np.unique(site, return_counts=True)
    rows = 1 if len(sites) == 2 else len(sites)
    figure, (left, right) = open_panels(axes, (1, 2), 7.0, max(3.4, 2.3 + 0.36 * rows))
    _draw_shares(left, stages, covariates)
    _draw_distances(right, stages, sites.tolist(), counts.astype(float))
    adjusted = f", adjusted for {', '.join(covariates)}" if covariates else ""
    write_caption(
        left,
        f"{len(site)} participants, {len(sites)} sites, {before['y'].shape[1]} features{adjusted}. "
        "Left: dotted, mean share expected by chance. Right: SD of participants within sites, root "
        "mean square over features; bar: distance expected by chance.",
        across=2,
    )
    return figure


def _draw_shares(ax: Axes, stages: dict[str, xr.Dataset], covariates: Sequence[str]) -> None:
    shares = {stage: site_variance(one, covariates) for stage, one in stages.items()}
    known = {stage: s[np.isfinite(s)] for stage, (s, _, _) in shares.items()}
    top = max(float(s.max()) for s in known.values() if len(s))
    bins = np.linspace(0, 100 * max(top, 1e-6), 31)
    handles = []
    for stage, values in known.items():
        colour, _, line = STAGES[stage]
        counts, _ = np.histogram(100 * values, bins)
        ax.stairs(
            100 * counts / len(values), bins, color=colour, linewidth=1.6, linestyle=line, zorder=3
        )
        label = f"{stage}: median {100 * np.median(values):.1f}%"
        handles.append(legend_mark(label, colour, line=line, width=1.6))
    chance = 100 * shares["before"][2]
    ax.axvline(chance, color=FADED, linestyle=":", linewidth=1.4)
    ax.set_xlim(left=0)
    tidy(ax, title="Variance that goes with site", xlabel="% of a feature's variance", grid="y")
    ax.set_ylabel("% of features", fontsize=TEXT, color=INK)
    put_legend_above(ax, handles, columns=1)


def _draw_distances(
    ax: Axes, stages: dict[str, xr.Dataset], sites: list[str], counts: Array
) -> None:
    two = len(sites) == 2
    names = [f"{s} ({n:g})" for s, n in zip(sites, counts, strict=True)]
    rows = ["\nto ".join(names)] if two else names
    chance = np.sqrt([sum(1 / counts)]) if two else _expect(counts)
    ax.vlines(chance, np.arange(len(rows)) - 0.3, np.arange(len(rows)) + 0.3, color=INK, zorder=1)
    handles = []
    for stage, one in stages.items():
        colour, marker, _ = STAGES[stage]
        far = _distances(one, sites)
        far = 2 * far[:1] if two else far
        ax.scatter(far, range(len(rows)), s=42, color=colour, marker=marker, zorder=3)
        handles.append(legend_mark(stage, colour, marker=marker))
    ax.set_xlim(left=0, right=1.08 * ax.get_xlim()[1])
    title = "Distance between the sites" if two else "Distance of each site from all"
    tidy(ax, title=title, xlabel="distance of means, SD", grid="x")
    name_rows(ax, rows)
    put_legend_above(ax, handles)


def _expect(counts: Array) -> Array:
    """Distance of each site mean from the mean of site means by chance, in SD."""
    k = len(counts)
    return np.asarray(np.sqrt((1 - 2 / k) / counts + (1 / counts).sum() / k**2))


def _distances(features: xr.Dataset, sites: Sequence[str]) -> Array:
    y, site = features["y"].values.astype(float), site_of(features)
    means = np.stack([y[site == s].mean(axis=0) for s in sites])
    inner = y - means[np.searchsorted(sites, site)]
    sd = np.sqrt((inner**2).mean(axis=0))
    sd = np.where(sd > 0, sd, np.nan)
    return np.asarray(np.sqrt(np.nanmean(((means - means.mean(axis=0)) / sd) ** 2, axis=1)))
