"""Report, tables and maps of a combined result, in one folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd import __version__
from bayes_mdd.dims import ARM, FACTOR, MISSING
from bayes_mdd.files.folders import new_folder
from bayes_mdd.files.marks import COMBINED, COMBINED_FACTS, COMBINED_POSTERIOR
from bayes_mdd.files.netcdf import write_netcdf
from bayes_mdd.files.replace import write_text
from bayes_mdd.files.targets import check_folder
from bayes_mdd.results.export import export_signatures
from bayes_mdd.results.exports.material import write_json
from bayes_mdd.results.page import Column, Picture, Table, embed, render_page, write_page
from bayes_mdd.results.rules import UNUSED
from bayes_mdd.results.text import format_probability
from bayes_mdd.shared_specific.cohorts.combined import COHORT
from bayes_mdd.shared_specific.cohorts.further_tables import (
    gather_combined_maps,
    tabulate_cohorts,
    tabulate_weights,
)
from bayes_mdd.shared_specific.cohorts.table import require_combined, summarise_combined
from bayes_mdd.shared_specific.figures.combined import plot_combined

TITLE: Final = "Shared and arm-specific patterns of several cohorts"
TEMPLATE: Final = "combined.html.j2"
NUMBERS: Final = "%.6g"


def write_combined(
    combined: xr.DataTree, folder: str | Path, *, overwrite: bool = False
) -> list[Path]:
    """Write a combined result: posterior, tables, maps and a report.

    Parameters
    ----------
    combined : DataTree
        What `combine_cohorts` returned.
    folder : str or Path
        Gets ``combined.nc`` (see `read_combined`), ``patterns.tsv``, ``cohorts.tsv``, ``links.tsv``
        (with symptoms), ``signatures/``, ``report.html`` and ``combined.json``.
    overwrite : bool, default False
        Whether a combined result that is there may be replaced, as a whole.

    Returns
    -------
    list of Path
        Every file.

    Raises
    ------
    DataContractError
        If `combined` is something else.
    RunFolderError
        If the folder holds something else, or a combined result and `overwrite` is False.
    WriteError
        If it cannot be written; what was there is untouched then.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> combined = bm.combine_cohorts(["lyon/export", "utrecht/export"])  # doctest: +SKIP
    >>> bm.write_combined(combined, "combined")  # doctest: +SKIP
    """
    table = summarise_combined(require_combined(combined))
    final = check_folder(folder, COMBINED, force=overwrite)
    weights = tabulate_weights(combined)
    with new_folder(final) as work:
        write_netcdf(combined, work / COMBINED_POSTERIOR)
        _write_table(work / "patterns.tsv", table)
        _write_table(work / "cohorts.tsv", tabulate_cohorts(combined))
        if len(weights):
            _write_table(work / "links.tsv", weights)
        if (table["label"] != UNUSED).any():
            export_signatures(gather_combined_maps(combined, table), work / "signatures")
        write_page(work / "report.html", build_combined_page(combined, table))
        write_json(work / COMBINED_FACTS, _describe(combined, table))
        files = sorted(p.relative_to(work) for p in work.rglob("*") if p.is_file())
    return [final / file for file in files]


def _write_table(path: Path, table: pd.DataFrame) -> None:
    text = table.to_csv(
        sep="\t", index=False, na_rep=MISSING, float_format=NUMBERS, lineterminator="\n"
    )
    write_text(path, text)


def _describe(combined: xr.DataTree, table: pd.DataFrame) -> dict[str, Any]:
    cohorts = combined["cohorts"].to_dataset()
    return {
        "Combined": [str(n) for n in table["name"]],
        "Cohorts": {
            str(c): {
                str(a): int(cohorts["n"].sel({COHORT: c, ARM: a})) for a in cohorts[ARM].values
            }
            for c in cohorts[COHORT].values
        },
        "Settings": json.loads(combined.attrs["settings"]),
        "Spec": json.loads(combined.attrs["spec"]),
        "Rules": table.attrs["rules"],
        "GeneratedBy": [{"Name": "bayes-mdd", "Version": __version__}],
    }


def build_combined_page(combined: xr.DataTree, table: pd.DataFrame) -> str:
    """Write the report of a combined result.

    Parameters
    ----------
    combined : DataTree
        What `combine_cohorts` returned.
    table : DataFrame
        What `summarise_combined` returned.

    Returns
    -------
    str
        HTML.
    """
    cohorts = combined["cohorts"].to_dataset()
    settings = json.loads(combined.attrs["settings"])
    weights = tabulate_weights(combined)
    content = {
        "title": TITLE,
        "estimand": str(combined.attrs.get("estimand", "expression")),
        "reference": str(combined.attrs.get("reference", "not stated")),
        "n_cohorts": cohorts.sizes[COHORT],
        "n": int(cohorts["n"].sum()),
        "verdicts": [(str(r["name"]), str(r["verdict"])) for _, r in table.iterrows()],
        "patterns": _patterns(combined, table),
        "heterogeneity": _heterogeneity(combined, table),
        "presence": _presence(combined),
        "weights": _weights(weights) if len(weights) else None,
        "pictures": _draw(combined, table),
        "settings": settings,
        "rotated": [
            str(c) for c in cohorts[COHORT].values if bool(cohorts["rotated"].sel({COHORT: c}))
        ],
    }
    return render_page("bayes_mdd.shared_specific.report", TEMPLATE, content)


def _percent(mean: float, low: float, high: float) -> str:
    return f"{100 * mean:.1f}% [{100 * low:.1f}, {100 * high:.1f}]"


def _three(row: Any, name: str) -> tuple[float, float, float]:
    return row[name], row[f"{name}_lower"], row[f"{name}_upper"]


def _patterns(combined: xr.DataTree, table: pd.DataFrame) -> Table:
    arms = [str(a) for a in combined["posterior"].to_dataset()[ARM].values]
    several = len(arms) > 1
    columns: list[Column | str] = ["pattern", "label", "cohorts"]
    columns += [f"variance in {a}" for a in arms]
    columns += [f"P({p})" for p in (["shared", *(f"{a} only" for a in arms)] if several else [])]
    rows = []
    for _, row in table.iterrows():
        cells = [str(row["name"]), str(row["label"]), f"{row['cohorts']} of {row['of']}"]
        cells += [_percent(*_three(row, f"explained_{a}")) for a in arms]
        if several:
            chances = [row["p_shared"], *(row[f"p_specific_{a}"] for a in arms)]
            cells += [format_probability(float(p)) for p in chances]
        rows.append(cells)
    caption = "Patterns over cohorts: share of the variance with 90% intervals, probabilities"
    return Table("patterns", caption, columns, rows)


def _heterogeneity(combined: xr.DataTree, table: pd.DataFrame) -> Table:
    def ends(values: Any) -> list[float]:
        flat = np.asarray(values, dtype=float).ravel()
        flat = flat[np.isfinite(flat)]
        if not flat.size:
            return [np.nan] * 3
        return [float(flat.mean()), *(float(v) for v in np.quantile(flat, [0.05, 0.95]))]

    posterior, maps = combined["posterior"], combined["loadings"]["between"]
    rows = [
        ("size of patterns, SD of the log variance", ends(posterior["size_sd"].values)),
        ("sharing, SD of the log variance of an arm", ends(posterior["sharing_sd"].values)),
        *(
            (f"loadings of {f}, relative to the loadings", ends(maps.sel({FACTOR: f}).values))
            for f in table["factor"]
        ),
    ]
    if "symptoms" in combined.children:
        rows.append(("symptom weights, SD", ends(combined["symptoms"]["between"].values)))
    cells = [
        (what, MISSING if np.isnan(m) else f"{m:.2f} [{low:.2f}, {high:.2f}]")
        for what, (m, low, high) in rows
    ]
    return Table("heterogeneity", "SD between cohorts, with 90% intervals", ("what", "SD"), cells)


def _presence(combined: xr.DataTree) -> Table:
    rows = []
    for _, row in tabulate_cohorts(combined).iterrows():
        alike = f"{row['alike']:.2f}" if np.isfinite(row["alike"]) else MISSING
        rows.append(
            (row["factor"], row["cohort"], row["own_factor"], row["own_label"], alike,
             format_probability(float(row["p_present"])))
        )  # fmt: skip
    return Table(
        "cohorts",
        "Which cohort found which pattern",
        ("pattern", "cohort", "its factor", "its label", Column("|r|", True), "P(present)"),
        rows,
        note="|r|: correlation of the map with that of the other cohorts, corrected for errors. "
        "P(present): for a cohort that did not find a pattern, from its smallest detectable "
        "variance; a small cohort may have missed it.",
    )


def _weights(weights: pd.DataFrame) -> Table:
    rows = [
        (r["factor"], r["symptom"], f"{r['mean']:.2f} [{r['lower']:.2f}, {r['upper']:.2f}]",
         format_probability(float(r["p_positive"])),
         f"[{r['new_lower']:.2f}, {r['new_upper']:.2f}]")
        for _, r in weights.iterrows()
        if np.isfinite(r["mean"])
    ]  # fmt: skip
    return Table(
        "links",
        "Symptom weights: SD of the symptom per SD of the score, with 90% intervals; associations",
        ("pattern", "symptom", "weight", "P(> 0)", "new cohort"),
        rows,
    )


def _draw(combined: xr.DataTree, table: pd.DataFrame) -> list[Picture]:
    if (table["label"] == UNUSED).all():
        return []
    arms = combined["posterior"].sizes[ARM]
    titles = {"explained": "Variance explained by cohort", "sharing": "Sharing by cohort"}
    shown = ["explained", *(["sharing"] if arms == 2 else [])]
    alt = "Forest plot: each cohort alone, the combination, and a new cohort, by pattern."
    return [
        embed(plot_combined(combined, show=name), titles[name], alt)  # type: ignore[arg-type]
        for name in shown
    ]
