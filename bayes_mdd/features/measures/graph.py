"""Graph measures of regions, from the edges of each subject."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bayes_mdd.dims import FEATURE, REGION, SUBJECT
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.features.additions import DIFFERENCES, PIECES, left_out_additions
from bayes_mdd.features.assemble import regional_features as assemble_regions
from bayes_mdd.features.loading import Floats
from bayes_mdd.features.matrices import FISHER_Z, R
from bayes_mdd.features.measures.subjects import for_each_subject
from bayes_mdd.features.measures.topology import (
    UNITS,
    clustering,
    efficiency,
    participation,
    strength,
)
from bayes_mdd.features.provenance import extend_provenance
from bayes_mdd.features.views import combine_views


def graph_features(
    features: xr.Dataset,
    measures: Sequence[str] = ("strength", "participation", "clustering", "efficiency"),
    *,
    density: float | None = None,
    n_jobs: int | None = None,
) -> xr.Dataset:
    """Compute graph measures of all regions.

    Weights are correlations (Fisher z is transformed back to r) or, for other units, the edges
    divided by the largest edge of the subject. Negative edges are set to 0, because the measures
    are not defined for them.

    Parameters
    ----------
    features : xarray.Dataset
        Edges as measured (not standardised). Edges that are not among the features count as absent.
    measures : sequence of str, default all
        ``strength``, ``participation`` (over the networks of the region table), ``clustering``,
        ``efficiency``.
    density : float, optional
        Fraction of all possible edges to keep, the strongest edges of each subject. Default: all
        positive edges. With a fixed density, graphs of different subjects are comparable in
        density, but not in strength.
    n_jobs : int, optional
        See `connectivity_from_timeseries`.

    Returns
    -------
    xarray.Dataset
        Feature set with one value per region. Several measures are combined as views (see
        `combine_views`): features ``strength:R1``, blocks ``strength:DMN``.

    Raises
    ------
    SpecError
        If a measure is unknown or `density` is not between 0 and 1.
    DataContractError
        If the features are not edges, are standardised, contradict their units (r above 1), or a
        subject has no positive edge.

    Examples
    --------
    >>> from bayes_mdd.features import connectivity_from_timeseries
    >>> table = pd.DataFrame({"region": ["a", "b", "c"], "network": ["N", "N", "M"]})
    >>> rng = np.random.default_rng(0)
    >>> series = rng.normal(size=(4, 50, 3)) + rng.normal(size=(4, 50, 1))
    >>> hubs = graph_features(connectivity_from_timeseries(series, table), ["strength"])
    >>> hubs["feature"].values.tolist(), hubs["block"].values.tolist()
    (['a', 'b', 'c'], ['N', 'N', 'M'])
    """
    chosen = _check_options(measures, density)
    _check_edges(features)
    table = _region_table(features)
    names = table["region"].to_numpy(str)
    row_of = {name: i for i, name in enumerate(names)}
    ends = [np.array([row_of[str(r)] for r in features[f"region_{s}"].values]) for s in "ab"]
    weights, negative = _weights(features)
    n = len(names)
    keep = None if density is None else round(density * n * (n - 1) / 2)
    task = partial(
        _measure,
        first=ends[0],
        second=ends[1],
        module=pd.factorize(table["network"])[0].astype(np.intp),
        measures=chosen,
        keep=keep,
    )
    by_subject = dict(zip(map(str, features[SUBJECT].values), weights, strict=True))
    rows = for_each_subject(task, by_subject, label="graph", n_jobs=n_jobs)
    values = np.stack(list(rows))  # subject, measure, region
    return _assemble(features, table, values, chosen, density, negative)


def _check_options(measures: Sequence[str], density: float | None) -> list[str]:
    chosen = [measures] if isinstance(measures, str) else list(dict.fromkeys(measures))
    unknown = [m for m in chosen if m not in UNITS]
    if unknown or not chosen:
        raise SpecError(
            f"measures must be among {', '.join(UNITS)}; got {some(unknown) or 'none'}."
        )
    if density is not None and not 0 < density <= 1:
        raise SpecError(f"density must be above 0 and at most 1; got {density}.")
    return chosen


def _check_edges(features: xr.Dataset) -> None:
    problems = []
    if "y" not in features or {"region_a", "region_b"} - set(map(str, features.coords)):
        raise DataContractError(
            "graph", ["the features are not edges: expected the coordinates region_a and region_b."]
        )
    units = features.attrs.get("units")
    y = features["y"].values
    if units == "z" or features.attrs.get("estimand") == "change":
        problems.append(
            "the edges are standardised or differences between sessions, which cannot serve as "
            "weights of a graph: use the edges as measured."
        )
    elif units == "tangent":
        problems.append(
            "tangent values are relative to the group and cannot serve as weights of a graph: use "
            "correlations."
        )
    elif not np.isfinite(y).all():
        problems.append(
            f"{int((~np.isfinite(y)).sum())} edge(s) are missing or infinite: exclude them."
        )
    elif units == R and (np.abs(y) > 1).any():
        problems.append('units are "r" but values exceed 1, as for Fisher z: correct the units.')
    elif not (y > 0).any(axis=1).all():
        listed = some(features[SUBJECT].values[~(y > 0).any(axis=1)])
        problems.append(f"no edge is positive in {listed}: exclude these participants.")
    if (features["region_a"].values.astype(str) == features["region_b"].values.astype(str)).any():
        problems.append(
            "some features connect a region with itself: extract the edges with select_view."
        )
    if problems:
        raise DataContractError("graph", problems)


def _region_table(features: xr.Dataset) -> pd.DataFrame:
    """Regions with their networks, in atlas order if it is known."""
    if REGION in features.coords and "region_network" in features.coords:
        columns = {
            short: features[f"region_{short}"].values
            for short in ("network", "x", "y", "z", "label", "hemisphere")
            if f"region_{short}" in features.coords
        }
        return pd.DataFrame({"region": features[REGION].values.astype(str)} | columns)
    known: dict[str, str] = {}
    for side in "ab":
        nets = features[f"network_{side}"].values if f"network_{side}" in features.coords else None
        for i, name in enumerate(features[f"region_{side}"].values.astype(str)):
            known.setdefault(name, "all" if nets is None else str(nets[i]))
    return pd.DataFrame({"region": list(known), "network": list(known.values())})


def _weights(features: xr.Dataset) -> tuple[Floats, float]:
    """Weights between 0 and 1, and the fraction of negative edges."""
    y = features["y"].values.astype(np.float64)
    units = features.attrs.get("units")
    if units == FISHER_Z:
        y = np.tanh(y)
    elif units != R:
        y = y / y.max(axis=1, keepdims=True)
    return np.maximum(y, 0.0), float((y < 0).mean())


def _measure(
    edges: Floats,
    *,
    first: npt.NDArray[np.intp],
    second: npt.NDArray[np.intp],
    module: npt.NDArray[np.intp],
    measures: Sequence[str],
    keep: int | None,
) -> Floats:
    if keep is not None and keep < len(edges):
        strongest = np.argsort(-edges, kind="stable")[:keep]
        thinned = np.zeros_like(edges)
        thinned[strongest] = edges[strongest]
        edges = thinned
    n = len(module)
    weights = np.zeros((n, n))
    weights[first, second] = weights[second, first] = edges
    compute: Mapping[str, Callable[[], Floats]] = {
        "strength": lambda: strength(weights),
        "participation": lambda: participation(weights, module),
        "clustering": lambda: clustering(weights),
        "efficiency": lambda: efficiency(weights),
    }
    return np.stack([compute[m]() for m in measures])


def _assemble(
    features: xr.Dataset,
    table: pd.DataFrame,
    values: Floats,
    measures: Sequence[str],
    density: float | None,
    negative: float,
) -> xr.Dataset:
    on_subject = {n: c for n, c in features.coords.items() if c.dims == (SUBJECT,)}
    n = len(table)
    graph = {
        "density": density,
        "share_of_edges_negative": round(negative, 4),
        "edges_absent": n * (n - 1) // 2 - features.sizes[FEATURE],
    }
    provenance = left_out_additions(
        features, [*DIFFERENCES, PIECES], "graph measures are computed from the whole scan only"
    )
    views = {}
    for i, measure in enumerate(measures):
        view = assemble_regions(
            values[:, i],
            features[SUBJECT].values.astype(str).tolist(),
            table,
            np.arange(n),
            participants=None,
            kind=measure,
            units=UNITS[measure],
            provenance=extend_provenance(provenance, graph={"measure": measure} | graph),
        )
        left_out = {"left_out": v} if (v := features.attrs.get("left_out")) else {}
        views[measure] = view.assign_coords(on_subject).assign_attrs(left_out)
    return next(iter(views.values())) if len(views) == 1 else combine_views(views)
