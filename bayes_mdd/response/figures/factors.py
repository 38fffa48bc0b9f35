"""Prognosis beside moderation of each factor."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_mdd.dims import CHAIN, DRAW, FACTOR, SUBJECT
from bayes_mdd.errors import DataContractError
from bayes_mdd.response.figures.frame import patients
from bayes_mdd.response.fit import MODERATION, PROGNOSIS
from bayes_mdd.response.scores import factor_names
from bayes_mdd.results.figures.style import (
    FADED,
    PALETTE,
    draw_intervals,
    name_rows,
    open_panels,
    say_intervals,
    tidy,
    write_caption,
)
from bayes_mdd.results.names import break_name


def plot_response_factors(response: xr.DataTree, *, axes: Sequence[Axes] | None = None) -> Figure:
    """Plot prognosis beside moderation of each factor.

    Parameters
    ----------
    response : DataTree
        From `fit_response`.
    axes : sequence of two Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        Posterior means with 50% and 90% equal-tailed intervals. Left: change of the outcome per SD
        of the score on either drug. Right: change of the difference between the drugs. Both have
        the same scale.

    Raises
    ------
    DataContractError
        If the fit has no factor.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> trial = bm.simulate_trial(seed=1, n=60)
    >>> spec = bm.ResponseSpec(outcome="hamd17", default_arm="SSRI", assignment="randomised")
    >>> fitted = bm.fit_response(spec, trial.scores, trial.outcomes, method="fast")
    >>> figure = plot_response_factors(fitted)
    """
    posterior = response["posterior"].to_dataset()
    names = [str(f) for f in posterior[FACTOR].values]
    if not names:
        raise DataContractError("plot_response_factors", ["the fit has no factor."])
    shown = factor_names(response)
    spec = json.loads(response.attrs["spec"])
    figure, panels = open_panels(axes, (1, 2), 7.8, 1.8 + 0.45 * len(names))
    titles = {
        PROGNOSIS: "Prognosis: outcome on either drug",
        MODERATION: f"Moderation: {response.attrs['other_arm']} minus {spec['default_arm']}",
    }
    points = spec["kind"] in ("gaussian", "student")
    unit = "points" if points else "latent SD"
    n = int(response["observed_data"].sizes[SUBJECT])
    for ax, (name, title) in zip(panels, titles.items(), strict=True):
        draws = posterior[name].transpose(CHAIN, DRAW, FACTOR).values
        draw_intervals(
            ax, draws.reshape(-1, len(names)), np.arange(len(names)), [PALETTE[0]] * len(names)
        )
        ax.axvline(0, color=FADED, linewidth=1, zorder=1)
        what = f"{unit} per SD of the score ({patients(n)})"
        tidy(ax, title=title, xlabel=what, grid="x")
        write_caption(ax, say_intervals((0.5, 0.9)))
        name_rows(ax, [break_name(shown[f]) for f in names])
    low, high = zip(*(ax.get_xlim() for ax in panels), strict=True)
    for ax in panels:
        ax.set_xlim(min(low), max(high))
    if axes is None:
        panels[1].set_yticklabels([])
    return figure
