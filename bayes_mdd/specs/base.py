"""What every spec can do, and the checks of its values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from difflib import get_close_matches
from typing import Any, Self

from bayes_mdd.errors import SpecError, some


class Spec:
    """Reading, writing and identity that every spec shares."""

    @classmethod
    def from_mapping(cls, raw: Mapping[str, Any]) -> Self:
        """Build a spec from parsed YAML; an unknown key is an error, not a default.

        Parameters
        ----------
        raw : mapping
            Keys are the fields of the spec.

        Returns
        -------
        spec
            An instance of this class.

        Raises
        ------
        SpecError
            If a key is unknown (the nearest known one is named) or a value is out of range.
        """
        if not isinstance(raw, Mapping):
            raise SpecError(
                f"{cls.__name__} wants keys and values, got {type(raw).__name__}: {raw!r}."
            )
        known = [f.name for f in fields(cls)]  # type: ignore[arg-type]
        problems = []
        for key in raw:
            if key not in known:
                hint = get_close_matches(str(key), known, n=1)
                tail = f"Did you mean '{hint[0]}'?" if hint else f"Known keys: {', '.join(known)}."
                problems.append(f"Unknown key '{key}' in {cls.__name__}. {tail}")
        if problems:
            raise SpecError(" ".join(problems))
        try:
            return cls(**raw)
        except TypeError as error:
            raise SpecError(f"{cls.__name__}: {error}") from error

    def to_mapping(self) -> dict[str, Any]:
        """Plain values that YAML and JSON can hold.

        Returns
        -------
        dict
            One entry a field; nested specs become dicts, tuples become lists.
        """
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))  # type: ignore[call-overload]
        return plain

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits that change whenever the spec does."""
        text = json.dumps(self.to_mapping(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def check_names(spec: Spec, *fields_: str) -> None:
    """Turn lists of names into tuples; refuse a bare string and repeated names.

    Parameters
    ----------
    spec : Spec
        The spec.
    *fields_ : str
        Names of its fields.

    Raises
    ------
    SpecError
        If a value is not of that kind.
    """
    for name in fields_:
        value = getattr(spec, name)
        if isinstance(value, str) or not isinstance(value, Iterable):
            raise SpecError(f"{name} wants a list of names, got {value!r}.")
        value = tuple(str(v) for v in value)
        twice = sorted({v for v in value if value.count(v) > 1})
        if twice:
            raise SpecError(f"{name} names {some(twice)} more than once.")
        object.__setattr__(spec, name, value)


def check_whole(spec: Spec, minimum: int, *fields_: str) -> None:
    """Refuse what is not a whole number of at least `minimum`.

    Parameters
    ----------
    spec : Spec
        The spec.
    minimum : int
        Smallest value allowed.
    *fields_ : str
        Names of its fields.

    Raises
    ------
    SpecError
        If a value is not of that kind.
    """
    for name in fields_:
        value = getattr(spec, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise SpecError(f"{name} must be a whole number of at least {minimum}, got {value!r}.")


def check_number(spec: Spec, *fields_: str) -> None:
    """Refuse what is not a number.

    Parameters
    ----------
    spec : Spec
        The spec.
    *fields_ : str
        Names of its fields.

    Raises
    ------
    SpecError
        If a value is not of that kind.
    """
    for name in fields_:
        value = getattr(spec, name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise SpecError(f"{name} must be a number, got {value!r}.")


def check_positive(spec: Spec, *fields_: str) -> None:
    """Refuse what is not a finite number above 0.

    Parameters
    ----------
    spec : Spec
        The spec.
    *fields_ : str
        Names of its fields.

    Raises
    ------
    SpecError
        If a value is not of that kind.
    """
    check_number(spec, *fields_)
    for name in fields_:
        if not 0 < (value := getattr(spec, name)) < float("inf"):
            raise SpecError(f"{name} must be a finite number above 0, got {value}.")
