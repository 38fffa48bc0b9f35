"""Views: several kinds of data of the same subjects as one feature set."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import xarray as xr

from bayes_mdd.dims import BLOCK, FEATURE, MISSING, REGION, SUBJECT
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.features.additions import (
    DIFFERENCES,
    MEASURE,
    PIECES,
    RAW_MEAN,
    RAW_SD,
    RAW_UNITS,
)
from bayes_mdd.features.provenance import extend_provenance, left_out_text, provenance_text
from bayes_mdd.features.view_coordinates import (
    PREFIXED,
    VIEW_SEPARATOR,
    feature_coordinates,
    region_coordinates,
    subject_coordinates,
)


def combine_views(
    views: Mapping[str, xr.Dataset],
    *,
    subjects: Literal["refuse", "intersect"] = "refuse",
    people: Literal["refuse", "intersect"] | None = None,
) -> xr.Dataset:
    """Combine several kinds of data of the same subjects into one feature set.

    Parameters
    ----------
    views : mapping of str to xarray.Dataset
        For example ``{"fc": edges, "thickness": thickness}``: feature sets that are either all as
        measured or all standardised (`reference_to_controls`). Units may differ: apply
        `reference_to_controls` to the result, which standardises each feature separately.
    subjects : {"refuse", "intersect"}, default "refuse"
        Treatment of subjects who are not in all views: raise an error that names them, or keep
        the subjects who are in all views and list the others in the attribute ``left_out``.
    people : {"refuse", "intersect"}, optional
        Former name of `subjects`.

    Returns
    -------
    xarray.Dataset
        Feature set with features and blocks named ``<view>:<name>`` (``fc:DMN-CCN``), so that the
        model estimates noise and factor scales separately for each view, and with the coordinates
        ``view`` and ``units`` on the features. The subjects have the coordinates of all views.
        Coordinates that a view does not have are "n/a" (text) or NaN (numbers). Differences
        between halves or sessions are kept if all views have them; pieces of the scan are left out.
        ``provenance`` says what was left out.

    Raises
    ------
    SpecError
        If `subjects` is unknown.
    DataContractError
        If there are fewer than two views, a name is not allowed, subjects or their coordinates
        differ between views, or standardised views are mixed with others.

    Warns
    -----
    DeprecationWarning
        If `people` is given.

    See Also
    --------
    select_view : Extract one view.

    Examples
    --------
    >>> def one(name, block):
    ...     on = {"subject": ["s1", "s2"], "feature": [name], "block": ("feature", [block])}
    ...     return xr.Dataset({"y": (("subject", "feature"), [[1.0], [2.0]])}, on)
    >>> both = combine_views({"fc": one("a--b", "N-N"), "fa": one("cst", "tracts")})
    >>> both["block"].values.tolist()
    ['fc:N-N', 'fa:tracts']
    """
    if people is not None:
        warnings.warn(
            "people is now called subjects; the former name will be removed in the next version.",
            DeprecationWarning,
            stacklevel=2,
        )
        subjects = people
    if subjects not in ("refuse", "intersect"):
        raise SpecError(f"subjects must be refuse or intersect; got {subjects!r}.")
    problems = _view_problems(views)
    if problems:
        raise DataContractError("views", problems)
    names = {view: [str(s) for s in d[SUBJECT].values] for view, d in views.items()}
    first = next(iter(names.values()))
    kept = [s for s in first if all(s in set(ids) for ids in names.values())]
    lacking = _lacking(names)
    problems = _subject_problems(lacking, subjects, kept)
    chosen = {view: d.sel({SUBJECT: kept}) for view, d in views.items()} if not problems else {}
    on_subject, conflicts = subject_coordinates(chosen)
    if problems + conflicts:
        raise DataContractError("views", problems + conflicts)
    on_region, disagreeing = region_coordinates(chosen)
    y = np.concatenate([d["y"].values for d in chosen.values()], axis=1)
    units = {view: str(d.attrs.get("units", MISSING)) for view, d in views.items()}
    same_units = len(set(units.values())) == 1
    references = dict.fromkeys(str(d.attrs.get("reference", MISSING)) for d in views.values())
    estimands = {str(d.attrs["estimand"]) for d in views.values() if "estimand" in d.attrs}
    combined = xr.Dataset(
        {"y": ((SUBJECT, FEATURE), y)},
        coords={
            SUBJECT: kept,
            **on_subject,
            **feature_coordinates(chosen),
            **on_region,
        },
        attrs={
            "units": next(iter(units.values()))
            if same_units
            else "; ".join(f"{view}: {u}" for view, u in units.items()),
            "reference": "; ".join(references),
            "provenance": provenance_text(
                source="views",
                views={view: d.attrs.get("provenance") for view, d in views.items()},
                regions_differ_in=disagreeing or None,
            ),
            **({"estimand": estimands.pop()} if estimands else {}),
            **left_out_text(subjects, lacking),
        },
    )
    return _with_additions(combined, chosen)


def _with_additions(combined: xr.Dataset, views: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """Add what all views have in common; record what was left out."""
    every = list(views.values())
    kept = [name for name in DIFFERENCES if all(name in d for d in every)]
    out = combined.assign(
        {
            name: ((SUBJECT, FEATURE), np.concatenate([d[name].values for d in every], axis=1))
            for name in kept
        }
    )
    measures = {d.attrs.get(MEASURE) for d in every}
    if len(measures) == 1 and None not in measures:
        out = out.assign_attrs({MEASURE: measures.pop()})
    lost = {
        name: "not in all views"
        for name in DIFFERENCES
        if name not in kept and any(name in d for d in every)
    }
    if any(PIECES in d for d in every):
        lost[PIECES] = "pieces belong to one view"
    units = {d.attrs.get(RAW_UNITS) for d in every if RAW_SD in d.coords}
    if len(units) == 1:
        out = out.assign_attrs({RAW_UNITS: units.pop()})
    elif units:
        out = out.drop_vars([RAW_MEAN, RAW_SD])
        lost |= dict.fromkeys((RAW_MEAN, RAW_SD), "raw units differ between the views")
    if lost:
        text = extend_provenance(out.attrs["provenance"], additions_left_out=lost)
        out = out.assign_attrs(provenance=text)
    return out


def select_view(features: xr.Dataset, view: str) -> xr.Dataset:
    """Extract one view from features (or signatures) of several.

    Parameters
    ----------
    features : xarray.Dataset
        Result of `combine_views`, or signatures of a fit to it.
    view : str
        Name of the view.

    Returns
    -------
    xarray.Dataset
        Features and blocks under their original names, without coordinates that are empty for this
        view, and with its regions only.

    Raises
    ------
    DataContractError
        If there are no views, or none of that name.
    """
    known = list(dict.fromkeys(map(str, features["view"].values))) if "view" in features else []
    if view not in known:
        raise DataContractError(
            "views",
            [f"there is no view {view!r}; found {some(known, 12) or 'none'}. Correct the name."],
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
    if RAW_SD not in part.coords:
        part.attrs.pop(RAW_UNITS, None)
    return part.drop_vars("units", errors="ignore")


def _empty(values: np.ndarray[Any, Any]) -> bool:
    if values.dtype.kind == "f":
        return bool(np.isnan(values).all())
    return bool((values.astype(str) == MISSING).all())


def _view_problems(views: Mapping[str, xr.Dataset]) -> list[str]:
    if not isinstance(views, Mapping) or len(views) < 2:
        return ["expected at least two views by name, e.g. {'fc': ..., 'thickness': ...}."]
    problems = [p for view, d in views.items() if (p := _view_problem(view, d)) is not None]
    if problems:
        return problems
    standardised = [view for view, d in views.items() if d.attrs.get("units") == "z"]
    if standardised and len(standardised) < len(views):
        others = [view for view in views if view not in standardised]
        problems.append(
            f"{some(standardised)} is standardised, {some(others)} is not: standardise all views, "
            "or none and apply reference_to_controls to the result."
        )
    change = [view for view, d in views.items() if d.attrs.get("estimand") == "change"]
    if change and len(change) < len(views):
        problems.append(
            f"{some(change)} is a change between sessions, the other views are not: do not combine "
            "the two."
        )
    return problems


def _view_problem(view: object, d: object) -> str | None:
    if not isinstance(view, str) or not view or set(view) & set(":/ "):
        return f"the name {view!r} is empty or contains ':', '/' or a blank: rename the view."
    if not isinstance(d, xr.Dataset) or "y" not in d or d["y"].dims != (SUBJECT, FEATURE):
        return f"{view} is not a feature set: expected y (subject, feature)."
    if BLOCK not in d.coords:
        return f"{view} has no coordinate '{BLOCK}': add it, with one text per feature."
    if "view" in d.coords:
        return f"{view} already consists of views: pass these separately."
    if len({str(s) for s in d[SUBJECT].values}) < d.sizes[SUBJECT]:
        return f"{view} repeats subjects: keep one row per participant."
    return None


def _lacking(names: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Subjects missing from each view, by reason."""
    subjects = list(dict.fromkeys(s for ids in names.values() for s in ids))
    lacking = {
        f"not in {view}": [s for s in subjects if s not in set(ids)] for view, ids in names.items()
    }
    return {reason: ids for reason, ids in lacking.items() if ids}


def _subject_problems(lacking: Mapping[str, list[str]], policy: str, kept: list[str]) -> list[str]:
    if lacking and policy == "refuse":
        listed = "; ".join(f"{len(ids)} {why} ({some(ids)})" for why, ids in lacking.items())
        return [
            f"participants differ between the views: {listed}. Add their data, exclude them, or "
            "pass subjects='intersect' to keep the participants who are in all views."
        ]
    return [] if kept else ["no participant is in all views: check the spelling of the ids."]
