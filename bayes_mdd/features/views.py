"""Several kinds of data of the same people as one feature set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import xarray as xr

from bayes_mdd.dims import BLOCK, FEATURE, MISSING, REGION, SUBJECT
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.features.provenance import left_out_text, provenance_text
from bayes_mdd.features.view_coordinates import (
    PREFIXED,
    VIEW_SEPARATOR,
    feature_coordinates,
    region_coordinates,
    subject_coordinates,
)


def combine_views(
    views: Mapping[str, xr.Dataset], *, people: Literal["refuse", "intersect"] = "refuse"
) -> xr.Dataset:
    """Put several kinds of data side by side, each with blocks of its own.

    Parameters
    ----------
    views : mapping of str to xarray.Dataset
        For example ``{"fc": edges, "thickness": thickness}``: feature sets that are either all as
        measured or all standardised (`reference_to_controls`). Units may differ: apply
        `reference_to_controls` afterwards, which standardises every feature by itself.
    people : {"refuse", "intersect"}, default "refuse"
        What to do about people who are not in every view: refuse, or keep those who are in all
        and list the others in the attribute ``left_out``.

    Returns
    -------
    xarray.Dataset
        Feature set with features and blocks named ``<view>:<name>`` (``fc:DMN-CCN``), so that
        every view has its own noise and factor scales in the model, and with the coordinates
        ``view`` and ``units`` on the features. Coordinates of the subjects are those of all views
        together. Text that a view does not have is "n/a", numbers NaN.

    Raises
    ------
    SpecError
        If `people` is unknown.
    DataContractError
        If there are fewer than two views, a name is unusable, people differ, what is said of a
        person differs between views, or standardised views are mixed with others.

    See Also
    --------
    select_view : One view out of the whole again.

    Examples
    --------
    >>> def one(name, block):
    ...     on = {"subject": ["s1", "s2"], "feature": [name], "block": ("feature", [block])}
    ...     return xr.Dataset({"y": (("subject", "feature"), [[1.0], [2.0]])}, on)
    >>> both = combine_views({"fc": one("a--b", "N-N"), "fa": one("cst", "tracts")})
    >>> both["block"].values.tolist()
    ['fc:N-N', 'fa:tracts']
    """
    if people not in ("refuse", "intersect"):
        raise SpecError(f"people must be refuse or intersect; got {people!r}.")
    problems = _view_problems(views)
    if problems:
        raise DataContractError("views", problems)
    names = {view: [str(s) for s in d[SUBJECT].values] for view, d in views.items()}
    first = next(iter(names.values()))
    kept = [s for s in first if all(s in set(own) for own in names.values())]
    lacking = _lacking(names)
    problems = _people_problems(lacking, people, kept)
    chosen = {view: d.sel({SUBJECT: kept}) for view, d in views.items()} if not problems else {}
    on_subject, conflicts = subject_coordinates(chosen)
    if problems + conflicts:
        raise DataContractError("views", problems + conflicts)
    on_region, disagreeing = region_coordinates(chosen)
    y = np.concatenate([d["y"].values for d in chosen.values()], axis=1)
    units = {view: str(d.attrs.get("units", MISSING)) for view, d in views.items()}
    alike = len(set(units.values())) == 1
    references = dict.fromkeys(str(d.attrs.get("reference", MISSING)) for d in views.values())
    estimands = {str(d.attrs["estimand"]) for d in views.values() if "estimand" in d.attrs}
    return xr.Dataset(
        {"y": ((SUBJECT, FEATURE), y)},
        coords={
            SUBJECT: kept,
            **on_subject,
            **feature_coordinates(chosen),
            **on_region,
        },
        attrs={
            "units": next(iter(units.values()))
            if alike
            else "; ".join(f"{view}: {u}" for view, u in units.items()),
            "reference": "; ".join(references),
            "provenance": provenance_text(
                source="views",
                views={view: d.attrs.get("provenance") for view, d in views.items()},
                regions_differ_in=disagreeing or None,
            ),
            **({"estimand": estimands.pop()} if estimands else {}),
            **left_out_text(people, lacking),
        },
    )


def select_view(features: xr.Dataset, view: str) -> xr.Dataset:
    """Take one view out of features (or signatures) of several.

    Parameters
    ----------
    features : xarray.Dataset
        What `combine_views` returned, or signatures of a fit to it.
    view : str
        Its name.

    Returns
    -------
    xarray.Dataset
        Features and blocks under the names they had alone, without coordinates that are empty
        for this view; regions only those it has.

    Raises
    ------
    DataContractError
        If there are no views or none of that name.
    """
    known = list(dict.fromkeys(map(str, features["view"].values))) if "view" in features else []
    if view not in known:
        raise DataContractError(
            "views", [f"there is no view {view!r}; known: {some(known, 12) or 'none'}."]
        )
    part = features.isel({FEATURE: np.flatnonzero(features["view"].values.astype(str) == view)})
    start = len(view) + len(VIEW_SEPARATOR)
    names = [n for n in PREFIXED if n in part.coords]
    stripped = {
        n: [v if v == MISSING else v[start:] for v in map(str, part[n].values)] for n in names
    }
    part = part.assign_coords({n: (FEATURE, np.array(v)) for n, v in stripped.items()})
    edges = (
        "region_b" in part.coords
        and (part["region_a"].values.astype(str) != part["region_b"].values.astype(str)).any()
    )
    unused = {"view"} | (set() if edges else {"region_a", "region_b", "network_a", "network_b"})
    unused |= {str(n) for n, v in part.coords.items() if v.dims == (FEATURE,) and _empty(v.values)}
    part = part.drop_vars([n for n in unused if n in part.coords])
    if REGION in part.dims:
        columns = [c for c in ("region_a", "region_b", "region_name") if c in part.coords]
        regions = {str(n) for c in columns for n in part[c].values}
        part = part.isel({REGION: [str(r) in regions for r in part[REGION].values]})
    units = dict.fromkeys(map(str, part["units"].values)) if "units" in part.coords else {}
    if len(units) == 1 and features.attrs.get("units") != "z":
        part = part.assign_attrs(units=next(iter(units)))
    return part.drop_vars("units", errors="ignore")


def _empty(values: np.ndarray[Any, Any]) -> bool:
    if values.dtype.kind == "f":
        return bool(np.isnan(values).all())
    return bool((values.astype(str) == MISSING).all())


def _view_problems(views: Mapping[str, xr.Dataset]) -> list[str]:
    if not isinstance(views, Mapping) or len(views) < 2:
        return ["expected at least two views by name, e.g. {'fc': ..., 'thickness': ...}."]
    problems = [p for view, d in views.items() if (p := _one_problem(view, d)) is not None]
    if problems:
        return problems
    done = [view for view, d in views.items() if d.attrs.get("units") == "z"]
    if done and len(done) < len(views):
        rest = [v for v in views if v not in done]
        problems.append(
            f"{some(done)} is standardised, {some(rest)} is not: standardise all or none (then "
            "apply reference_to_controls to the whole)."
        )
    change = [view for view, d in views.items() if d.attrs.get("estimand") == "change"]
    if change and len(change) < len(views):
        problems.append(f"{some(change)} is a change between sessions, the others are not.")
    return problems


def _one_problem(view: object, d: object) -> str | None:
    if not isinstance(view, str) or not view or set(view) & set(":/ "):
        return f"the name {view!r} is empty or holds ':', '/' or a blank: rename it."
    if not isinstance(d, xr.Dataset) or "y" not in d or d["y"].dims != (SUBJECT, FEATURE):
        return f"{view} is no feature set: expected y (subject, feature)."
    if BLOCK not in d.coords:
        return f"{view} has no coordinate block."
    if "view" in d.coords:
        return f"{view} consists of views itself: give them one by one."
    if len({str(s) for s in d[SUBJECT].values}) < d.sizes[SUBJECT]:
        return f"{view} repeats subjects: one row a person."
    return None


def _lacking(names: Mapping[str, list[str]]) -> dict[str, list[str]]:
    everybody = list(dict.fromkeys(s for own in names.values() for s in own))
    lacking = {
        f"not in {view}": [s for s in everybody if s not in set(own)] for view, own in names.items()
    }
    return {reason: who for reason, who in lacking.items() if who}


def _people_problems(lacking: Mapping[str, list[str]], people: str, kept: list[str]) -> list[str]:
    if lacking and people == "refuse":
        listed = "; ".join(f"{len(who)} {why} ({some(who)})" for why, who in lacking.items())
        return [
            f"people differ between the views: {listed}. Add their data, leave them out, or say "
            "people='intersect' to keep those who are in all."
        ]
    return [] if kept else ["nobody is in all views: are ids written alike?"]
