"""One call of every public figure, on small inputs. A new figure adds a line to `CASES`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import made_response_figures as made
import numpy as np
import xarray as xr
from fakes import make_fake_idata, with_ratings
from made_arviz import with_groups
from made_summaries import make_summary
from matplotlib.figure import Figure

import bayes_mdd as bm
from bayes_mdd import plotting

ARMS = ("SSRI", "SNRI")
STAGES = ("before", "after")


@dataclass(frozen=True)
class Case:
    """A call of the function `name`.

    `draw` takes what the function takes to draw on, ``ax=`` or ``axes=``, and passes it on.
    `arms` are names that the legend must tell apart in greyscale; none where rows, panels or
    words name the arms.
    """

    name: str
    draw: Callable[..., Figure]
    arms: tuple[str, ...] = ()
    variant: str = ""

    @property
    def id(self) -> str:
        return f"{self.name}-{self.variant}" if self.variant else self.name


@cache
def fit(**options: Any) -> xr.DataTree:
    """A fit of the factor model, without a fit."""
    return make_fake_idata(**options)


@cache
def rated() -> xr.DataTree:
    """The fit of `fit` with raw ratings."""
    return with_ratings(fit())


@cache
def sig(**options: Any) -> xr.Dataset:
    return bm.signatures(fit(**options))


@cache
def cohorts() -> dict[str, xr.DataTree]:
    """Two cohorts with the same factors but one."""
    other = fit().copy(deep=True)
    maps = other["loadings"].to_dataset()
    maps["mean"][2] = maps["mean"][2].values[::-1]
    other["loadings"] = maps
    return {"Lyon": fit(), "Utrecht": other}


@cache
def combined() -> xr.DataTree:
    """Two cohorts combined, one of which lacks a factor."""
    return bm.combine_cohorts({"Lyon": make_summary(1), "Utrecht": make_summary(2, has=(0, 1))})


@cache
def change(**options: Any) -> xr.DataTree:
    tree = fit(**options).copy()
    tree.attrs["estimand"] = "change"
    return tree


@cache
def quality() -> Any:
    """Quality of 40 patients and 20 controls, some of whom moved."""
    return bm.check_quality(bm.reference_to_controls(_moved()), before=_moved())


@cache
def _moved() -> xr.Dataset:
    cohort = bm.simulate_cohort(
        4, source="edges", n_regions=12, n_subjects={"SSRI": 20, "SNRI": 20}, n_controls=20
    )
    return cohort.features


@cache
def sites() -> tuple[xr.Dataset, xr.Dataset]:
    """Features of three sites, as measured and with each site's mean removed."""
    rng = np.random.default_rng(1)
    of = np.repeat(["Boston", "New York", "Utrecht"], 20)
    shift = rng.normal(0, 0.6, (3, 60))
    y = rng.normal(size=(60, 60)) + np.repeat(shift, 20, axis=0)
    before = xr.Dataset({"y": (("subject", "feature"), y)}, coords={"site": ("subject", of)})
    return before, before.assign(y=before["y"] - np.repeat(shift, 20, axis=0))


def two_sites() -> tuple[xr.Dataset, ...]:
    keep = sites()[0]["site"].values != "Utrecht"
    return tuple(one.isel(subject=keep) for one in sites())


