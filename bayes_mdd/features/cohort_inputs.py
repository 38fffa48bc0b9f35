"""Participants, symptoms and features of a cohort folder, read together with all problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import xarray as xr

from bayes_mdd.cohort import Cohort, read_cohort, read_participants
from bayes_mdd.errors import BayesMDDError, DataContractError, problems_of
from bayes_mdd.features.folder.reading import read_features


@dataclass(frozen=True, eq=False, kw_only=True)
class CohortInputs:
    """What could be read of a cohort folder.

    Parameters
    ----------
    participants : pandas.DataFrame or None
        The participants; None if they could not be read.
    cohort : Cohort or None
        With the symptoms; None if a table could not be read.
    features : xarray.Dataset or None
        As measured; None if they could not be read.
    errors : tuple of BayesMDDError
        Why something could not be read.
    """

    participants: pd.DataFrame | None = None
    cohort: Cohort | None = None
    features: xr.Dataset | None = None
    errors: tuple[BayesMDDError, ...] = ()

    @property
    def problems(self) -> list[str]:
        """All problems, in the order of the files."""
        return [p for error in self.errors for p in problems_of(error)]

    def require(self, folder: Path) -> tuple[Cohort, xr.Dataset]:
        """Return cohort and features, or raise one error with all problems.

        Parameters
        ----------
        folder : Path
            The cohort folder, for the message.

        Returns
        -------
        tuple
            Cohort and features.

        Raises
        ------
        BayesMDDError
            If anything could not be read.
        """
        if len(self.errors) == 1:
            raise self.errors[0]
        if self.cohort is None or self.features is None:
            raise DataContractError(f"cohort {folder}", self.problems)
        return self.cohort, self.features


def read_cohort_inputs(
    folder: str | Path, *, controls: Sequence[str] | None = None
) -> CohortInputs:
    """Read participants, symptoms and features of a cohort folder, and collect all errors.

    Parameters
    ----------
    folder : str or Path
        The cohort folder.
    controls : sequence of str, optional
        The diagnoses that mark healthy controls, see `bayes_mdd.cohort.read_participants`.

    Returns
    -------
    CohortInputs
        What could be read, and the errors. Features are read if the participants can be.
    """
    folder = Path(folder)
    errors: list[BayesMDDError] = []
    participants = cohort = features = None
    try:
        cohort = read_cohort(folder, controls=controls)
        participants = cohort.participants
    except BayesMDDError as error:
        errors.append(error)
        try:
            participants = read_participants(folder, controls=controls)
        except BayesMDDError:
            return CohortInputs(errors=tuple(errors))
    try:
        features = read_features(folder, controls=controls)
    except BayesMDDError as error:
        errors.append(error)
    return CohortInputs(
        participants=participants, cohort=cohort, features=features, errors=tuple(errors)
    )
