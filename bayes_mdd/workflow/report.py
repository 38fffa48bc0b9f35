"""Writing the page: figures inline, names escaped, nothing fetched from elsewhere."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from jinja2 import Environment, StrictUndefined
from matplotlib.figure import Figure

from bayes_mdd import __version__, plotting
from bayes_mdd.dims import CONTROL, MISSING
from bayes_mdd.errors import DataContractError, RunFolderError, SpecError
from bayes_mdd.features import Quality
from bayes_mdd.polar_lda.report import TEMPLATE as POLAR_LDA_TEMPLATE
from bayes_mdd.polar_lda.report import gather_polar_lda
from bayes_mdd.polar_lda.table import is_polar_lda
from bayes_mdd.results.figures.style import QUIET
from bayes_mdd.results.maps import signatures
from bayes_mdd.results.reading import read_group, read_note
from bayes_mdd.shared_specific.report.content import (
    describe_cohort,
    judge_check,
    list_limits,
    say_interval,
    summarise_findings,
)
from bayes_mdd.shared_specific.report.methods import REFERENCES, describe_methods, list_provenance
from bayes_mdd.shared_specific.tables.arms import explained_by_arm
from bayes_mdd.shared_specific.tables.factors import classify_factors, say_probability
from bayes_mdd.shared_specific.tables.links import summarise_symptom_links

CHECK_COLUMNS = ("name", "value", "threshold", "passed", "advice")
DPI = 130
TITLE = "Shared and arm-specific factors"
POLAR_LDA_TITLE = "Patterns of hyper- and hypo-connection"


@dataclass(frozen=True)
class Picture:
    """A figure as it goes into the page."""

    title: str
    alt: str
    data: str


def write_report(
    idata: xr.DataTree,
    path: str | Path,
    *,
    checks: pd.DataFrame | None = None,
    factors: pd.DataFrame | None = None,
    quality: Quality | None = None,
    title: str = TITLE,
    top_edges: int = 60,
    overwrite: bool = True,
) -> Path:
    """Write one self-contained HTML page about a fit.

    Parameters
    ----------
    idata : xarray.DataTree
        What `fit` returned.
    path : str or Path
        The file, for example ``runs/demo/report.html``; its folder must exist.
    checks : pandas.DataFrame, optional
        What `diagnose` returned; made here when absent.
    factors : pandas.DataFrame, optional
        What `classify_factors` returned; made with its defaults when absent.
    quality : Quality, optional
        What `check_quality` returned; by default what travelled with the features
        (`record_quality`). Without either, the page has no section on it.
    title : str
        Heading of the page.
    top_edges : int, default 60
        Edges in each connectome picture.
    overwrite : bool, default True
        Whether an older page may be replaced.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    DataContractError
        If `idata` lacks a group or variable, or `checks` a column.
    RunFolderError
        If the file exists and `overwrite` is False.
    SpecError
        If the folder does not exist.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise SpecError(f"Cannot write {path}: there is no folder {path.parent}; make it first.")
    if path.exists() and not overwrite:
        raise RunFolderError(f"{path} exists; pass overwrite=True to replace it.")
    if checks is None:
        from bayes_mdd.shared_specific.checks.convergence import diagnose

        checks = diagnose(idata)
    missing = [c for c in CHECK_COLUMNS if c not in checks]
    if missing:
        raise DataContractError(
            "checks", [f"no column '{c}'; pass what diagnose returned." for c in missing]
        )
    table = classify_factors(idata) if factors is None else factors
    if is_polar_lda(idata):
        heading = POLAR_LDA_TITLE if title == TITLE else title
        content = gather_polar_lda(idata, checks, table, heading, top_edges)
        page = _render(content, POLAR_LDA_TEMPLATE)
    else:
        content = _gather(idata, checks, table, title, top_edges)
        page = _render(content | {"quality": gather_quality(idata, quality)})
    # A half-written page never carries the final name.
    temporary = path.with_name(f".part-{path.name}")
    temporary.write_text(page, encoding="utf-8")
    temporary.replace(path)
    return path


def _render(content: dict[str, Any], template: str = "template.html.j2") -> str:
    source = (
        files("bayes_mdd.shared_specific.report").joinpath(template).read_text(encoding="utf-8")
    )
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(source).render(content)


