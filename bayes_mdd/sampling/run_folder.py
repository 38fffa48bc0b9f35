"""Run folders: spec, provenance and posterior of a fit on disk."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, CHAIN, DRAW
from bayes_mdd.errors import (
    DataContractError,
    RunFolderError,
    UnreadableFileError,
    WriteError,
)
from bayes_mdd.files.checksum import input_checksum
from bayes_mdd.files.folders import new_folder, restore_folder
from bayes_mdd.files.layout import LAYOUT, NUMBER, update_layout
from bayes_mdd.files.marks import (
    POSTERIOR,
    PROVENANCE,
    RUN,
    SAMPLE,
    SPEC,
    TABLE_ONE,
    read_mark,
    require_run,
)
from bayes_mdd.files.netcdf import read_netcdf, write_netcdf
from bayes_mdd.files.regular import own_errors
from bayes_mdd.files.replace import write_text
from bayes_mdd.files.targets import check_folder, check_run_target
from bayes_mdd.sampling.machine import describe_machine, find_commit
from bayes_mdd.specs import AnalysisSpec, SamplerSpec, Spec, write_spec
from bayes_mdd.specs.models import DEFAULT_MODEL

#: File of the number of participants in each role.
ROLES = "roles.tsv"
#: Packages whose versions are recorded.
PACKAGES = (
    *("bayes-mdd", "pymc", "pytensor", "nutpie", "arviz", "numpy", "scipy", "xarray", "numba"),
    "nilearn",
)


def make_provenance(
    spec: Spec,
    sampler: SamplerSpec,
    features: xr.Dataset,
    symptoms: pd.DataFrame | None,
    excluded: Mapping[str, str],
    *,
    method: str = "mcmc",
) -> dict[str, Any]:
    """Record model, inputs and software of a run.

    Parameters
    ----------
    spec : Spec
        The model.
    sampler : SamplerSpec
        Settings of the sampler.
    features : Dataset
        The FeatureSet.
    symptoms : DataFrame, optional
        The table of symptoms.
    excluded : mapping of str to str
        Subjects who are not fitted, with the reason.
    method : str, default "mcmc"
        How the posterior is computed.

    Returns
    -------
    dict
        Plain values. ``fingerprint`` identifies model, sampler, inputs and method together.
    """
    checksum = input_checksum(features, symptoms)
    parts = {"model": spec.fingerprint, "sampler": sampler.fingerprint, "inputs": checksum[:12]}
    if method != "mcmc":
        parts["method"] = method
    return {
        **parts,
        "method": method,
        "fingerprint": hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12],
        "inputs_sha256": checksum,
        "seed": sampler.seed,
        "versions": {"python": sys.version.split()[0], **_versions()},
        "machine": describe_machine(),
        **({"commit": commit} if (commit := find_commit()) else {}),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "n_people": int((features[ARM].values.astype(str) != "n/a").sum()),
        "n_excluded": len(excluded),
        "excluded": dict(excluded),
        "reference": str(features.attrs.get("reference", "not stated")),
        "reference_group": str(features.attrs.get("reference_group", "not stated")),
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def describe_run(
    idata: xr.DataTree,
    spec: Spec,
    sampler: SamplerSpec,
    features: xr.Dataset,
    provenance: dict[str, Any],
) -> None:
    """Store specs, provenance and units as attributes of a result.

    Parameters
    ----------
    idata : DataTree
        Result of a fit; changed in place.
    spec, sampler : Spec, SamplerSpec
        The model and the settings of the sampler.
    features : Dataset
        The FeatureSet.
    provenance : dict
        From `make_provenance`.
    """
    idata.attrs.update(
        {NUMBER: LAYOUT},
        spec=json.dumps(spec.to_mapping()),
        sampler=json.dumps(sampler.to_mapping()),
        provenance=json.dumps(provenance),
        features_provenance=str(features.attrs.get("provenance", "")),
        estimand=str(features.attrs.get("estimand", "expression")),
        units=str(features.attrs.get("units", "")),
        reference=str(features.attrs.get("reference", "not stated")),
    )


def holds_run(folder: str | Path, provenance: Mapping[str, Any], *, force: bool) -> bool:
    """Check that a folder can hold a run, before anything is computed.

    Parameters
    ----------
    folder : str or Path
        Where the run will be written.
    provenance : mapping
        Provenance of the requested run.
    force : bool
        Whether an existing folder may be replaced.

    Returns
    -------
    bool
        True if the folder contains exactly the requested run, finished.

    Raises
    ------
    RunFolderError
        If the folder contains another run and `force` is False, or anything but a run.
    WriteError
        If nothing can be written there.
    """
    folder = check_run_target(folder, force=force)
    if force or not RUN.is_marked(folder):
        return False
    there = read_mark(folder / PROVENANCE)
    # Runs of earlier versions have no method.
    here, there = {"method": "mcmc", **provenance}, {"method": "mcmc", **there}
    differing = [
        f"{part} is {there.get(part, 'unknown')}, requested is {here[part]}"
        for part in ("model", "sampler", "inputs", "method")
        if there.get(part) != here[part]
    ]
    if differing:
        raise RunFolderError(
            f"{folder} contains another run (fingerprint {there.get('fingerprint', 'unknown')}, "
            f"requested {provenance['fingerprint']}): {'; '.join(differing)}. "
            "Choose another folder, or replace this one with --force (force=True)."
        )
    if not (folder / POSTERIOR).is_file():
        raise RunFolderError(
            f"{folder} contains the requested run without its draws ({POSTERIOR} is missing): fit "
            "again with --force (force=True)."
        )
    return True


def check_run_folder(
    folder: str | Path, provenance: Mapping[str, Any], *, force: bool
) -> xr.DataTree | None:
    """Check that a folder can hold a run, and read the run that is requested.

    Parameters
    ----------
    folder : str or Path
        Where the run will be written.
    provenance : mapping
        Provenance of the requested run.
    force : bool
        Whether an existing run may be replaced.

    Returns
    -------
    DataTree or None
        The finished run, if the folder contains exactly the requested run.

    Raises
    ------
    RunFolderError
        If the folder contains another run and `force` is False, or anything but a run.
    WriteError
        If nothing can be written there.
    """
    return read_run(folder) if holds_run(folder, provenance, force=force) else None


def write_run(
    idata: xr.DataTree,
    spec: Spec,
    sampler: SamplerSpec,
    provenance: Mapping[str, Any],
    folder: str | Path,
) -> Path:
    """Write a run beside the final folder, then exchange the two.

    Parameters
    ----------
    idata : DataTree
        Result of `fit`.
    spec, sampler : Spec, SamplerSpec
        The model and the settings of the sampler.
    provenance : mapping
        From `make_provenance`.
    folder : str or Path
        A new or empty folder, or a run folder, which is replaced as a whole.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    RunFolderError
        If the folder holds anything but a run that bayes-mdd wrote.
    WriteError
        If the run cannot be written; a run that was there is untouched then.
    """
    folder = check_folder(folder, RUN, force=True)
    with new_folder(folder) as work:
        write_netcdf(idata, work / POSTERIOR)
        write_spec(AnalysisSpec(model=spec, sampler=sampler), work / SPEC)
        if provenance.get("roles"):
            table = pd.DataFrame(provenance["roles"])
            write_text(work / ROLES, table.to_csv(sep="\t", index=False, lineterminator="\n"))
        if rows := read_rows(idata.attrs.get(SAMPLE)):
            text = pd.DataFrame(rows).to_csv(
                sep="\t", index=False, na_rep="n/a", lineterminator="\n"
            )
            write_text(work / TABLE_ONE, text)
        write_text(work / PROVENANCE, json.dumps(dict(provenance), indent=2) + "\n")
    return folder


def read_rows(text: object) -> list[dict[str, Any]]:
    """Read the rows of a table that an attribute holds as JSON.

    Parameters
    ----------
    text : object
        JSON text.

    Returns
    -------
    list of dict
        Empty for anything else.

    Examples
    --------
    >>> read_rows('[{"variable": "age"}]')
    [{'variable': 'age'}]
    """
    try:
        rows = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return []
    return [r for r in rows if isinstance(r, dict)] if isinstance(rows, list) else []


def save_run(idata: xr.DataTree, folder: str | Path, *, force: bool = False) -> Path:
    """Write the result of a fit as a run folder.

    `fit` does so itself where it is given `run_dir`. This is for results that were kept in memory,
    or that `fit` could not write.

    Parameters
    ----------
    idata : DataTree
        Result of `fit`.
    folder : str or Path
        The run folder.
    force : bool, default False
        Whether a run that is there may be replaced. Folders that hold anything else never are.

    Returns
    -------
    Path
        `folder`, with ``posterior.nc``, ``spec.yaml`` and ``provenance.json``.

    Raises
    ------
    DataContractError
        If `idata` is not the result of a fit.
    RunFolderError
        If the folder is in use.
    WriteError
        If it cannot be written.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> bm.save_run(bm.read_run("runs/demo"), "runs/copy")  # doctest: +SKIP
    """
    try:
        model, sampler, provenance = (
            json.loads(idata.attrs[name]) for name in ("spec", "sampler", "provenance")
        )
        kind = idata.attrs.get("model", DEFAULT_MODEL)
        spec = AnalysisSpec.from_mapping({"kind": kind, "model": model, "sampler": sampler})
    except (AttributeError, KeyError, ValueError) as error:
        raise DataContractError(
            "result", [f"is not what `fit` returned ({error!r}): pass its DataTree unchanged."]
        ) from error
    check_folder(folder, RUN, force=force)
    return write_run(idata, spec.model, spec.sampler, provenance, folder)


def write_or_keep(
    idata: xr.DataTree,
    spec: Spec,
    sampler: SamplerSpec,
    provenance: Mapping[str, Any],
    folder: str | Path,
) -> Path:
    """Write a run or, where that fails, keep it in a temporary folder and raise.

    Parameters
    ----------
    idata : DataTree
        Result of `fit`.
    spec, sampler : Spec, SamplerSpec
        The model and the settings of the sampler.
    provenance : mapping
        From `make_provenance`.
    folder : str or Path
        The run folder.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    WriteError
        If the run could not be written. The message says where it is kept; the error holds the
        result as `result`.
    """
    try:
        return write_run(idata, spec, sampler, provenance, folder)
    except (RunFolderError, WriteError) as error:
        kept = _keep(idata, spec, sampler, provenance)
        where = (
            "It could not be kept elsewhere either; in Python it is the attribute 'result' of this "
            "error, for save_run."
            if kept is None
            else f"It is kept in {kept}: move this folder to where it belongs."
        )
        failed = WriteError(f"The fit is complete, but not saved. {error} {where}", error.errno)
        failed.result = idata
        raise failed from error


def _keep(
    idata: xr.DataTree, spec: Spec, sampler: SamplerSpec, provenance: Mapping[str, Any]
) -> Path | None:
    """Write a run to a private folder for temporary files, where that is possible."""
    try:
        private = Path(tempfile.mkdtemp(prefix="bayes-mdd-run-"))
    except OSError:
        return None
    try:
        return write_run(idata, spec, sampler, provenance, private / "run")
    except (RunFolderError, WriteError):
        shutil.rmtree(private, ignore_errors=True)
        return None


def read_run(folder: str | Path) -> xr.DataTree:
    """Read the result of a finished run.

    Parameters
    ----------
    folder : str or Path
        A run folder.

    Returns
    -------
    DataTree
        As `fit` returned it.

    Raises
    ------
    RunFolderError
        If the folder does not exist, contains no run, or its posterior cannot be read.
    """
    restore_folder(Path(folder))
    path = require_run(folder) / POSTERIOR
    try:
        with own_errors(path, "a run"):
            tree = update_layout(read_netcdf(path, "a run"))
    except UnreadableFileError as error:
        raise RunFolderError(f"{path} cannot be read: {error} Fit again.") from error
    if lacking := _lacking(tree):
        raise RunFolderError(
            f"{path} is not the result of a fit, or damaged: {lacking}. Pass the run folder that "
            "`bayes-mdd fit` wrote, or fit again."
        )
    return tree


def _lacking(tree: xr.DataTree) -> str:
    """Say what every result holds and this one does not."""
    drawn = tree.children.get("posterior")
    absent = [] if drawn is not None and {CHAIN, DRAW} <= {*drawn.dims} else ["group 'posterior'"]
    for name in ("spec", "sampler"):
        try:
            content = json.loads(tree.attrs.get(name, "null"))
        except (TypeError, ValueError):
            content = None
        if not isinstance(content, dict):
            absent.append(f"attribute '{name}'")
    return f"it has no {' and no '.join(absent)} that can be read" if absent else ""
