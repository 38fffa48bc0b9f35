"""Digest of the inputs of a fit."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import FEATURE, SUBJECT


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
