"""Which features of a factor a view shows, chosen by the posterior."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bayes_mdd.dims import FACTOR, FEATURE
from bayes_mdd.errors import SpecError
from bayes_mdd.results.images import place_regions
from bayes_mdd.results.regions import is_edges, region_positions, region_table
from bayes_mdd.results.strongest import check_top, is_clear


@dataclass(frozen=True, eq=False)
class Choice:
    """Features to show.

    Parameters
    ----------
    shown : ndarray of bool, shape (feature,)
        Which.
    n_clear : int
        Number of features that fulfil the condition and have coordinates.
    n_hidden : int
        Number that fulfil it and lack coordinates.
    condition : str
        The condition in words.
    """

    shown: npt.NDArray[np.bool_]
    n_clear: int
    n_hidden: int
    condition: str

    def say(self, what: str) -> str:
        """Describe the choice.

        Parameters
        ----------
        what : str
            "edges" or "regions".

        Returns
        -------
        str
            One phrase, for titles.
        """
        if not self.n_clear:
            said = f"no {what} whose {self.condition}"
        elif self.n_clear > self.shown.sum():
            said = f"the {int(self.shown.sum())} strongest of {self.n_clear} {what} whose "
            said += self.condition
        else:
            said = f"all {self.n_clear} {what} whose {self.condition}"
        return said + (f" (not drawn: {self.n_hidden} without coordinates)" * bool(self.n_hidden))


def name_of(one: xr.Dataset) -> str:
    """Name a factor as tables and figures do.

    Parameters
    ----------
    one : xarray.Dataset
        Its part of signatures.

    Returns
    -------
    str
        The coordinate ``name``, else the key.
    """
    return str(one["name"].values if "name" in one.coords else one[FACTOR].values)


def find_placed(sig: xr.Dataset) -> tuple[pd.DataFrame, npt.NDArray[np.bool_]]:
    """Find the features that can be drawn in a brain.

    Parameters
    ----------
    sig : xarray.Dataset
        What `signatures` returned.

    Returns
    -------
    regions : DataFrame
        See `region_table`.
    placed : ndarray of bool, shape (feature,)
        Whether all its regions have MNI coordinates.

    Raises
    ------
    DataContractError
        If features name no regions.
    """
    regions = region_table(sig)
    of_region = place_regions(regions)
    sides = ("region_a", "region_b") if is_edges(sig) else ("region_name",)
    ends = [of_region[region_positions(sig, regions.index, side)] for side in sides]
    return regions, np.asarray(np.all(ends, axis=0))


def sign_probability(sig: xr.Dataset) -> npt.NDArray[np.float64]:
    """Compute the posterior probability of the sign of each mean loading.

    Parameters
    ----------
    sig : xarray.Dataset
        What `signatures` returned, or one factor of it.

    Returns
    -------
    ndarray, shape of ``sig["mean"]``
        P(loading > 0) where the posterior mean is positive, else 1 minus it.
    """
    above = sig["p_positive"].values.astype(float)
    return np.asarray(np.where(sig["mean"].values >= 0, above, 1 - above))


def choose_features(
    one: xr.Dataset, placed: npt.NDArray[np.bool_], *, top: int, min_prob: float | None
) -> Choice:
    """Choose the strongest features of those that fulfil a condition.

    Parameters
    ----------
    one : xarray.Dataset
        One factor of signatures.
    placed : ndarray of bool, shape (feature,)
        Features that can be drawn.
    top : int
        At most this many: the largest absolute posterior means.
    min_prob : float or None
        Smallest posterior probability of the sign; None: the interval excludes 0.

    Returns
    -------
    Choice
        What to draw.

    Raises
    ------
    SpecError
        If `top` is below 1 or `min_prob` is no probability.
    """
    check_top(top)
    if min_prob is None:
        clear = is_clear(one)
        condition = f"{float(one.attrs.get('ci_prob', np.nan)):.0%} interval excludes 0"
    elif 0 <= min_prob <= 1:
        clear = (sign_probability(one) >= min_prob) & (one["mean"].values != 0)
        condition = f"sign has a posterior probability of at least {min_prob:g}"
    else:
        raise SpecError(f"min_prob must be a probability between 0 and 1, got {min_prob}.")
    drawn = clear & placed
    order = np.argsort(np.where(drawn, -np.abs(one["mean"].values), np.inf), kind="stable")
    shown = np.zeros(one.sizes[FEATURE], dtype=bool)
    shown[order[: min(top, int(drawn.sum()))]] = True
    return Choice(shown, int(drawn.sum()), int((clear & ~placed).sum()), condition)
