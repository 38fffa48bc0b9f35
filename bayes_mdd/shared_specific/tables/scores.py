"""Scores of the subjects of a fit relative to the mean over arms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayes_mdd.dims import ARM, CHAIN, CONTROL, DRAW, FACTOR, SUBJECT
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.results.result import Result
from bayes_mdd.results.used import used_factors
from bayes_mdd.shared_specific.schema import ARM_MEAN, POSTERIOR, SCORES
from bayes_mdd.shared_specific.tables.factors import tabulate_factors
from bayes_mdd.types import Array


@dataclass(frozen=True, eq=False)
class ScoreDraws:
    """Draws of scores, with a common origin in each draw.

    The features have an intercept, so that a constant may be added to the scores of all subjects:
    its draws follow the prior and would widen the interval of every subject. Scores are therefore
    relative to the mean over arms of the draw; to that of controls where these are an arm.

    Parameters
    ----------
    draws : ndarray, shape (draw, subject, factor)
        In SD of the scores of an average arm.
    factors : tuple of str
        Their keys.
    subjects : tuple of str
        Their ids.
    arms : tuple of str
        All arms.
    arm : ndarray of str, shape (subject,)
        Arm of each subject.
    shift : ndarray, shape (draw, factor)
        What was subtracted.
    arm_mean : ndarray, shape (draw, arm, factor)
        Mean of each arm.
    of_model : bool
        Whether these are means of the population (``arm_mean`` of the model), or of the subjects.
    origin : str
        What 0 is.
    """

    draws: Array
    factors: tuple[str, ...]
    subjects: tuple[str, ...]
    arms: tuple[str, ...]
    arm: npt.NDArray[np.str_]
    shift: Array
    arm_mean: Array
    of_model: bool
    origin: str

    def of(self, factor: str) -> Array:
        """Select one factor.

        Parameters
        ----------
        factor : str
            Its key.

        Returns
        -------
        ndarray, shape (draw, subject)
            Its draws.
        """
        return np.asarray(self.draws[:, :, self.factors.index(factor)])


def read_scores(result: Result, factors: Sequence[str]) -> ScoreDraws:
    """Read the scores of the subjects.

    Parameters
    ----------
    result : Result
        A fit.
    factors : sequence of str
        Factors to read.

    Returns
    -------
    ScoreDraws
        All draws.

    Raises
    ------
    DataContractError
        If the fit lacks scores or arms.
    """
    chosen = {FACTOR: list(factors)}
    posterior = result.group(POSTERIOR, [SCORES])
    drawn = posterior[SCORES].sel(chosen).transpose(CHAIN, DRAW, SUBJECT, FACTOR)
    subjects = tuple(drawn[SUBJECT].values.astype(str))
    values = drawn.values.reshape(-1, len(subjects), len(factors))
    stored = result.group("constant_data", [ARM])[ARM]
    arm = stored.sel({SUBJECT: list(drawn[SUBJECT].values)}).values.astype(str)
    arms = result.arms
    averages = np.stack([values[:, arm == a].mean(axis=1) for a in arms], axis=1)
    controls = CONTROL in arms
    origin = averages[:, [arms.index(CONTROL)]] if controls else averages.mean(axis=1)[:, None]
    name = "mean of controls" if controls else "mean over arms"
    of_model = ARM_MEAN in posterior
    means = averages - origin
    if of_model:
        stored_mean = posterior[ARM_MEAN].sel(chosen).transpose(CHAIN, DRAW, ARM, FACTOR)
        means = stored_mean.values.reshape(-1, len(arms), len(factors))
    return ScoreDraws(
        draws=values - origin,
        factors=tuple(factors),
        subjects=subjects,
        arms=arms,
        arm=arm,
        shift=origin[:, 0],
        arm_mean=means,
        of_model=of_model,
        origin=name if len(arms) > 1 else "mean of the participants",
    )


def choose_factors(
    result: Result, factors: pd.DataFrame | Sequence[str] | None, what: str
) -> pd.DataFrame:
    """Choose the factors to show.

    Parameters
    ----------
    result : Result
        A fit.
    factors : DataFrame or sequence of str, optional
        What `classify_factors` returned, or names; by default all that are used.
    what : str
        Name of the caller, for errors.

    Returns
    -------
    DataFrame
        Rows of the table of factors.

    Raises
    ------
    DataContractError
        If a factor is unknown or unused, or none is left.
    """
    named = isinstance(factors, str) or not (factors is None or isinstance(factors, pd.DataFrame))
    table = used_factors(factors if isinstance(factors, pd.DataFrame) else tabulate_factors(result))
    if table.empty:
        raise DataContractError(what, ["every factor is unused: nothing to draw."])
    if not named:
        return table
    wanted = [factors] if isinstance(factors, str) else [str(f) for f in factors or ()]
    known = table["factor"].tolist()
    lost = [f for f in wanted if f not in known]
    if lost or not wanted:
        asked = some(lost) or "none given"
        raise DataContractError(
            what, [f"no such factor that is used: {asked}; there are {some(known, 20)}."]
        )
    chosen = table.set_index("factor", drop=False).loc[wanted].reset_index(drop=True)
    chosen.attrs = dict(table.attrs)
    return chosen