def _gather(
    idata: xr.DataTree, checks: pd.DataFrame, table: pd.DataFrame, title: str, top_edges: int
) -> dict[str, Any]:
    """Everything the template shows."""
    ci_prob = float(table.attrs.get("rules", {}).get("ci_prob", 0.9))
    linked = "symptom_weight" in read_group(idata, "posterior")
    by_arm = "symptom_weight_by_arm" in read_group(idata, "posterior")
    links = summarise_symptom_links(idata, ci_prob=ci_prob) if linked else None
    contrasts = summarise_symptom_links(idata, ci_prob=ci_prob, by="difference") if by_arm else None
    cohort = describe_cohort(idata)
    counts = cohort.counts
    arms = list(cohort.by_arm)
    return {
        "title": title,
        "version": __version__,
        "written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cohort": cohort,
        "counts": [(str(i), *row) for i, row in zip(counts.index, counts.to_numpy(), strict=True)],
        "checks": [_check_row(row) for _, row in checks.iterrows()],
        "findings": summarise_findings(table, checks, links, ci_prob),
        "arms": arms,
        "partial": "p_partial" in table,
        "factors": [_factor_row(row, arms) for _, row in table.iterrows()],
        "totals": _total_rows(idata, ci_prob),
        "ci": f"{ci_prob:.0%}",
        "means": bool((table["mean_label"] != MISSING).any()),
        "mean_against": f"against the {'controls' if CONTROL in arms else 'average of the arms'}",
        "mean_rope": table.attrs.get("rules", {}).get("mean_rope", 0.2),
        "pictures": _draw(idata, table, linked=linked, top_edges=top_edges),
        "links": [] if links is None else _link_rows(links, table),
        "contrasts": [] if contrasts is None else _link_rows(contrasts, table),
        "linked": linked,
        "methods": describe_methods(idata, cohort, table),
        "references": REFERENCES,
        "limits": list_limits(idata, cohort, symptoms=linked),
        "estimand": str(idata.attrs.get("estimand", "expression")),
        "provenance": list_provenance(idata),
    }


def gather_quality(idata: xr.DataTree, quality: Quality | None) -> dict[str, Any] | None:
    """Gather what the section on the quality of the features shows.

    Parameters
    ----------
    idata : xarray.DataTree
        What `fit` returned; the quality may have travelled with its features.
    quality : Quality, optional
        What `check_quality` returned.

    Returns
    -------
    dict or None
        Checks, motion and pictures; None where nothing is known.
    """
    if quality is None:
        facts = read_note(idata, "features_provenance").get("quality")
        if not isinstance(facts, dict) or not facts.get("checks"):
            return None
        quality = Quality.from_facts(facts)
    pictures = []
    if quality.people[["motion", "largest_z"]].notna().any(axis=None):
        alt = "motion and outliers of every person, and the correlation of features with motion"
        pictures.append(embed(plotting.plot_quality(quality), "Quality", alt))
    return {
        "checks": [_check_row(row) for _, row in quality.checks.iterrows()],
        "columns": [str(c) for c in quality.motion.columns],
        "motion": [[_number(v) for v in row] for row in quality.motion.to_numpy(dtype=object)],
        "pictures": pictures,
    }


def _draw(
    idata: xr.DataTree, table: pd.DataFrame, *, linked: bool, top_edges: int
) -> dict[str, list[Picture]]:
    """All figures, by the section they belong to."""
    several = sum(str(c).startswith("p_specific_") for c in table.columns) > 1
    told = table.loc[~table["label"].isin(QUIET), "factor"].tolist()
    sig = signatures(idata, factors=table)
    sharing = []
    if several:
        below = table.attrs.get("rules", {}).get("specific_below", 0.10)
        figure = plotting.plot_sharing(idata, factors=table, specific_below=below)
        sharing.append(embed(figure, "Sharing", "share of each factor's variance in each arm"))
    figure = plotting.plot_explained(idata, factors=table)
    sharing.append(embed(figure, "Variance explained", "variance explained by factor and arm"))
    blocks = [
        embed(
            plotting.plot_block_map(idata, factors=told or None, labels=table),
            "Blocks",
            "variance explained within each pair of networks, by factor",
        )
    ]
    maps = [
        embed(
            plotting.plot_connectome(sig, name, top=top_edges),
            name,
            f"strongest loadings of factor {name} in the brain",
        )
        for name in told
    ]
    links = []
    if linked:
        figure = plotting.plot_symptom_links(idata, factors=table)
        links.append(embed(figure, "Symptom links", "weight of each factor in each symptom"))
    if "symptom_weight_by_arm" in read_group(idata, "posterior"):
        figure = plotting.plot_symptom_links(idata, factors=table, by_arm=True)
        links.append(embed(figure, "Symptom links by arm", "weight of each factor within arms"))
    return {"sharing": sharing, "blocks": blocks, "maps": maps, "links": links}


