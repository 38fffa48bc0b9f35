"""A run on disk: what was asked, with which inputs, and what came out."""

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

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, FEATURE, SUBJECT
from bayes_mdd.errors import RunFolderError
from bayes_mdd.specs import AnalysisSpec, SamplerSpec, Spec, write_spec

POSTERIOR = "posterior.nc"
PACKAGES = ("bayes-mdd", "pymc", "pytensor", "nutpie", "arviz", "numpy", "scipy", "xarray", "numba")


def input_checksum(features: xr.Dataset, symptoms: pd.DataFrame | None) -> str:
    """Digest of everything a fit reads of its inputs.

    Parameters
    ----------
    features : Dataset
        The FeatureSet.
    symptoms : DataFrame, optional
        The table of symptoms.

    Returns
    -------
    str
        A SHA-256 in hexadecimal digits.
    """
    digest = hashlib.sha256()
    digest.update(np.ascontiguousarray(features["y"].transpose(SUBJECT, FEATURE).values).data)
    for name in sorted(map(str, features.coords)):
        digest.update(f"{name}={features[name].values.astype(str).tolist()}".encode())
    if symptoms is not None:
        digest.update(symptoms.to_csv().encode())
    return digest.hexdigest()


def make_provenance(
    spec: Spec,
    sampler: SamplerSpec,
    features: xr.Dataset,
    symptoms: pd.DataFrame | None,
    excluded: Mapping[str, str],
    *,
    method: str = "mcmc",
) -> dict[str, Any]:
    """Say where the numbers of a run come from.

    Parameters
    ----------
    spec : Spec
        The model.
    sampler : SamplerSpec
        How it is sampled.
    features : Dataset
        The FeatureSet.
    symptoms : DataFrame, optional
        The table of symptoms.
    excluded : mapping of str to str
        People left out, with the reason.
    method : str, default "mcmc"
        How the posterior is explored.

    Returns
    -------
    dict
        Plain values; `fingerprint` identifies spec, sampler and inputs together.
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
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "n_people": int((features[ARM].values.astype(str) != "n/a").sum()),
        "n_excluded": len(excluded),
        "excluded": dict(excluded),
        "reference": str(features.attrs.get("reference", "not stated")),
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
    """Write into the attributes what every reader of a result looks for.

    Parameters
    ----------
    idata : DataTree
        Changed in place, before anybody else sees it.
    spec, sampler : Spec, SamplerSpec
        What was asked.
    features : Dataset
        The FeatureSet.
    provenance : dict
        From `make_provenance`.
    """
    idata.attrs.update(
        spec=json.dumps(spec.to_mapping()),
        sampler=json.dumps(sampler.to_mapping()),
        provenance=json.dumps(provenance),
        features_provenance=str(features.attrs.get("provenance", "")),
        estimand=str(features.attrs.get("estimand", "expression")),
        units=str(features.attrs.get("units", "")),
        reference=str(features.attrs.get("reference", "not stated")),
    )


def check_run_folder(
    folder: str | Path, provenance: Mapping[str, Any], *, force: bool
) -> xr.DataTree | None:
    """Refuse a folder that holds another run, before anything is computed.

    Parameters
    ----------
    folder : str or Path
        Where the run is to be written.
    provenance : mapping
        Of the run that is asked for.
    force : bool
        Whether what is there may be replaced.

    Returns
    -------
    DataTree or None
        The finished run, if the folder holds exactly the run that is asked for.

    Raises
    ------
    RunFolderError
        If the folder holds something else.
    """
    folder = Path(folder)
    if force or not folder.exists():
        return None
    if not folder.is_dir():
        raise RunFolderError(f"{folder} is a file: name a folder for the run.")
    if not any(folder.iterdir()):
        return None
    try:
        there = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunFolderError(
            f"{folder} is not empty and holds no run that can be read ({error}): "
            "choose another folder, or replace this one with --force (force=True)."
        ) from error
    # Runs of earlier versions do not name their method.
    here, there = {"method": "mcmc", **provenance}, {"method": "mcmc", **there}
    differing = [
        f"{part} {there.get(part, 'unknown')} there, {here[part]} asked for"
        for part in ("model", "sampler", "inputs", "method")
        if there.get(part) != here[part]
    ]
    if differing:
        raise RunFolderError(
            f"{folder} holds another run (fingerprint {there.get('fingerprint', 'unknown')}, "
            f"asked for {provenance['fingerprint']}): {'; '.join(differing)}. "
            "Choose another folder, or replace this one with --force (force=True)."
        )
    return read_run(folder)


def write_run(
    idata: xr.DataTree,
    spec: Spec,
    sampler: SamplerSpec,
    provenance: Mapping[str, Any],
    folder: str | Path,
) -> Path:
    """Write a run under a temporary name, then move it into place.

    Parameters
    ----------
    idata : DataTree
        What `fit` returns.
    spec, sampler : Spec, SamplerSpec
        What was asked.
    provenance : mapping
        From `make_provenance`.
    folder : str or Path
        Replaced as a whole if it exists; `check_run_folder` has refused what must stay.

    Returns
    -------
    Path
        `folder`.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        write_spec(AnalysisSpec(model=spec, sampler=sampler), work / "spec.yaml")
        (work / "provenance.json").write_text(
            json.dumps(dict(provenance), indent=2) + "\n", encoding="utf-8"
        )
        idata.to_netcdf(work / POSTERIOR, engine="h5netcdf")
        # mkdtemp makes folders that nobody else can enter; a run is read by colleagues.
        work.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        work.replace(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder


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
        If there is no such folder, no run in it, or its posterior cannot be read.
    """
    path = Path(folder) / POSTERIOR
    if not path.is_file():
        raise RunFolderError(
            f"{folder} holds no finished run ({POSTERIOR} is missing): give the folder that "
            "`bayes-mdd fit` wrote, or fit again."
        )
    try:
        with xr.open_datatree(path, engine="h5netcdf") as stored:
            return stored.load()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise RunFolderError(
            f"{path} cannot be read ({error}): the file is truncated or damaged; fit again."
        ) from error
