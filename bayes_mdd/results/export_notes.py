"""What the sidecars of exported files say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from bayes_mdd import __version__
from bayes_mdd.dims import FACTOR, MISSING
from bayes_mdd.results.maps import RELIABILITIES, STABILITY


def common_note(sig: xr.Dataset) -> dict[str, Any]:
    """Describe signatures as a whole: what is estimated, units, interval, reference and program.

    Parameters
    ----------
    sig : xarray.Dataset
        What `signatures` returned.

    Returns
    -------
    dict
        Values that JSON can represent.
    """
    return {
        "Estimand": sig.attrs.get("estimand", "expression"),
        "Quantity": "factor loading",
        "Units": sig.attrs.get("units", "unknown"),
        "FeatureUnits": sig.attrs.get("feature_units", "unknown"),
        "Interval": {
            "ci_prob": sig.attrs.get("ci_prob"),
            "ci_kind": sig.attrs.get("ci_kind", "unknown"),
        },
        "Reference": sig.attrs.get("reference", "unknown"),
        "MissingValue": MISSING,
        **({"Note": sig.attrs["note"]} if "note" in sig.attrs else {}),
        "GeneratedBy": [{"Name": "bayes-mdd", "Version": __version__}],
    }


def factor_notes(sig: xr.Dataset) -> Iterator[tuple[str, xr.Dataset, dict[str, Any]]]:
    """Go through the factors of signatures, with what the sidecar says of each.

    Parameters
    ----------
    sig : xarray.Dataset
        What `signatures` returned.

    Yields
    ------
    tuple of str, xarray.Dataset, dict
        Name of the factor, its part of the signatures, and its part of the sidecar.
    """
    for name in sig[FACTOR].values:
        one = sig.sel({FACTOR: name})
        note: dict[str, Any] = {"Factor": str(name), "Statistic": "posterior mean"}
        note |= {
            key.capitalize(): str(one[key].values)
            for key in ("name", "label", "networks")
            if key in one.coords
        }
        if STABILITY in one.coords:
            note["Stability"] = str(one[STABILITY].values)
            note["Reliability"] = {
                key: _finite(float(one[key].values)) for key in RELIABILITIES if key in one.coords
            }
        yield str(name), one, note


def _finite(value: float) -> float | None:
    """JSON has no NaN."""
    return value if np.isfinite(value) else None


def say_name(note: dict[str, Any]) -> str:
    """Say which factor a file is about.

    Parameters
    ----------
    note : dict
        Of the factor, from `factor_notes`.

    Returns
    -------
    str
        Its name; its key where the signatures have no names.

    Examples
    --------
    >>> say_name({"Factor": "F2", "Name": "F2 unnamed"}), say_name({"Factor": "F2"})
    ('F2 unnamed', 'F2')
    """
    return str(note.get("Name", note["Factor"]))
