"""Figure of site differences before and after harmonisation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from bayes_mdd.features.adjust.sites import site_of, site_variance
from bayes_mdd.results.figures.style import FADED, PALETTE, SMALL, name_rows, new_figure, tidy


def plot_site_effects(
    before: xr.Dataset, after: xr.Dataset | None = None, *, covariates: Sequence[str] = ()
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

    Returns
    -------
    matplotlib.figure.Figure
        Left, the distribution over features of the share of variance explained by site; right,
        how far each site lies from the mean of all, in SD (root mean square over features).

    Raises
    ------
    DataContractError
        If sites or covariates are absent or missing for a subject.
    """
    stages = {"before": before} | ({} if after is None else {"after": after})
    colours = dict(zip(stages, (FADED, PALETTE[0]), strict=False))
    sites = np.unique(site_of(before)).tolist()
    figure = new_figure(8.6, max(2.8, 1.6 + 0.4 * len(sites)))
    left, right = figure.subplots(1, 2)
    shares = {stage: site_variance(one, covariates) for stage, one in stages.items()}
    top = max(float(np.nanmax(s)) for s, _, _ in shares.values())
    bins = np.linspace(0, max(top, 1e-6), 41)
    for stage, (share, _, _) in shares.items():
        known = share[np.isfinite(share)]
        left.hist(
            known,
            bins,
            weights=np.full(len(known), 1 / len(known)),
            histtype="stepfilled" if stage == "before" else "step",
            color=colours[stage],
            alpha=0.5 if stage == "before" else 1.0,
            linewidth=1.6,
            label=f"{stage} (median {np.median(known):.3f})",
        )
    left.axvline(shares["before"][2], color=FADED, linestyle=":", linewidth=1)
    left.set_yticks([])
    left.spines["left"].set_visible(False)
    left.legend(fontsize=SMALL, frameon=False)
    tidy(left, title="Variance that goes with site", xlabel="share (dotted: by chance)")
    for stage, one in stages.items():
        right.scatter(
            _distances(one, sites), range(len(sites)), s=40, color=colours[stage], label=stage
        )
    right.set_xlim(left=0)
    tidy(right, title="Distance of each site", xlabel="SD", grid="x")
    name_rows(right, sites)
    return figure


def _distances(features: xr.Dataset, sites: Sequence[str]) -> list[float]:
    y, site = features["y"].values.astype(float), site_of(features)
    means = np.stack([y[site == s].mean(axis=0) for s in sites])
    inner = y - means[np.searchsorted(sites, site)]
    sd = np.sqrt((inner**2).mean(axis=0))
    sd = np.where(sd > 0, sd, np.nan)
    far = np.sqrt(np.nanmean(((means - means.mean(axis=0)) / sd) ** 2, axis=1))
    return [float(v) for v in far]
