"""The figures of a fit of the factor model, for files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from bayes_mdd.dims import FACTOR, SYMPTOM
from bayes_mdd.results.drawings import BOTH_INTERVALS, NINETY_INTERVAL, Drawing
from bayes_mdd.results.figures.circle import plot_circle
from bayes_mdd.results.figures.connectome import plot_connectome
from bayes_mdd.results.figures.regions import plot_regions
from bayes_mdd.results.figures.top_edges import plot_top_edges
from bayes_mdd.results.names import read_names
from bayes_mdd.results.regions import is_edges
from bayes_mdd.results.result import Result
from bayes_mdd.results.used import used_factors
from bayes_mdd.shared_specific.figures.blocks import plot_explained_blocks
from bayes_mdd.shared_specific.figures.change import plot_change_maps
from bayes_mdd.shared_specific.figures.convergence import plot_convergence
from bayes_mdd.shared_specific.figures.factors import plot_explained, plot_sharing
from bayes_mdd.shared_specific.figures.score_symptom import plot_score_symptom
from bayes_mdd.shared_specific.figures.scores import plot_scores
from bayes_mdd.shared_specific.figures.symptoms import plot_symptom_links
from bayes_mdd.shared_specific.figures.variance import plot_variance
from bayes_mdd.shared_specific.tables.change import CHANGE


def list_figures(
    result: Result, table: pd.DataFrame, sig: xr.Dataset, with_participants: bool
) -> list[Drawing]:
    """List the figures that a fit of the factor model supports.

    Parameters
    ----------
    result : Result
        A fit.
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
    used = used_factors(table)
    if used.empty:
        return []
    names = dict(zip(used["factor"], read_names(used), strict=True))
    shown = [str(f) for f in sig[FACTOR].values]
    return [
        *_of_all(result, table, with_participants),
        *(d for f in shown for d in _of_one(result, table, sig, f, names[f], with_participants)),
    ]


def _of_all(result: Result, table: pd.DataFrame, with_participants: bool) -> Iterator[Drawing]:
    if len(result.arms) > 1:
        yield Drawing(
            name="sharing", caption="How the arms share the variance of each factor.",
            draw=partial(plot_sharing, result, factors=table), interval=BOTH_INTERVALS,
        )  # fmt: skip
    yield Drawing(
        name="explained", caption="Share of each arm's variance that each factor explains.",
        draw=partial(plot_explained, result, factors=table), interval=BOTH_INTERVALS,
    )  # fmt: skip
    yield Drawing(
        name="variance", caption="Variance explained by factor and arm.",
        draw=partial(plot_variance, result, factors=table), interval=NINETY_INTERVAL,
    )  # fmt: skip
    yield Drawing(
        name="blocks", caption="Variance that each factor explains in each pair of networks.",
        draw=partial(plot_explained_blocks, result, table),
    )  # fmt: skip
    yield Drawing(
        name="scores",
        caption=f"Scores by arm, {'one mark per participant' if with_participants else 'boxes'}.",
        draw=partial(plot_scores, result, factors=table, points=with_participants),
        interval=NINETY_INTERVAL,
    )
    for variable, name, by_arm in (
        ("symptom_weight", "symptoms", False),
        ("symptom_weight_by_arm", "symptoms_by-arm", True),
    ):
        if result.holds("posterior", variable):
            yield Drawing(
                name=name,
                caption="Weight of each factor in each symptom" + (", by arm." if by_arm else "."),
                draw=partial(plot_symptom_links, result, factors=table, by_arm=by_arm),
                interval=BOTH_INTERVALS,
            )  # fmt: skip
    yield Drawing(
        name="convergence", caption="Ranks, traces and energy of the chains.",
        draw=partial(plot_convergence, result),
    )  # fmt: skip


def _of_one(
    result: Result,
    table: pd.DataFrame,
    sig: xr.Dataset,
    factor: str,
    name: str,
    with_participants: bool,
) -> Iterator[Drawing]:
    start = f"factor-{factor}"
    what = "edges" if is_edges(sig) else "regions"
    own = f"{float(sig.attrs['ci_prob']):.0%}, equal-tailed"
    maps: tuple[tuple[str, str, Callable[..., Figure], str], ...] = (
        ("connectome", f"The strongest {what} whose interval excludes 0.", plot_connectome, own),
        ("top", f"The strongest {what} by name.", plot_top_edges, own),
        ("circle", "The strongest edges between regions, by network.", plot_circle, own),
        ("regions", "How much each region takes part.", plot_regions, ""),
    )
    for short, caption, draw, interval in maps:
        if short != "circle" or is_edges(sig):
            yield Drawing(
                name=f"{start}_{short}", caption=f"{name}. {caption}",
                draw=partial(draw, sig, factor), interval=interval, factor=factor,
            )  # fmt: skip
    if result.estimand == CHANGE:
        yield Drawing(
            name=f"{start}_change",
            caption=f"{name}. Follow-up minus baseline by pair of networks and arm.",
            draw=partial(plot_change_maps, result, factor, factors=table),
            interval=NINETY_INTERVAL, factor=factor,
        )  # fmt: skip
    if not with_participants or not result.holds("posterior", "symptom_weight"):
        return
    for symptom in result.posterior[SYMPTOM].values.astype(str):
        yield Drawing(
            name=f"{start}_symptom-{symptom}",
            caption=f"{name}. Rating of {symptom} against the score, one mark per participant.",
            draw=partial(plot_score_symptom, result, factor, symptom, factors=table),
            interval=NINETY_INTERVAL, factor=factor,
        )  # fmt: skip
