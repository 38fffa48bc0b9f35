"""Figure of priors against posteriors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bayes_mdd.dims import ARM, CHAIN, DRAW, FACTOR, SYMPTOM
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.files.layout import spaced
from bayes_mdd.results.figures.arviz_panels import LINES, VALUE, on_axes
from bayes_mdd.results.figures.people import count_people
from bayes_mdd.results.figures.style import (
    PALETTE,
    SMALL,
    open_panels,
    put_legend_above,
    tidy,
    write_caption,
)
from bayes_mdd.results.names import break_name, read_names
from bayes_mdd.results.result import Result, read_with_participants
from bayes_mdd.results.used import used_factors
from bayes_mdd.shared_specific.checks.arviz_groups import add_arviz_groups
from bayes_mdd.shared_specific.schema import (
    ARM_MEAN,
    EXPLAINED,
    PRIOR,
    SHARING,
    SYMPTOM_WEIGHT,
)
from bayes_mdd.shared_specific.tables.factors import tabulate_factors

#: Variables that can be shown, in the order of columns: title and unit.
COLUMNS: Final = {
    SHARING: ("Share of {}", "share of variance"),
    EXPLAINED: ("{}: explained", "share of variance"),
    ARM_MEAN: ("{}: mean", "SD of scores"),
    SYMPTOM_WEIGHT: ("{}", "weight per SD"),
}
ROUNDING: Final = 1e-9
#: Shown by default, and what takes the place of weights in a fit without symptoms.
DEFAULT: Final = (SHARING, SYMPTOM_WEIGHT)
WITHOUT_SYMPTOMS: Final = (SHARING, EXPLAINED)


def plot_prior_posterior(
    idata: xr.DataTree | Result,
    var_names: Sequence[str] | None = None,
    *,
    kind: Literal["ecdf", "kde"] = "ecdf",
    factors: pd.DataFrame | None = None,
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Plot what the data changed: priors against posteriors, by `arviz.plot_dist`.

    Parameters
    ----------
    idata : xarray.DataTree
        What `fit` or `read_run` returned, or `add_arviz_groups` with ``prior``. Where there is no
        group ``prior``, 2000 draws are taken from the priors.
    var_names : sequence of str, optional
        Of ``"sharing"``, ``"explained"``, ``"arm_mean"`` and ``"symptom_weight"``. Default: the
        share of variance and the weights in symptoms; without symptoms the variance explained.
        ``explained`` has no prior where edges were whitened, because it refers to edges and the
        priors to whitened features.
    kind : {"ecdf", "kde"}, default "ecdf"
        Cumulative probabilities or densities. Priors of weights and posteriors of shares can have
        narrow peaks, beside which a density shows nothing else.
    factors : pandas.DataFrame, optional
        What `classify_factors` returned; computed with its defaults when absent.
    axes : sequence of Axes, optional
        Where to draw, row by row: one row for each factor, one column for each quantity. Default: a
        new figure.

    Returns
    -------
    matplotlib.figure.Figure
        Of the two shares of two arms, which sum to 1, one is shown. A posterior like the prior
        means that the data say little about the quantity; a posterior far out in the tail of the
        prior, that prior and data disagree. Unused factors are left out.

    Raises
    ------
    DataContractError
        If every factor is unused, or a variable is not in the fit, does not vary (sharing with one
        arm) or has no prior.
    SpecError
        If `var_names` holds another name, or there are not as many axes as panels.

    Notes
    -----
    Factors are ordered by the variance that they explain and the priors do not know this order, so
    all factors have the same prior. Posteriors of a fast fit are approximate.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> idata = bm.read_run("runs/demo")  # doctest: +SKIP
    >>> figure = bm.plotting.plot_prior_posterior(idata, ["sharing"])  # doctest: +SKIP
    """
    result = read_with_participants(idata, "draws of the prior")
    table = used_factors(tabulate_factors(result) if factors is None else factors)
    if table.empty:
        raise DataContractError("plot_prior_posterior", ["every factor is unused."])
    prior = _prior_of(result)
    columns = _columns(_choose(var_names, result.posterior, prior), result.posterior)
    rows = len(table)
    figure, panels = open_panels(axes, (rows, len(columns)), 7.0, 1.5 + 0.95 * rows, sharex="col")
    chosen_factors = {FACTOR: table["factor"].to_list()}
    limits = [
        _limits(name, [x[name].sel({**chosen_factors, **at}) for x in (result.posterior, prior)])
        for name, at, _, _ in columns
    ]
    names = [break_name(n) for n in read_names(table)]
    for r, factor in enumerate(table["factor"]):
        for c, (variable, at, title, unit) in enumerate(columns):
            ax = panels[r * len(columns) + c]
            chosen = {FACTOR: str(factor), **at}
            sides = (result.posterior[variable].sel(chosen), prior[variable].sel(chosen))
            _draw(ax, *sides, kind)
            last = r == rows - 1
            tidy(ax, title=title if r == 0 else "", xlabel=unit if last else "")
            ax.set_xlim(*limits[c])
            ax.set_yticks([0, 0.5, 1] if kind == "ecdf" and c == 0 else [])
            if variable not in (SHARING, EXPLAINED):
                ax.axvline(0, color="0.75", linewidth=0.8, zorder=0)
            if c == 0:
                words = names[r].replace(", ", ",\n")
                ax.set_ylabel(words, fontsize=SMALL, rotation=0, ha="right", va="center")
    put_legend_above(
        panels[0],
        [
            Line2D([], [], color=PALETTE[i], linestyle=LINES[i], label=name)
            for i, name in enumerate(("posterior", "prior"))
        ],
    )
    people = count_people(result)
    how = "cumulative probability" if kind == "ecdf" else "densities, each scaled to its panel,"
    write_caption(
        panels[(rows - 1) * len(columns)],
        f"{f'{people}; ' if people else ''}{how} of draws"
        + ("; fast fit: approximate" if result.approximate else "")
        + ".",
        across=len(columns),
    )
    return figure


