"""Base class of all specs, and the checks of their values."""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, asdict, fields
from difflib import get_close_matches
from functools import partial, wraps
from typing import Any, ClassVar, Literal, Self, get_args, get_origin, get_type_hints

from bayes_mdd.errors import SpecError, some


class Spec:
    """Conversion from and to mappings, and the fingerprint, for all specs."""

    #: Current name of each renamed field by its former one; see `renamed_fields`.
    former_names: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def from_mapping(cls, raw: Mapping[str, Any]) -> Self:
        """Build a spec from parsed YAML; unknown keys are refused.

        Parameters
        ----------
        raw : mapping
            Values by field name.

        Returns
        -------
        spec
            An instance of this class.

        Raises
        ------
        SpecError
            If a key is unknown (the message suggests the closest known key) or a value is out of
            range.
        """
        if not isinstance(raw, Mapping):
            raise SpecError(
                f"{cls.__name__} must be given as keys and values, got {type(raw).__name__}: "
                f"{raw!r}."
            )
        known = [f.name for f in fields(cls)]  # type: ignore[arg-type]
        problems = []
        for key in raw:
            if key not in known and key not in cls.former_names:
                hint = get_close_matches(str(key), known, n=1)
                tail = f"Did you mean '{hint[0]}'?" if hint else f"Known keys: {', '.join(known)}."
                problems.append(f"Unknown key '{key}' in {cls.__name__}. {tail}")
        given = {cls.former_names.get(str(k), str(k)) for k in raw}
        problems += [
            f"{cls.__name__} needs '{f.name}', which is not given."
            for f in fields(cls)  # type: ignore[arg-type]
            if f.init and f.default is MISSING and f.default_factory is MISSING
            and f.name not in given
        ]  # fmt: skip
        if problems:
            raise SpecError(" ".join(problems))
        try:
            return cls(**raw)
        except SpecError as error:
            raise SpecError(cls._all_problems(raw, str(error))) from error
        except TypeError as error:
            raise SpecError(f"{cls.__name__}: {error}") from error

    @classmethod
    def _all_problems(cls, raw: Mapping[str, Any], first: str) -> str:
        """Add to the first problem those of other values, each tried with the defaults."""
        needed = {
            f.name for f in fields(cls)  # type: ignore[arg-type]
            if f.init and f.default is MISSING and f.default_factory is MISSING
        }  # fmt: skip
        found = [first]
        for key, value in raw.items():
            given = {k: v for k, v in raw.items() if k in needed or k == key}
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    cls(**given)
            except SpecError as error:
                # A value that fits only beside others names those, not itself.
                if str(error) not in first and str(error).startswith((str(key), "Unknown key")):
                    found.append(str(error))
            except TypeError:
                found.append(f"{key} has a value of the wrong type, got {value!r:.100}.")
        return " ".join(dict.fromkeys(found))

    @classmethod
    def override(cls, raw: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
        """Replace values in the mapping of a spec.

        A class whose fields depend on each other also removes the values that no longer apply.

        Parameters
        ----------
        raw : mapping
            From `to_mapping`.
        changes : mapping
            New values by field name; not checked.

        Returns
        -------
        dict
            A mapping for `from_mapping`.
        """
        return {**raw, **changes}

    def to_mapping(self) -> dict[str, Any]:
        """Convert the spec to values that YAML and JSON can store.

        Returns
        -------
        dict
            One entry per field; nested specs become dicts, tuples become lists.
        """
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))  # type: ignore[call-overload]
        return plain

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that identify the values of the spec."""
        text = json.dumps(self.to_mapping(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def renamed_fields[S: Spec](**former_names: str) -> Callable[[type[S]], type[S]]:
    """Accept former names of fields, with a `DeprecationWarning`.

    Decorates a spec dataclass. The former name is accepted as keyword argument, as key of
    `Spec.from_mapping` and as attribute.

    Parameters
    ----------
    **former_names : str
        Current name of a field by its former name.

    Returns
    -------
    callable
        The class decorator.
    """
    return partial(_accept_former_names, former_names)


def _accept_former_names[S: Spec](former_names: Mapping[str, str], cls: type[S]) -> type[S]:
    init: Callable[..., None] = cls.__init__

    @wraps(init)
    def with_former_names(self: S, **values: Any) -> None:
        for old, new in former_names.items():
            if old in values and new in values:
                raise SpecError(f"{old} is the former name of {new}: give {new} only.")
            if old in values:
                values[new] = values.pop(old)
                _warn_of_rename(old, new)
        init(self, **values)

    cls.__init__ = with_former_names  # type: ignore[method-assign, assignment]
    cls.former_names = former_names
    for old, new in former_names.items():
        setattr(cls, old, _former_attribute(old, new))
    return cls


def _warn_of_rename(old: str, new: str) -> None:
    message = f"{old} is now called {new}; the former name will be removed in the next version."
    warnings.warn(message, DeprecationWarning, stacklevel=3)


def _former_attribute(old: str, new: str) -> property:
    def read(spec: Spec) -> Any:
        _warn_of_rename(old, new)
        return getattr(spec, new)

    return property(read, doc=f"Former name of `{new}`.")


def check_choices(spec: Spec) -> None:
    """Check every field annotated as a `Literal`.

    Parameters
    ----------
    spec : Spec
        The spec.

    Raises
    ------
    SpecError
        If a value is not among those of the annotation.
    """
    for name, hint in get_type_hints(type(spec)).items():
        if get_origin(hint) is Literal and getattr(spec, name) not in get_args(hint):
            raise SpecError(f"{name} must be one of {get_args(hint)}, got {getattr(spec, name)!r}.")


def check_names(spec: Spec, *fields_: str) -> None:
    """Check lists of names and convert them to tuples.

    Parameters
    ----------
    spec : Spec
        The spec.
    *fields_ : str
        Names of the fields to check.

    Raises
    ------
    SpecError
        If a value is not a list (a bare string, for example) or repeats a name.
    """
    for name in fields_:
        value = getattr(spec, name)
        if isinstance(value, str) or not isinstance(value, Iterable):
            raise SpecError(f"{name} must be a list of names, got {value!r}.")
        value = tuple(str(v) for v in value)
        repeated = sorted({v for v in value if value.count(v) > 1})
        if repeated:
            raise SpecError(f"{name} lists {some(repeated)} more than once: name each once.")
        object.__setattr__(spec, name, value)


def check_whole(spec: Spec, minimum: int, *fields_: str) -> None:
    """Check that values are whole numbers of at least `minimum`.

    Parameters
    ----------
    spec : Spec
        The spec.
    minimum : int
        Smallest allowed value.
    *fields_ : str
        Names of the fields to check.

    Raises
    ------
    SpecError
        If a value is not such a number.
    """
    for name in fields_:
        value = getattr(spec, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise SpecError(f"{name} must be a whole number of at least {minimum}, got {value!r}.")


def check_number(spec: Spec, *fields_: str) -> None:
    """Check that values are numbers.

    Parameters
    ----------
    spec : Spec
        The spec.
    *fields_ : str
        Names of the fields to check.

    Raises
    ------
    SpecError
        If a value is not a number.
    """
    for name in fields_:
        value = getattr(spec, name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise SpecError(f"{name} must be a number, got {value!r}.{_as_yaml_number(value)}")


def _as_yaml_number(value: object) -> str:
    """Say how YAML writes a number that it reads as text, such as 1e-2."""
    try:
        number = float(value) if isinstance(value, str) else math.nan
    except ValueError:
        return ""
    if not math.isfinite(number):
        return ""
    written = f"{number:g}" if "e" not in f"{number:g}" else f"{number:.1e}"
    return f" Write {written}: YAML reads the other form as text."


def check_positive(spec: Spec, *fields_: str) -> None:
    """Check that values are finite and greater than 0.

    Parameters
    ----------
    spec : Spec
        The spec.
    *fields_ : str
        Names of the fields to check.

    Raises
    ------
    SpecError
        If a value is not such a number.
    """
    check_number(spec, *fields_)
    for name in fields_:
        if not 0 < (value := getattr(spec, name)) < float("inf"):
            raise SpecError(f"{name} must be a finite number above 0, got {value}.")
