"""Symptom scales, defined in YAML files: items, ranges, dimensions and rule for missing items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from bayes_mdd.errors import SpecError, UnreadableFileError, some
from bayes_mdd.files.regular import brief
from bayes_mdd.files.structured import MAX_YAML, parse_yaml
from bayes_mdd.files.text import read_text


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a scale.

    Parameters
    ----------
    id : str
        Number of the question on the form.
    text : str
        Short description, not the wording of the form.
    min, max : int
        Lowest and highest score; scores are whole numbers.
    """

    id: str
    text: str
    min: int
    max: int


@dataclass(frozen=True, slots=True)
class Dimension:
    """A score computed from several items, or from several other dimensions.

    Parameters
    ----------
    name : str
        Column name of the score.
    parts : tuple of str
        Item ids; names of dimensions if `of_dimensions` is True.
    aggregate : {"sum", "max"}
        How the parts are combined.
    max_missing : int
        Largest number of unrated parts. With more, the score is missing.
    of_dimensions : bool
        Whether the parts are dimensions.
    """

    name: str
    parts: tuple[str, ...]
    aggregate: Literal["sum", "max"]
    max_missing: int
    of_dimensions: bool = False


@dataclass(frozen=True, slots=True)
class Alternative:
    """An item with alternative ratings, such as weight loss (16A or 16B of the HAMD).

    Parameters
    ----------
    items : tuple of str
        Ids of the alternative ratings.
    default : str
        Alternative to use where several were rated and differ.
    """

    items: tuple[str, ...]
    default: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A symptom scale.

    Parameters
    ----------
    name : str
        Short name; also the name of its file.
    title, version, missing_rule : str
        Descriptions for reports and documentation.
    items : tuple of Item
        Items in the order of the form.
    dimensions : tuple of Dimension
        Dimensions in the order of the score table; dimensions of dimensions come last.
    alternatives : mapping of str to Alternative
        Alternative ratings by item id.
    sources : tuple of str
        References for items, ranges and dimensions.
    """

    name: str
    title: str
    version: str
    missing_rule: str
    items: tuple[Item, ...]
    dimensions: tuple[Dimension, ...]
    alternatives: Mapping[str, Alternative] = field(default_factory=dict)
    sources: tuple[str, ...] = ()

    def range_of(self, dimension: str) -> tuple[int, int]:
        """Lowest and highest possible score of a dimension.

        Parameters
        ----------
        dimension : str
            Name of the dimension.

        Returns
        -------
        tuple of int
            Lowest and highest score.

        Raises
        ------
        KeyError
            If the scale has no such dimension.

        Examples
        --------
        >>> read_scale("hamd17").range_of("hamd17_total")
        (0, 52)
        """
        ranges = {item.id: (item.min, item.max) for item in self.items}
        for candidate in self.dimensions:
            lows, highs = zip(*(ranges[part] for part in candidate.parts), strict=True)
            combine = sum if candidate.aggregate == "sum" else max
            ranges[candidate.name] = (combine(lows), combine(highs))
        return ranges[dimension]


def available_scales() -> list[str]:
    """List the scales that are included in the package.

    Returns
    -------
    list of str
        Names in alphabetical order.

    Examples
    --------
    >>> available_scales()
    ['hamd17', 'hamd24', 'madrs', 'qids_sr16']
    """
    folder = files("bayes_mdd.cohort") / "scales"
    return sorted(
        f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml")
    )


def read_scale(name: str | Path) -> Scale:
    """Read a scale by name, or from a YAML file.

    Parameters
    ----------
    name : str or Path
        One of `available_scales`, or the path of a file laid out like those in
        ``bayes_mdd/cohort/scales``.

    Returns
    -------
    Scale
        Items, dimensions and rule for missing items.

    Raises
    ------
    SpecError
        If the scale is unknown (the message suggests the closest name), or the file does not
        define a scale.

    Examples
    --------
    >>> [d.name for d in read_scale("hamd17").dimensions][:2]
    ['retardation', 'cognitive']
    """
    if Path(name).suffix in (".yaml", ".yml"):
        try:
            text = read_text(name, limit=MAX_YAML)
        except UnreadableFileError as error:
            raise SpecError(
                f"Cannot read the scale {name}: {error} Correct Scale in the JSON sidecar, or the "
                "file."
            ) from error
    else:
        known = available_scales()
        if str(name) not in known:
            similar = get_close_matches(str(name).lower(), known, n=1)
            hint = f"Did you mean '{similar[0]}'? " if similar else ""
            raise SpecError(
                f"Unknown scale '{name}'. {hint}Known scales: {some(known)}. "
                "Give one of these or the path of a YAML file."
            )
        text = (files("bayes_mdd.cohort") / "scales" / f"{name}.yaml").read_text(encoding="utf-8")
    try:
        return _scale(parse_yaml(text, str(name)))
    except UnreadableFileError as error:
        raise SpecError(f"Cannot read the scale {name}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        reason = f"'{error.args[0]}' is missing" if isinstance(error, KeyError) else brief(error)
        raise SpecError(
            f"{name} does not define a scale: {reason}. Expected name, title, missing_rule, items "
            "and dimensions, as in bayes_mdd/cohort/scales/madrs.yaml."
        ) from error


def _scale(raw: Mapping[str, Any]) -> Scale:
    items = tuple(
        Item(str(i["id"]).lower(), str(i["text"]), int(i["min"]), int(i["max"]))
        for i in raw["items"]
    )
    scale = Scale(
        name=str(raw["name"]),
        title=str(raw["title"]),
        version=str(raw.get("version", "")),
        missing_rule=str(raw["missing_rule"]),
        items=items,
        dimensions=tuple(_dimension(name, d) for name, d in raw["dimensions"].items()),
        alternatives={
            str(item): Alternative(tuple(map(str, a["items"])), str(a["default"]))
            for item, a in (raw.get("alternatives") or {}).items()
        },
        sources=tuple(map(str, raw.get("sources") or ())),
    )
    known = {item.id for item in items}
    for dimension in scale.dimensions:
        if unknown := set(dimension.parts) - known:
            raise ValueError(
                f"dimension '{dimension.name}' names unknown parts {some(sorted(unknown))}"
            )
        known.add(dimension.name)
    return scale


def _dimension(name: str, raw: Mapping[str, Any]) -> Dimension:
    if (aggregate := raw["aggregate"]) not in ("sum", "max"):
        raise ValueError(f"dimension '{name}' has aggregate {aggregate!r}, expected sum or max")
    of_dimensions = "dimensions" in raw
    parts = tuple(str(part) for part in raw["dimensions" if of_dimensions else "items"])
    return Dimension(str(name), parts, aggregate, int(raw["max_missing"]), of_dimensions)
