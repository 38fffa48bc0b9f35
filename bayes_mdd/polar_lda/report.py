"""What the page about a polar LDA shows: the fit, and beside it what it hides."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import pandas as pd
import xarray as xr

from bayes_mdd import __version__, plotting
from bayes_mdd.dims import BLOCK, FACTOR
from bayes_mdd.polar_lda.table import looks_like_noise
from bayes_mdd.results.figures.style import QUIET
from bayes_mdd.results.maps import signatures
from bayes_mdd.results.reading import read_group, read_note
from bayes_mdd.shared_specific.report.content import describe_cohort, judge_check
from bayes_mdd.shared_specific.report.methods import list_provenance

REFERENCES: Final = (
    "Blei DM, Ng AY, Jordan MI (2003). Latent Dirichlet allocation. Journal of Machine Learning "
    "Research 3, 993-1022.",
    "Tang S et al. (2020). Reconciling dimensional and categorical models of autism heterogeneity: "
    "a brain connectomics and behavioral study. Biological Psychiatry 87, 1071-1082.",
    "Benjamini Y, Hochberg Y (1995). Controlling the false discovery rate. Journal of the Royal "
    "Statistical Society B 57, 289-300.",
)
TEMPLATE = "polar_lda.html.j2"


def gather_polar_lda(
    idata: xr.DataTree, checks: pd.DataFrame, table: pd.DataFrame, title: str, top_edges: int
) -> dict[str, Any]:
    """Gather everything the template shows.

    Parameters
    ----------
    idata : DataTree
        A polar LDA.
    checks, table : DataFrame
        What `diagnose` and `classify_factors` returned.
    title : str
        Heading of the page.
    top_edges : int
        Edges in each connectome picture.

    Returns
    -------
    dict
        For the template.
    """
    cohort = describe_cohort(idata)
    arms = list(cohort.by_arm)
    noise = looks_like_noise(idata)
    return {
        "title": title,
        "version": __version__,
        "written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cohort": cohort,
        "noise": noise,
        "checks": [
            {**dict(row), "state": judge_check(row["passed"])} for _, row in checks.iterrows()
        ],
        "findings": _findings(idata, checks, table, noise),
        "arms": arms,
        "factors": [_factor_row(row, arms) for _, row in table.iterrows()],
        "sensitivity": _sensitivity(idata),
        "overlap": _overlap(idata),
        "pictures": _draw(idata, table, top_edges),
        "methods": _methods(idata),
        "references": REFERENCES,
        "limits": _limits(idata),
        "provenance": list_provenance(idata),
    }


def _findings(
    idata: xr.DataTree, checks: pd.DataFrame, table: pd.DataFrame, noise: bool
) -> list[str]:
    null = read_group(idata, "null")
    n = int(null.attrs["n_null"])
    ordinary = float(null["extreme"].values[1:].mean())
    if noise:
        return [
            "This fit looks like noise. Edges permuted over people, in which there is nothing to "
            f"find, are described by {len(table)} factors as well as the observed ones "
            f"(p = {float(null.attrs['p_value']):.2g} over {n} permutations). No factor, subtype "
            "or map below is evidence of anything.",
            f"In the permuted data {ordinary:.0%} of people are more than 0.9 in one factor: such "
            "apparent subtypes come from the model, not from the brain.",
        ]
    failed = [str(c) for c in checks.loc[checks["passed"].eq(False), "name"]]
    said = [f"Checks that failed: {', '.join(failed)}." if failed else "No check failed."]
    said.append(
        "Edges go together over people more than chance allows "
        f"(p = {float(null.attrs['p_value']):.2g}, {n} permutations). That alone does not say that "
        f"there are subtypes: in permuted data too, {ordinary:.0%} of people are more than 0.9 in "
        "one factor."
    )
    clear = table[~table["label"].isin([*QUIET, "undecided"])]
    said += [f"{r['factor']}: {r['label']}. {r['verdict']}" for _, r in clear.iterrows()]
    if clear.empty:
        said.append("No factor can be said to be expressed more in one arm, or alike in all.")
    return said


def _factor_row(row: pd.Series[Any], arms: list[str]) -> dict[str, Any]:
    chances = [f"{row[f'p_more_{a}']:.2f}" for a in arms] if "p_alike" in row else []
    return {
        "factor": row["factor"],
        "label": row["label"],
        "quiet": row["label"] in QUIET,
        "chances": chances,
        "alike": f"{row['p_alike']:.2f}" if "p_alike" in row else "n/a",
        "expressed": [
            f"{row[f'expressed_{a}']:.2f} [{row[f'expressed_{a}_lower']:.2f}, "
            f"{row[f'expressed_{a}_upper']:.2f}]"
            for a in arms
        ],
        "networks": row["networks"],
        "reproducible": "yes" if row["reproducible"] else "no",
        "verdict": row["verdict"],
    }


def _sensitivity(idata: xr.DataTree) -> list[list[str]]:
    table = read_group(idata, "sensitivity").to_dataframe()
    return [[f"{scale:g}", *(f"{row[c]:.3g}" for c in _COLUMNS)] for scale, row in table.iterrows()]


_COLUMNS = ("nominal_sd", "composition_correlation", "map_correlation", "largest_change")


def _overlap(idata: xr.DataTree) -> dict[str, Any]:
    """How many blocks each rule calls shared or unique, and where they disagree."""
    blocks = read_group(idata, "blocks")
    joint = {
        "unique": int(blocks["joint_unique"].sum()),
        "shared": int(blocks["joint_shared"].sum()),
    }
    if "rule_unique" not in blocks:
        return {"n": blocks.sizes[BLOCK], "joint": joint, "rule": None, "unsupported": 0}
    called = blocks["rule_unique"]
    return {
        "n": blocks.sizes[BLOCK],
        "joint": joint,
        "rule": {
            "unique": int(called.any(FACTOR).sum()),
            "conjunction": int(blocks["rule_conjunction"].sum()),
            "all": int(blocks["rule_all"].sum()),
        },
        "unsupported": int((called & (blocks["p_unique"] < 0.5)).any(FACTOR).sum()),
    }


def _draw(idata: xr.DataTree, table: pd.DataFrame, top_edges: int) -> dict[str, Any]:
    from bayes_mdd.workflow.report import embed

    sig = signatures(idata, factors=table)
    told = table.loc[~table["label"].isin(QUIET), "factor"].tolist()
    found: dict[str, Any] = {
        "null": embed(plotting.plot_null(idata), "Null", "gain of the fit and of permuted edges"),
        "compositions": embed(
            plotting.plot_compositions(idata), "Compositions", "composition of people by arm"
        ),
        "maps": [],
    }
    if told:
        figure = plotting.plot_block_map(sig, factors=told)
        found["maps"].append(embed(figure, "Blocks", "maps by pair of networks"))
    for name in told:
        figure = plotting.plot_connectome(sig, name, top=top_edges)
        found["maps"].append(embed(figure, name, f"strongest edges of factor {name}"))
    return found


def _methods(idata: xr.DataTree) -> str:
    spec = read_note(idata, "spec")
    restarts = read_group(idata, "restarts")
    draws = read_group(idata, "posterior").attrs.get("draws_are", "")
    chosen = "bound" if spec["choose_by"] == "elbo" else "agreement with the others"
    text = (
        f"Deviations from the reference ({idata.attrs.get('reference')}) were turned into signed "
        f"counts, {spec['scale']:g} a SD ({spec['rounding']} rounding), and described by latent "
        f"Dirichlet allocation [1] over hyper- and hypo-connected edges [2] with "
        f"{spec['n_factors']} factors: variational EM from {restarts.sizes['restart']} random "
        f"starts, reported is the one with the highest {chosen}. The same model was fitted to "
        f"{spec['n_null']} data sets with edges permuted over people. "
    )
    if spec["method"] == "full_bayes":
        sampler = read_note(idata, "sampler")
        return text + (
            "Compositions, arms and maps come from a Dirichlet-multinomial model of signed network "
            "blocks with a learned token worth and a hierarchical prior of compositions by arm, "
            f"sampled by {sampler.get('chains')} chains of {sampler.get('draws')} draws."
        )
    return text + f"Intervals and probabilities are shares of draws; here: {draws} [3 for FDR]."


def _limits(idata: xr.DataTree) -> list[str]:
    limits = [
        "The estimand is expression at one time point. A factor that one arm expresses more is no "
        "effect of a drug and predicts no response.",
        "Compositions say of what a person's deviations are made, not how large they are; their "
        "size (severity, head motion) decides how much a person weighs in the maps.",
        "Edges are taken as independent given the composition.",
        "'Significant in one factor and not in another' (the published rule for unique parts) is "
        "no test of a difference.",
        "Controls are taken as known; with few of them every standardised edge is uncertain.",
    ]
    if idata.attrs.get("method") != "full_bayes":
        limits.insert(
            0,
            "The bootstrap starts at the fitted model and resamples people only: it does not hold "
            "other solutions, nor the noise of a person's own edges. Use model.method full_bayes "
            "for intervals of compositions.",
        )
    return limits


__all__ = ["TEMPLATE", "gather_polar_lda"]