def embed(figure: Figure, title: str, alt: str) -> Picture:
    """Turn a figure into a picture of the page.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Drawn, not closed.
    title, alt : str
        Its name, and what it shows for those who cannot see it.

    Returns
    -------
    Picture
        PNG in base64.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, facecolor="white")
    return Picture(title, alt, base64.b64encode(buffer.getvalue()).decode("ascii"))


def _check_row(row: pd.Series[Any]) -> dict[str, str]:
    state = judge_check(row["passed"])
    return {
        "name": str(row["name"]),
        "value": _number(row["value"]),
        "threshold": _number(row["threshold"]),
        "state": state,
        "advice": "" if row["advice"] is None or pd.isna(row["advice"]) else str(row["advice"]),
    }


def _factor_row(row: pd.Series[Any], arms: list[str]) -> dict[str, Any]:
    chances = [row["p_shared"], *(row[f"p_specific_{a}"] for a in arms)]
    if "p_partial" in row:
        chances.append(row["p_partial"])
    return {
        "factor": row["factor"],
        "label": row["label"],
        "quiet": row["label"] in QUIET,
        "chances": [_chance(p) for p in chances],
        "explained": [
            f"{row[f'explained_{a}']:.1%} [{row[f'explained_{a}_lower']:.1%}, "
            f"{row[f'explained_{a}_upper']:.1%}]"
            for a in arms
        ],
        "means": [_mean(row, a) for a in arms],
        "p_mean": _chance(row["p_mean_differs"]),
        "mean_label": row["mean_label"],
        "networks": row["networks"],
        "reproducible": "yes" if row["reproducible"] else "no",
        "verdict": row["verdict"],
    }


def _total_rows(idata: xr.DataTree, ci_prob: float) -> list[dict[str, str]]:
    totals = explained_by_arm(idata, ci_prob=ci_prob)
    return [
        {
            "arm": str(row["arm"]),
            "explained": f"{row['explained']:.1%} [{row['explained_lower']:.1%}, "
            f"{row['explained_upper']:.1%}]",
            "p_most": _chance(row["p_most"]),
        }
        for _, row in totals.iterrows()
    ]


def _mean(row: pd.Series[Any], arm: str) -> str:
    middle, low, high = (float(row[f"mean_{arm}{end}"]) for end in ("", "_lower", "_upper"))
    return f"{middle:+.2f} [{low:+.2f}, {high:+.2f}]" if np.isfinite(middle) else MISSING


def _link_rows(links: pd.DataFrame, table: pd.DataFrame) -> list[dict[str, Any]]:
    labels = table.set_index("factor")["label"]
    return [
        {
            "factor": r["factor"],
            "quiet": labels[r["factor"]] in QUIET,
            "symptom": str(r["symptom"]),
            "arm": str(r.get("arm", "")),
            "unit": "log-odds" if r["kind"] == "ordinal" else "SD",
            "weight": say_interval(r),
            "p_positive": _chance(r["p_positive"]),
        }
        for _, r in links.iterrows()
    ]


def _chance(value: float) -> str:
    if not np.isfinite(value):
        return MISSING
    return say_probability(float(value)).removeprefix("= ")


def _number(value: Any) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return MISSING
    if isinstance(value, (int, float, np.number)) and not isinstance(value, (bool, np.bool_)):
        return f"{value:.4g}"
    return str(value)
