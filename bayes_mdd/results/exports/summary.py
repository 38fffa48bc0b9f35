"""Summary of one cohort for its combination with others, searched for participants."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd import __version__
from bayes_mdd.dims import ARM, FACTOR, MISSING
from bayes_mdd.errors import DataContractError
from bayes_mdd.files.marks import SUMMARY
from bayes_mdd.files.netcdf import write_netcdf
from bayes_mdd.files.replace import write_text
from bayes_mdd.results.exports.material import Material, write_json
from bayes_mdd.results.population import find_dimensions
from bayes_mdd.results.privacy_check import search_files
from bayes_mdd.results.private import collect_private

FACTORS, FACTS = "factors.tsv", "summary.json"
NUMBERS = "%.6g"
_SAYS: Final = (
    "Estimates of the factors of one cohort, for bayes-mdd combine. Sums and averages over "
    "participants only: no participant, no id, no row of a participant."
)


def why_not(material: Material) -> str | None:
    """Say why a run has no summary.

    Parameters
    ----------
    material : Material
        The run.

    Returns
    -------
    str or None
        None where it has one.
    """
    run = material.summary
    if run is None or run.result.shared:
        return (
            "the model family has no summary, or the run was exported without participants: pass "
            "the run of a fit of the factor model."
        )
    return run.why_not(run.result)


def write(material: Material, folder: Path) -> None:
    """Write the summary.

    Parameters
    ----------
    material : Material
        The run.
    folder : Path
        Gets ``summary.nc``, which `bayes_mdd.combine_cohorts` reads, and for people
        ``summary.json`` and ``factors.tsv``.

    Raises
    ------
    DataContractError
        If a file names or describes a participant, with all findings. The folder is not kept then.
    """
    run = material.summary
    assert run is not None
    summary = run.summarise(run.result)
    write_netcdf(summary, folder / SUMMARY)
    write_text(
        folder / FACTORS,
        tabulate(summary).to_csv(sep="\t", index=False, na_rep=MISSING, float_format=NUMBERS),
    )
    write_json(folder / FACTS, _describe(summary))
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    found = search_files(files, collect_private(run.result), folder)
    problems = find_dimensions(xr.DataTree(summary))
    problems += [f"{row.file} ({row.where}) holds {row.found}." for row in found.itertuples()]
    if problems:
        raise DataContractError("summary", problems)


def tabulate(summary: xr.Dataset) -> pd.DataFrame:
    """List the factors of a summary.

    Parameters
    ----------
    summary : Dataset
        A summary.

    Returns
    -------
    DataFrame
        One row per factor: ``factor``, ``label``, and by arm the share of the variance with its
        interval.
    """
    columns: dict[str, Any] = {
        "factor": summary[FACTOR].values.astype(str),
        "label": summary["label"].values.astype(str),
    }
    for arm in summary[ARM].values:
        for end in ("", "_lower", "_upper"):
            columns[f"explained_{arm}{end}"] = summary[f"explained{end}"].sel({ARM: arm}).values
    return pd.DataFrame(columns)


def _describe(summary: xr.Dataset) -> dict[str, Any]:
    attrs = dict(summary.attrs)
    read = {k: json.loads(attrs.pop(k)) for k in ("spec", "facts", "reference_covariates")}
    plain = {k: v.item() if isinstance(v, np.generic) else v for k, v in attrs.items()}
    return {
        "Description": _SAYS,
        "Participants": {
            str(a): int(n) for a, n in zip(summary[ARM].values, summary["n"].values, strict=True)
        },
        "Features": int(summary.sizes["feature"]),
        "Symptoms": [str(s) for s in summary["symptom"].values] if "symptom" in summary else [],
        **plain,
        **read,
        "GeneratedBy": [{"Name": "bayes-mdd", "Version": __version__}],
    }