#: One line for every figure, or for every way in which it looks different.
CASES: tuple[Case, ...] = (
    Case("plot_sharing", lambda **on: plotting.plot_sharing(fit(), **on)),
    Case(
        "plot_sharing",
        lambda **on: plotting.plot_sharing(fit(arms=("A", "B", "C")), **on),
        variant="three arms",
    ),
    Case("plot_explained", lambda **on: plotting.plot_explained(fit(), **on), ARMS),
    Case("plot_symptom_links", lambda **on: plotting.plot_symptom_links(fit(), **on)),
    Case(
        "plot_symptom_links",
        lambda **on: plotting.plot_symptom_links(fit(links="by_arm"), by_arm=True, **on),
        ARMS,
        "by arm",
    ),
    Case("plot_scores", lambda **on: plotting.plot_scores(fit(), **on)),
    Case(
        "plot_scores",
        lambda **on: plotting.plot_scores(
            fit(arms=("SSRI", "SNRI", "bupropion")), factors=["F1"], points=False, **on
        ),
        variant="three arms",
    ),
    Case(
        "plot_score_symptom",
        lambda **on: plotting.plot_score_symptom(rated(), "F1", "retardation", **on),
        ARMS,
    ),
    Case("plot_variance", lambda **on: plotting.plot_variance(fit(), **on)),
    Case("plot_top_edges", lambda **on: plotting.plot_top_edges(sig(), "F1", **on)),
    Case("plot_circle", lambda **on: plotting.plot_circle(sig(), "F1", **on)),
    Case(
        "plot_circle",
        lambda **on: plotting.plot_circle(sig(), "F1", by="network", **on),
        variant="networks",
    ),
    Case("plot_block_map", lambda **on: plotting.plot_block_map(fit(), **on)),
    Case(
        "plot_block_map",
        lambda **on: plotting.plot_block_map(sig(), factors=["F1"], **on),
        variant="signatures",
    ),
    Case(
        "plot_block_map",
        lambda **on: plotting.plot_block_map(fit(regional=True), **on),
        variant="regions",
    ),
    Case("plot_connectome", lambda **on: plotting.plot_connectome(sig(), "F1", **on)),
    Case(
        "plot_connectome",
        lambda **on: plotting.plot_connectome(sig(coordinates=False), "F1", **on),
        variant="matrix",
    ),
    Case(
        "plot_connectome",
        lambda **on: plotting.plot_connectome(sig(regional=True), "F3", **on),
        variant="regions",
    ),
    Case(
        "plot_connectome",
        lambda **on: plotting.plot_connectome(sig(regional=True, coordinates=False), "F3", **on),
        variant="forest",
    ),
    Case("plot_regions", lambda **on: plotting.plot_regions(sig(), "F1", **on)),
    Case(
        "plot_regions",
        lambda **on: plotting.plot_regions(sig(regional=True), "F1", **on),
        variant="regions",
    ),
    Case("plot_quality", lambda **on: plotting.plot_quality(quality(), **on), STAGES),
    Case("plot_site_effects", lambda **on: plotting.plot_site_effects(*sites(), **on), STAGES),
    Case(
        "plot_site_effects",
        lambda **on: plotting.plot_site_effects(*two_sites(), **on),
        STAGES,
        "two sites",
    ),
    Case("plot_gain_curve", lambda **on: plotting.plot_gain_curve(made.CURVE, n=48, **on)),
    Case("plot_priorities", lambda **on: plotting.plot_priorities(made.toc(), **on)),
    Case(
        "plot_benefit_calibration",
        lambda **on: plotting.plot_benefit_calibration(made.GROUPS, **on),
    ),
    Case("plot_benefits", lambda **on: plotting.plot_benefits(made.benefits(), **on)),
    Case("plot_icons", lambda **on: plotting.plot_icons(made.COUNTS, **on)),
    Case("plot_crossover", lambda **on: plotting.plot_crossover(made.response(), **on), ARMS),
    Case(
        "plot_response_factors", lambda **on: plotting.plot_response_factors(made.response(), **on)
    ),
    Case(
        "plot_tipping",
        lambda **on: plotting.plot_tipping(made.missing(), **on),
        ("both arms", *ARMS),
    ),
    Case("plot_power", lambda **on: plotting.plot_power(made.power(), trial=(0.6, 24), **on)),
    Case("plot_baselines", lambda **on: plotting.plot_baselines(*made.baselines(), **on)),
    Case("plot_compositions", lambda **on: plotting.plot_compositions(made.polar(), **on)),
    Case(
        "plot_compositions",
        lambda **on: plotting.plot_compositions(made.polar(n_factors=4), **on),
        variant="four factors",
    ),
    Case("plot_cohorts", lambda **on: plotting.plot_cohorts(cohorts(), **on), ARMS),
    Case(
        "plot_cohorts",
        lambda **on: plotting.plot_cohorts(cohorts(), show="sharing", **on),
        variant="sharing",
    ),
    Case("plot_combined", lambda **on: plotting.plot_combined(combined(), **on), ARMS),
    Case(
        "plot_combined",
        lambda **on: plotting.plot_combined(combined(), show="sharing", **on),
        variant="sharing",
    ),
    Case("plot_change_maps", lambda **on: plotting.plot_change_maps(change(), "F1", **on), ARMS),
    Case(
        "plot_change_maps",
        lambda **on: plotting.plot_change_maps(change(regional=True), "F1", **on),
        ARMS,
        variant="regions",
    ),
    Case("plot_null", lambda **on: plotting.plot_null(made.polar(), **on)),
    Case("plot_convergence", lambda **on: plotting.plot_convergence(with_groups(), **on)),
    Case("plot_prior_posterior", lambda **on: plotting.plot_prior_posterior(with_groups(), **on)),
    Case("plot_predictive", lambda **on: plotting.plot_predictive(with_groups(), **on), ARMS),
)

#: Functions that have no line yet: none may stay here.
PENDING: tuple[str, ...] = ()
