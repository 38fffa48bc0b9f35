"""Features whose arms are hidden from a fit."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, MISSING, SUBJECT
from bayes_mdd.errors import DataContractError

#: The single arm of features whose arms are hidden, and the coordinate that keeps the arms.
HIDDEN_ARM, ASSIGNED_ARM = "all", "assigned_arm"


def hide_arms(features: xr.Dataset) -> xr.Dataset:
    """Put all patients into one arm, and keep the assigned arms aside.

    A fit to these features does not know who received what, so that its scores can be used to ask
    on which drug patients get better. Patients without a known arm are included: their scans
    inform the factors.

    Parameters
    ----------
    features : Dataset
        A FeatureSet with ``arm`` on ``subject``.

    Returns
    -------
    Dataset
        The same features with arm "all" for every patient, and the former arms as coordinate
        ``assigned_arm``. Healthy controls keep their missing arm. Features whose arms are hidden
        already are returned as they are.

    Raises
    ------
    DataContractError
        If there is no coordinate ``arm``.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> features = bm.simulate_cohort(seed=1, n_regions=14).features
    >>> sorted(set(bm.hide_arms(features)["arm"].values.tolist()))
    ['all', 'n/a']
    """
    if ARM not in features.coords:
        raise DataContractError(
            "features", [f"there is no coordinate '{ARM}' on '{SUBJECT}', so no arm to hide."]
        )
    if ASSIGNED_ARM in features.coords:
        return features
    given = features[ARM].values.astype(str)
    hidden = np.full(given.size, HIDDEN_ARM, dtype=object)
    if DIAGNOSIS in features.coords:
        hidden[features[DIAGNOSIS].values.astype(str) == CONTROL] = MISSING
    return features.assign_coords(
        {ARM: (SUBJECT, hidden), ASSIGNED_ARM: (SUBJECT, given.astype(object))}
    )
