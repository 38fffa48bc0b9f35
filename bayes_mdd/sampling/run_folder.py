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

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, FEATURE, SUBJECT
from bayes_mdd.errors import RunFolderError
from bayes_mdd.specs import AnalysisSpec, SamplerSpec, Spec, write_spec

#: File of the posterior in a run folder.
POSTERIOR = "posterior.nc"
#: Packages whose versions are recorded.
PACKAGES = ("bayes-mdd", "pymc", "pytensor", "nutpie", "arviz", "numpy", "scipy", "xarray", "numba")


def input_checksum(features: xr.Dataset, symptoms: pd.DataFrame | None) -> str:
    """Compute a digest of all inputs that a fit reads.

    Parameters
    ----------
    features : Dataset
        The FeatureSet.
    symptoms : DataFrame, optional
        The table of symptoms.

    Returns
    -------
    str
        SHA-256 in hexadecimal digits.
    """
    digest = hashlib.sha256()
    digest.update(np.ascontiguousarray(features["y"].transpose(SUBJECT, FEATURE).values).data)
    for name in sorted(map(str, features.coords)):
        digest.update(f"{name}={features[name].values.astype(str).tolist()}".encode())
    # Halves, pieces and other sessions, where there are any.
    for name in sorted(map(str, features.data_vars)):
        if name != "y":
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(features[name].values).data)
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
    DataTree or None
        The finished run, if the folder contains exactly the requested run.

    Raises
    ------
    RunFolderError
        If the folder contains anything else.
    """
    folder = Path(folder)
    if force or not folder.exists():
        return None
    if not folder.is_dir():
        raise RunFolderError(f"{folder} is a file: choose a folder for the run.")
    if not any(folder.iterdir()):
        return None
    try:
        there = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunFolderError(
            f"{folder} is not empty and contains no readable run ({error}): "
            "choose another folder, or replace this one with --force (force=True)."
        ) from error
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
    return read_run(folder)


def write_run(
    idata: xr.DataTree,
    spec: Spec,
    sampler: SamplerSpec,
    provenance: Mapping[str, Any],
    folder: str | Path,
) -> Path:
    """Write a run to a temporary folder, then move it into place.

    Parameters
    ----------
    idata : DataTree
        Result of `fit`.
    spec, sampler : Spec, SamplerSpec
        The model and the settings of the sampler.
    provenance : mapping
        From `make_provenance`.
    folder : str or Path
        Replaced as a whole if it exists. Call `check_run_folder` first, which protects folders
        that must not be replaced.

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
        # mkdtemp creates folders that only their owner can read; colleagues read runs as well.
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
        If the folder does not exist, contains no run, or its posterior cannot be read.
    """
    path = Path(folder) / POSTERIOR
    if not path.is_file():
        raise RunFolderError(
            f"{folder} contains no finished run ({POSTERIOR} is missing): pass the folder that "
            "`bayes-mdd fit` wrote, or fit again."
        )
    try:
        with xr.open_datatree(path, engine="h5netcdf") as stored:
            return stored.load()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise RunFolderError(
            f"{path} cannot be read ({error}): the file is truncated or damaged; fit again."
        ) from error