def _prior_of(result: Result) -> xr.Dataset:
    """Draws from the priors: those of the tree, or new ones."""
    tree = result.tree
    if PRIOR not in tree.children:
        tree = add_arviz_groups(tree, groups=[PRIOR])
    return tree[PRIOR].to_dataset()


def _choose(var_names: Sequence[str] | None, posterior: xr.Dataset, prior: xr.Dataset) -> list[str]:
    """Check the names, or take those that have a prior."""
    if var_names is None:
        weights = not _reason(SYMPTOM_WEIGHT, posterior, prior)
        default = DEFAULT if weights else WITHOUT_SYMPTOMS
        names = [n for n in default if not _reason(n, posterior, prior)]
        if not names:
            raise DataContractError(
                "plot_prior_posterior", [_reason(n, posterior, prior) for n in WITHOUT_SYMPTOMS]
            )
        return names
    names = [var_names] if isinstance(var_names, str) else list(var_names)
    unknown = [n for n in names if n not in COLUMNS]
    if unknown or not names:
        said = some(unknown) if unknown else "no name"
        raise SpecError(f"var_names: {said} cannot be shown; there are {some(COLUMNS)}.")
    reasons = [said for n in names if (said := _reason(n, posterior, prior))]
    if reasons:
        raise DataContractError("plot_prior_posterior", reasons)
    return names


def _varies(posterior: xr.Dataset, name: str) -> bool:
    values = posterior[name]
    # Shares of one arm are 1 up to rounding.
    return float(values.max()) - float(values.min()) > ROUNDING


def _reason(name: str, posterior: xr.Dataset, prior: xr.Dataset) -> str:
    """Why a variable cannot be shown; empty if it can."""
    if name not in posterior:
        return f"'{name}' is not in the posterior of this fit."
    if not _varies(posterior, name):
        return f"'{name}' does not vary: the fit has one arm, or a fixed pattern of sharing."
    if name in prior:
        return ""
    why = " because edges were whitened." if name == EXPLAINED else "."
    return f"'{name}' has no prior that can be drawn{why}"


def _columns(
    names: Sequence[str], posterior: xr.Dataset
) -> list[tuple[str, dict[str, str], str, str]]:
    """Columns of panels: variable, what to select, title and unit."""
    found = []
    for name in names:
        title, unit = COLUMNS[name]
        dim = SYMPTOM if name == SYMPTOM_WEIGHT else ARM
        levels = [str(v) for v in posterior[dim].values]
        if name == SHARING and len(levels) <= 2:
            levels = levels[-1:]
        found += [(name, {dim: level}, title.format(level), unit) for level in levels]
    return found


def _draw(
    ax: Axes, posterior: xr.DataArray, prior: xr.DataArray, kind: Literal["ecdf", "kde"]
) -> None:
    # `arviz.plot_prior_posterior` itself always adds a legend to the whole figure.
    flat = [values.transpose(CHAIN, DRAW).values.ravel() for values in (posterior, prior)]
    n = min(map(len, flat))
    both = xr.Dataset(
        {VALUE: (("group", "sample"), np.stack([x[spaced(len(x), n)] for x in flat]))},
        {"group": ["posterior", "prior"], "sample": np.arange(n)},
    )
    az.plot_dist(
        both,
        group=None,
        sample_dims=["sample"],
        kind=kind,
        plot_collection=on_axes(ax, both, ["group"]),
        visuals={
            "title": False,
            "remove_axis": False,
            "credible_interval": False,
            "point_estimate": False,
            "point_estimate_text": False,
        },
    )
    for line in ax.lines:
        line.set_linewidth(1.6)
    top = 1.0
    if kind == "kde":
        top = max(float(np.asarray(line.get_ydata(), dtype=float).max()) for line in ax.lines)
    ax.set_ylim(-0.02 * top, 1.05 * top)


def _limits(variable: str, draws: Sequence[xr.DataArray]) -> tuple[float, float | None]:
    """Range of a column of panels, the same for all factors."""
    if variable == SHARING:
        return -0.03, 1.03
    if variable == EXPLAINED:
        return 0.0, None
    # The tails of the prior are much longer than anything else.
    widest = max(
        float(np.quantile(np.abs(x.values), q)) for x, q in zip(draws, (0.995, 0.9), strict=True)
    )
    return -1.05 * widest, 1.05 * widest
