"""Files of treatment response in a run folder."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd import __version__
from bayes_mdd.errors import RunFolderError, UnreadableFileError
from bayes_mdd.files.marks import PROVENANCE, read_mark
from bayes_mdd.files.netcdf import read_netcdf, write_netcdf
from bayes_mdd.files.replace import make_folder, write_text
from bayes_mdd.response.analysis import ResponseAnalysis
from bayes_mdd.response.missing import tipping_points
from bayes_mdd.response.tripod import tripod_table
from bayes_mdd.specs.treatment_response import TreatmentResponseSpec, write_response_spec

#: Folder of treatment response inside a run folder, and its files.
FOLDER: Final = "response"
POSTERIOR: Final = "posterior.nc"
SPEC: Final = "spec.yaml"
VERDICT: Final = "verdict.json"
SUMMARY: Final = "summary.tsv"
POLICY: Final = "policy.tsv"
CURVE: Final = "curve.tsv"
TOC: Final = "toc.tsv"
CALIBRATION: Final = "calibration.tsv"
PRIORS: Final = "priors.tsv"
FLOW: Final = "flow.tsv"
BALANCE: Final = "balance.tsv"
MISSING: Final = "missing.tsv"
TIPPING: Final = "tipping.tsv"
CHECKS: Final = "checks.tsv"
CONTROLS: Final = "controls.tsv"
TRIPOD: Final = "tripod_ai.tsv"
REPORT: Final = "report.html"
RECOMMENDATIONS: Final = "recommendations.tsv"
#: Steps of the share of patients in the file of the targeting operator characteristic: one row per
#: patient would tell outcomes of single patients.
TOC_SHARES: Final = np.round(np.arange(0.05, 1.001, 0.05), 2)


def write_response(
    analysis: ResponseAnalysis, run_dir: str | Path, spec: TreatmentResponseSpec | None = None
) -> dict[str, Path]:
    """Write the second stage to the folder ``response`` of a run.

    Parameters
    ----------
    analysis : ResponseAnalysis
        From `analyse_response`.
    run_dir : str or Path
        The run folder.
    spec : TreatmentResponseSpec, optional
        The spec of the whole analysis.

    Returns
    -------
    dict of str to Path
        Files by name. Only ``posterior.nc`` holds rows of patients.

    Raises
    ------
    WriteError
        If a file cannot be written.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> bm.write_response(found, "runs/trial")  # doctest: +SKIP
    """
    folder = make_folder(Path(run_dir) / FOLDER)
    files = {"posterior": write_netcdf(analysis.response, folder / POSTERIOR)}
    tables = {
        SUMMARY: analysis.summary.reset_index(),
        PRIORS: analysis.priors,
        FLOW: analysis.flow,
        BALANCE: analysis.balance,
        CHECKS: analysis.checks,
        TRIPOD: tripod_table(analysis, spec),
    }
    if analysis.missing is not None:
        tables |= {MISSING: analysis.missing, TIPPING: tipping_points(analysis.missing)}
    if analysis.value is not None:
        tables |= {
            POLICY: analysis.value.table.rename_axis("compared_with").reset_index(),
            CURVE: analysis.value.curve,
            TOC: _coarse_toc(analysis.value.toc),
            CALIBRATION: analysis.value.calibration.reset_index(),
        }
    for name, table in tables.items():
        files[name.removesuffix(".tsv")] = write_text(folder / name, to_tsv(table))
    verdict = json.dumps(analysis.to_mapping(), indent=2, allow_nan=False)
    files["verdict"] = write_text(folder / VERDICT, verdict + "\n")
    if spec is not None:
        files["spec"] = write_response_spec(spec, folder / SPEC)
    provenance = json.dumps(describe(analysis, spec), indent=2)
    files["provenance"] = write_text(folder / PROVENANCE, provenance + "\n")
    return files


def describe(analysis: ResponseAnalysis, spec: TreatmentResponseSpec | None) -> dict[str, Any]:
    """Record what a result depends on.

    Parameters
    ----------
    analysis : ResponseAnalysis
        The result.
    spec : TreatmentResponseSpec, optional
        The spec of the whole analysis.

    Returns
    -------
    dict
        ``spec``, the fingerprint of the spec; ``scores``, the fingerprint of the run of the scans;
        ``outcomes_sha256``; version, method, seed and time.
    """
    response = analysis.response
    table = response["outcomes"].to_dataset().to_dataframe()
    attrs = response.attrs
    return {
        "spec": spec.fingerprint if spec is not None else analysis.spec.fingerprint,
        "method": str(attrs["method"]),
        "scores": str(attrs.get("scores_source", "")),
        "outcomes_sha256": hashlib.sha256(table.to_csv().encode()).hexdigest(),
        "seed": int(attrs["seed"]),
        "seconds": float(attrs["seconds"]),
        "bayes_mdd_version": __version__,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def check_response_target(
    run_dir: str | Path, spec: TreatmentResponseSpec, method: str, *, force: bool
) -> None:
    """Refuse to replace another second stage, before anything is computed.

    Parameters
    ----------
    run_dir : str or Path
        The run folder.
    spec : TreatmentResponseSpec
        The requested spec.
    method : str
        How the posterior is obtained.
    force : bool
        Whether another one may be replaced.

    Raises
    ------
    RunFolderError
        If the folder holds the second stage of another spec or method and `force` is False.
    """
    there = read_mark(Path(run_dir) / FOLDER / PROVENANCE)
    if force or not there:
        return
    differing = [
        what
        for what, same in (
            ("the spec", there.get("spec") == spec.fingerprint),
            (f"the method ({there.get('method')})", there.get("method") == method),
        )
        if not same
    ]
    if differing:
        raise RunFolderError(
            f"{run_dir} contains another analysis of treatment response: {' and '.join(differing)} "
            f"differ{'s' if len(differing) == 1 else ''}. Choose another folder, or replace it "
            "with --force."
        )


def read_response(run_dir: str | Path) -> xr.DataTree:
    """Read the second stage of a run.

    Parameters
    ----------
    run_dir : str or Path
        A run folder written by ``bayes-mdd response``.

    Returns
    -------
    DataTree
        As `fit_response` returned it, with the outcomes of the analysed patients.

    Raises
    ------
    RunFolderError
        If the folder holds none, or it cannot be read.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> bm.summarise_response(bm.read_response("runs/trial"))  # doctest: +SKIP
    """
    path = require_response(run_dir) / FOLDER / POSTERIOR
    try:
        return read_netcdf(path, "a result")
    except UnreadableFileError as error:
        raise RunFolderError(
            f"{path} cannot be read: {error} Run `bayes-mdd response` again."
        ) from error


def require_response(run_dir: str | Path) -> Path:
    """Check that a run folder holds a second stage.

    Parameters
    ----------
    run_dir : str or Path
        The run folder.

    Returns
    -------
    Path
        `run_dir`.

    Raises
    ------
    RunFolderError
        If it does not.
    """
    folder = Path(run_dir)
    if not (folder / FOLDER / POSTERIOR).is_file():
        raise RunFolderError(
            f"{folder} contains no analysis of treatment response ({FOLDER}/{POSTERIOR} is "
            "missing): pass the folder that `bayes-mdd response` wrote."
        )
    return folder


def to_tsv(table: pd.DataFrame) -> str:
    """Write a table as text.

    Parameters
    ----------
    table : DataFrame
        Columns; the index is not written.

    Returns
    -------
    str
        Tab-separated, ``n/a`` where missing.
    """
    return table.to_csv(
        sep="\t", index=False, na_rep="n/a", float_format="%.6g", lineterminator="\n"
    )


def _coarse_toc(toc: pd.DataFrame) -> pd.DataFrame:
    share = toc["share"].to_numpy()
    columns = {c: np.interp(TOC_SHARES, share, toc[c].to_numpy()) for c in ("gain", "se")}
    return pd.DataFrame({"share": TOC_SHARES, **columns})
