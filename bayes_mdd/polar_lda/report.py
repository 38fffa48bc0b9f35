"""The report about a polar LDA: the fit, and its weaknesses next to it."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

from bayes_mdd.dims import BLOCK, FACTOR, MISSING
from bayes_mdd.polar_lda.figures import plot_compositions, plot_null
from bayes_mdd.polar_lda.table import looks_like_noise, spec_of
from bayes_mdd.results.checks import judge, say_verdict
from bayes_mdd.results.cohort_facts import (
    describe_cohort,
    list_provenance,
    list_roles,
    list_warnings,
    say_reference,
)
from bayes_mdd.results.covariates import describe_covariates
from bayes_mdd.results.figures.blocks import plot_map_blocks
from bayes_mdd.results.figures.connectome import plot_connectome
from bayes_mdd.results.maps import gather_maps
from bayes_mdd.results.page import (
    Column,
    PageOptions,
    Row,
    Table,
    check_row,
    embed,
    render_page,
)
from bayes_mdd.results.privacy import list_participants, withhold_content
from bayes_mdd.results.quality import judge_data
from bayes_mdd.results.result import Result
from bayes_mdd.results.rules import QUIET

REFERENCES: Final = (
    "Blei DM, Ng AY, Jordan MI (2003). Latent Dirichlet allocation. Journal of Machine Learning "
    "Research 3, 993-1022.",
    "Tang S et al. (2020). Reconciling dimensional and categorical models of autism heterogeneity: "
    "a brain connectomics and behavioral study. Biological Psychiatry 87, 1071-1082.",
    "Benjamini Y, Hochberg Y (1995). Controlling the false discovery rate. Journal of the Royal "
    "Statistical Society B 57, 289-300.",
)
TEMPLATE = "polar_lda.html.j2"
TITLE = "Patterns of hyper- and hypo-connection"


def build_page(
    result: Result, checks: pd.DataFrame, table: pd.DataFrame, options: PageOptions
) -> str:
    """Write the report about a polar LDA.

    Parameters
    ----------
    result : Result
        A polar LDA.
    checks, table : DataFrame
        What `diagnose` and `classify_factors` returned.
    options : PageOptions
        Heading and number of edges; the quality of features is not shown.

    Returns
    -------
    str
        HTML.
    """
    cohort = describe_cohort(result)
    arms = list(cohort.by_arm)
    noise = looks_like_noise(result)
    content = {
        "title": options.title or TITLE,
        "cohort": cohort,
        "noise": noise,
        "checks": [check_row(row) for _, row in checks.iterrows()],
        "warnings": list_warnings(result),
        "findings": [*say_reference(result), *_findings(result, checks, table, noise)],
        "roles": list_roles(result),
        "covariates": describe_covariates(result).to_dict("records"),
        "factors": _tabulate_factors(table, arms),
        "verdicts": [(row["name"], row["verdict"]) for _, row in table.iterrows()],
        "sensitivity": _sensitivity(result),
        "overlap": _overlap(result),
        "pictures": _draw(result, table, options.top_edges),
        "methods": _methods(result),
        "references": REFERENCES,
        "limits": _limits(result),
        "provenance": Table(
            "provenance",
            "Provenance",
            ("what", "value"),
            list_provenance(result, with_participants=options.with_participants),
            stack=True,
        ),
        "with_participants": options.with_participants,
        "failed": not judge(checks).passed,
    }
    if not options.with_participants:
        content = withhold_content(content, list_participants(result, options.quality))
    return render_page("bayes_mdd.polar_lda", TEMPLATE, content)


def _findings(result: Result, checks: pd.DataFrame, table: pd.DataFrame, noise: bool) -> list[str]:
    null = result.group("null")
    n = int(null.attrs["n_null"])
    ordinary = float(null["extreme"].values[1:].mean())
    of_data = [c.name for c in judge_data(result)]
    if noise:
        return [
            say_verdict(checks, of_data),
            "This fit is indistinguishable from noise. Edges permuted over participants, which "
            f"hold no pattern, are described by {len(table)} factors as well as the observed edges "
            f"(p = {float(null.attrs['p_value']):.2g}, {n} permutations). Do not interpret the "
            "factors, subtypes and maps below.",
            f"In the permuted data {ordinary:.0%} of participants are more than 0.9 in one factor: "
            "such apparent subtypes come from the model, not from the brain.",
        ]
    said = [say_verdict(checks, of_data)]
    said.append(
        "Edges covary over participants more than expected by chance "
        f"(p = {float(null.attrs['p_value']):.2g}, {n} permutations). This does not imply "
        f"subtypes: in permuted data, too, {ordinary:.0%} of participants are more than 0.9 in one "
        "factor."
    )
    clear = table[~table["label"].isin([*QUIET, "undecided"])]
    said += [f"{r['factor']}: {r['label']}. {r['verdict']}" for _, r in clear.iterrows()]
    if clear.empty:
        said.append("No factor is claimed to be expressed more in one arm, or alike in all.")
    return said


def _tabulate_factors(table: pd.DataFrame, arms: list[str]) -> Table:
    several = len(arms) > 1
    chances = [*(f"P({a} more)" for a in arms), "P(alike)"] if several else []
    columns: list[Column | str] = [
        *("factor", "label"),
        *(f"expressed, {a}" for a in arms),
        *(Column(c, numeric=True) for c in chances),
        *("largest blocks", "reproducible"),
    ]
    rows = [_factor_row(row, arms, several) for _, row in table.iterrows()]
    caption = "Mean composition of each arm (90% interval)" + (
        ", and the probability that an arm expresses the factor more" if several else ""
    )
    return Table("factors", caption, columns, rows)


def _factor_row(row: pd.Series[Any], arms: list[str], several: bool) -> Row:
    expressed = [
        f"{row[f'expressed_{a}']:.2f} [{row[f'expressed_{a}_lower']:.2f}, "
        f"{row[f'expressed_{a}_upper']:.2f}]"
        for a in arms
    ]
    names = [*(f"p_more_{a}" for a in arms), "p_alike"] if several else []
    chances = [f"{row[n]:.2f}" if n in row else MISSING for n in names]
    cells = [
        *(str(row["name"]), str(row["label"]), *expressed, *chances),
        *(str(row["networks"]), "yes" if row["reproducible"] else "no"),
    ]
    return Row(cells, "quiet" if row["label"] in QUIET else "")


def _sensitivity(result: Result) -> Table:
    table = result.group("sensitivity").to_dataframe()
    heads = ("tokens per SD", *_COLUMNS.values())
    return Table(
        "tokens",
        "Compositions and maps with other numbers of tokens, compared with those reported",
        [Column(h, numeric=True) for h in heads],
        [[f"{scale:g}", *(f"{row[c]:.3g}" for c in _COLUMNS)] for scale, row in table.iterrows()],
    )


_COLUMNS: Final = {
    "nominal_sd": "nominal SD of a composition",
    "composition_correlation": "correlation of compositions",
    "map_correlation": "correlation of maps",
    "largest_change": "largest change",
}


def _overlap(result: Result) -> dict[str, Any]:
    """How many blocks each rule calls shared or unique, and where they disagree."""
    blocks = result.group("blocks")
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


def _draw(result: Result, table: pd.DataFrame, top_edges: int) -> dict[str, Any]:
    sig = gather_maps(result, table)
    shown = table.loc[~table["label"].isin(QUIET), "factor"].tolist()
    names = table.set_index("factor")["name"]
    found: dict[str, Any] = {
        "null": embed(
            plot_null(result),
            "Fit against permuted edges",
            "Gain of the fit to the observed edges, and to edges permuted over participants",
        ),
        "compositions": embed(
            plot_compositions(result, points=False),
            "Compositions",
            "Mean composition of each arm",
        ),
        "maps": [],
    }
    if shown:
        figure = plot_map_blocks(sig, factors=shown)
        found["maps"].append(embed(figure, "Blocks", "Maps by pair of networks"))
    for name in shown:
        figure = plot_connectome(sig, name, top=top_edges)
        found["maps"].append(
            embed(figure, f"Map of {names[name]}", f"Strongest edges of factor {name}")
        )
    return found


def _methods(result: Result) -> str:
    spec, sampler = spec_of(result), result.sampler
    restarts = result.group("restarts")
    draws = result.group("posterior").attrs.get("draws_are", "")
    chosen = "bound" if spec.choose_by == "elbo" else "agreement with the others"
    text = (
        f"Deviations from the reference ({result.reference}) were turned into signed "
        f"counts, {spec.scale:g} per SD ({spec.rounding} rounding), and described by latent "
        f"Dirichlet allocation [1] over hyper- and hypo-connected edges [2] with "
        f"{spec.n_factors} factors: variational EM from {restarts.sizes['restart']} random "
        f"starts; the one with the highest {chosen} is reported. The same model was fitted to "
        f"{spec.n_null} data sets with edges permuted over participants. "
    )
    if spec.method == "full_bayes":
        return text + (
            "Compositions, arms and maps come from a Dirichlet-multinomial model of signed network "
            "blocks with an estimated token weight and a hierarchical prior of compositions by "
            f"arm, sampled with {sampler.chains} chains of {sampler.draws} draws."
        )
    return text + (
        f"Intervals and probabilities are shares of draws, which are {draws}. False discovery "
        "rates follow [3]."
    )


def _limits(result: Result) -> list[str]:
    limits = [
        "The estimand is expression at one time point. A factor that one arm expresses more is not "
        "an effect of a drug and does not predict response.",
        "A composition describes which patterns make up the deviations of a participant, not how "
        "large they are. Their size (severity, head motion) determines how much a participant "
        "contributes to the maps.",
        "Edges are treated as independent given the composition.",
        "'Significant in one factor and not in another' (the published rule for unique parts) is "
        "not a test of a difference.",
        "The reference is treated as known; with few controls every standardised edge "
        "is uncertain.",
    ]
    if result.method != "full_bayes":
        limits.insert(
            0,
            "The bootstrap starts at the fitted model and resamples participants only: it includes "
            "neither other solutions nor the noise of a participant's own edges. Use model.method "
            "full_bayes for intervals of compositions.",
        )
    return limits
