"""Loadings of a fit over the places of findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import FACTOR, FEATURE
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.evidence.places import Atlas, Place, arrange, place_findings, read_atlas_of
from bayes_mdd.features.views import select_view
from bayes_mdd.files.layout import merge_chains
from bayes_mdd.results.groups import read_group
from bayes_mdd.types import Array

_VIEW = "view"


@dataclass(frozen=True, eq=False)
class ViewMap:
    """Maps over the features of one kind.

    Parameters
    ----------
    atlas : Atlas
        Regions of the features.
    mean : ndarray, shape (factor, feature)
        Posterior means of the loadings.
    draws : ndarray, shape (draw, factor, feature)
        Draws of the loadings; the mean alone where there are none.
    """

    atlas: Atlas
    mean: Array
    draws: Array

    def at(self, place: Place) -> tuple[Array, Array]:
        """Average loadings over a place.

        Parameters
        ----------
        place : Place
            Where.

        Returns
        -------
        mean : ndarray, shape (factor,)
            Of the posterior means.
        draws : ndarray, shape (draw, factor)
            Of each draw.
        """
        inside = place.features(self.atlas)
        return self.mean[:, inside].mean(axis=1), self.draws[:, :, inside].mean(axis=2)


@dataclass(frozen=True, eq=False)
class Maps:
    """Maps of the factors of a fit, and the findings that are placed on them.

    Parameters
    ----------
    factors : tuple of str
        Names.
    views : tuple of ViewMap
        One per kind of features.
    places : mapping of str to (int, Place)
        View and place by ``finding_id``.
    """

    factors: tuple[str, ...]
    views: tuple[ViewMap, ...]
    places: Mapping[str, tuple[int, Place]]

    def at(self, names: Sequence[str]) -> tuple[Array, Array]:
        """Average loadings over the places of findings.

        Parameters
        ----------
        names : sequence of str
            Findings.

        Returns
        -------
        mean : ndarray, shape (factor, finding)
            Of the posterior means.
        draws : ndarray, shape (draw, factor, finding)
            Of each draw.
        """
        found = [self.views[v].at(place) for v, place in (self.places[n] for n in names)]
        mean, draws = ([pair[i] for pair in found] for i in (0, 1))
        return np.stack(mean, axis=-1), np.stack(draws, axis=-1)

    def permuted(self, names: Sequence[str], n: int, rng: np.random.Generator) -> Array:
        """Average loadings over random places of the same kind.

        Parameters
        ----------
        names : sequence of str
            Findings.
        n : int
            Number of permutations. Each exchanges structures (both sides together) and networks of
            the atlas, the same for all findings, so that findings on one place stay together.
        rng : Generator
            Random numbers.

        Returns
        -------
        ndarray, shape (permutation, factor, finding)
            Of the posterior means. A random place without features counts as 0.
        """
        totals = [(arrange(v.atlas, v.mean), arrange(v.atlas, np.ones((1, v.mean.shape[1])))[0])
                  for v in self.views]  # fmt: skip
        found = np.empty((n, len(self.factors), len(names)))
        for draw in found:
            orders = [
                [rng.permutation(int(codes.max(initial=-1)) + 1).astype(np.int64)
                 for codes in (v.atlas.groups, v.atlas.network_codes)]
                for v in self.views
            ]  # fmt: skip
            for at, name in enumerate(names):
                view, place = self.places[name]
                draw[:, at] = place.mean(self.views[view].atlas, *totals[view], *orders[view])
        return np.nan_to_num(found)


def read_maps(
    fit: xr.DataTree | xr.Dataset, factors: Sequence[str] | None
) -> tuple[xr.Dataset, tuple[str, ...]]:
    """Read the loadings of a fit.

    Parameters
    ----------
    fit : DataTree or Dataset
        A fit of factors, or its signatures.
    factors : sequence of str, optional
        Factors to keep. Default: all that have a loading.

    Returns
    -------
    loadings : Dataset
        ``mean`` (factor, feature) and, if the fit has them, ``loadings`` (chain, draw, factor,
        feature).
    factors : tuple of str
        Names of the kept factors.

    Raises
    ------
    DataContractError
        If there are no maps.
    SpecError
        If a factor is unknown.
    """
    loadings = read_group(fit, "loadings", ["mean"]) if isinstance(fit, xr.DataTree) else fit
    if not isinstance(loadings, xr.Dataset) or "mean" not in loadings:
        raise DataContractError(
            "maps", ["there is no variable 'mean': pass a fit of factors, or its signatures."]
        )
    present = [str(f) for f in loadings[FACTOR].values]
    if factors is None:
        used = (loadings["mean"] != 0).any(FEATURE).values
        return loadings, tuple(f for f, u in zip(present, used, strict=True) if u)
    if lost := [f for f in factors if f not in present]:
        raise SpecError(f"factors {some(lost)} are not in the fit, which has {some(present, 12)}.")
    return loadings, tuple(factors)


def place_on_maps(
    loadings: xr.Dataset,
    factors: Sequence[str],
    findings: pd.DataFrame,
    regions: Mapping[str, Sequence[str]] | None,
    networks: Mapping[str, Sequence[str]] | None,
) -> tuple[Maps, dict[str, str]]:
    """Place findings on the maps of a fit.

    Parameters
    ----------
    loadings : Dataset
        From `read_maps`.
    factors : sequence of str
        Factors to keep.
    findings : DataFrame
        Findings.
    regions, networks : mapping, optional
        Regions and networks of the fit by the name in the findings.

    Returns
    -------
    maps : Maps
        Maps with the placed findings.
    reasons : dict of str to str
        Why the others have no place.
    """
    parts = _split_views(loadings)
    at = [[str(f) for f in loadings[FACTOR].values].index(f) for f in factors]
    views: list[ViewMap] = []
    places: dict[str, tuple[int, Place]] = {}
    refused: list[dict[str, str]] = []
    for number, part in enumerate(parts):
        atlas = read_atlas_of(part)
        found, reasons = place_findings(findings, atlas, regions, networks)
        places |= {name: (number, place) for name, place in found.items() if name not in places}
        refused.append(reasons)
        mean = part["mean"].transpose(FACTOR, FEATURE).values[at].astype(float)
        draws = mean[None]
        if (kept := merge_chains(part)) is not None and len(kept):
            draws = kept.values[:, at]
        views.append(ViewMap(atlas, mean, draws))
    reasons = {}
    for name in findings["finding_id"]:
        if name not in places:
            said = [r[name] for r in refused]
            reasons[str(name)] = next((s for s in said if not s.startswith("measures")), said[0])
    return Maps(tuple(factors), tuple(views), places), reasons


def _split_views(loadings: xr.Dataset) -> list[xr.Dataset]:
    """Separate the features of each view."""
    if _VIEW not in loadings.coords:
        return [loadings]
    names = dict.fromkeys(map(str, loadings[_VIEW].values))
    return [select_view(loadings, name) for name in names]
