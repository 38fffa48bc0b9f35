"""Symptom scales as data: items, ranges, dimensions and the missing-item rule, from YAML files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml

from bayes_mdd.errors import SpecError, some


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a scale.

    Parameters
    ----------
    id : str
        Its number on the form.
    text : str
        A few words about it; the wording of the form is not repeated.
    min, max : int
        Range of its whole-number scores.
    """

    id: str
    text: str
    min: int
    max: int


@dataclass(frozen=True, slots=True)
class Dimension:
    """A score made of several items, or of several other dimensions.

    Parameters
    ----------
    name : str
        Its column name.
    parts : tuple of str
        Item ids, or dimension names where `of_dimensions`.
    aggregate : {"sum", "max"}
        How the parts are put together.
    max_missing : int
        With more unrated parts the dimension is not known.
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
    """An item that is rated in one of several ways, such as weight loss 16A or 16B.

    Parameters
    ----------
    items : tuple of str
        The ways, each as an item id.
    default : str
        The one used where several were rated and differ.
    """

    items: tuple[str, ...]
    default: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A symptom scale.

    Parameters
    ----------
    name : str
        Short name, also of its file.
    title, version, missing_rule : str
        For people.
    items : tuple of Item
        In the order of the form.
    dimensions : tuple of Dimension
        In the order of the score table; dimensions of dimensions come last.
    alternatives : mapping of str to Alternative
        By item id.
    sources : tuple of str
        Where items, ranges and dimensions come from.
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
            Its name.

        Returns
        -------
        tuple of int
            Lowest and highest.

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
        for one in self.dimensions:
            lows, highs = zip(*(ranges[part] for part in one.parts), strict=True)
            whole = sum if one.aggregate == "sum" else max
            ranges[one.name] = (whole(lows), whole(highs))
        return ranges[dimension]


def available_scales() -> list[str]:
    """Names of the scales that come with the package.

    Returns
    -------
    list of str
        Sorted names.

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
    """Read a scale by name, or from a YAML file of your own.

    Parameters
    ----------
    name : str or Path
        One of `available_scales`, or the path of a file laid out like those in
        ``bayes_mdd/cohort/scales``.

    Returns
    -------
    Scale
        The scale.

    Raises
    ------
    SpecError
        If there is no such scale (the nearest name is given) or the file is not a scale.

    Examples
    --------
    >>> [d.name for d in read_scale("hamd17").dimensions][:2]
    ['retardation', 'cognitive']
    """
    if Path(name).suffix in (".yaml", ".yml"):
        try:
            text = Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SpecError(f"Cannot read the scale {name}: {error}.") from error
    else:
        known = available_scales()
        if str(name) not in known:
            near = get_close_matches(str(name).lower(), known, n=1)
            hint = f"Did you mean '{near[0]}'? " if near else ""
            raise SpecError(
                f"Unknown scale '{name}'. {hint}Known are {some(known)}; "
                "or give the path of a YAML file."
            )
        text = (files("bayes_mdd.cohort") / "scales" / f"{name}.yaml").read_text(encoding="utf-8")
    try:
        return _scale(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise SpecError(f"Scale {name} is not valid YAML: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SpecError(f"Scale {name} is not laid out as a scale: {error!r}.") from error


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
    for one in scale.dimensions:
        if strange := set(one.parts) - known:
            raise ValueError(f"dimension '{one.name}' names unknown parts {some(sorted(strange))}")
        known.add(one.name)
    return scale


def _dimension(name: str, raw: Mapping[str, Any]) -> Dimension:
    if (aggregate := raw["aggregate"]) not in ("sum", "max"):
        raise ValueError(f"dimension '{name}' has aggregate {aggregate!r}, expected sum or max")
    of_dimensions = "dimensions" in raw
    parts = tuple(str(part) for part in raw["dimensions" if of_dimensions else "items"])
    return Dimension(str(name), parts, aggregate, int(raw["max_missing"]), of_dimensions)
