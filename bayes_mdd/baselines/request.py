"""What a user asks to compare, and checks of it that need no data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from bayes_mdd.baselines.choice import import_bcf
from bayes_mdd.baselines.methods import (
    BCF,
    DEFAULT_METHODS,
    METHODS,
    VIEWS,
    Scheme,
    check_names,
)
from bayes_mdd.errors import SpecError

#: Ways to remove sites from features.
HARMONISE: Final = ("site", "combat", "none")
EVENTS: Final = ("response", "remission")


@dataclass(frozen=True, eq=False, kw_only=True)
class Request:
    """What a user asks for.

    Parameters
    ----------
    methods, views : tuple of str
        Names.
    scheme : str
        Name of the scheme.
    folds, repeats, slow_repeats, permutations : int
        Numbers.
    leak, event : str or None
        As for `compare_baselines`.
    harmonise : str
        As for `compare_baselines`.
    named : bool
        Whether the methods were named, so that what cannot be done is an error.
    """

    methods: tuple[str, ...]
    views: tuple[str, ...]
    scheme: Scheme
    folds: int
    repeats: int
    slow_repeats: int
    permutations: int
    leak: str | None
    event: str | None
    harmonise: str
    named: bool


def make_request(
    methods: Sequence[str] | None,
    views: Sequence[str],
    **others: Any,
) -> Request:
    """Arrange arguments.

    Parameters
    ----------
    methods : sequence of str or None
        Names; all that need no extra by default.
    views : sequence of str
        Names.
    **others
        Other fields of `Request`.

    Returns
    -------
    Request
        Not yet checked.
    """
    given = [methods] if isinstance(methods, str) else methods
    names = DEFAULT_METHODS if given is None else tuple(dict.fromkeys(map(str, given)))
    shown = (views,) if isinstance(views, str) else tuple(dict.fromkeys(map(str, views)))
    return Request(methods=names, views=shown, named=methods is not None, **others)


def check_request(request: Request) -> list[str]:
    """Check what does not depend on data.

    Parameters
    ----------
    request : Request
        What a user asks for.

    Returns
    -------
    list of str
        Problems.
    """
    problems = [
        *check_names(request.methods, METHODS, "method"),
        *check_names(request.views, VIEWS, "view"),
        *check_names([request.scheme], ("repeated", "leave_site_out"), "scheme"),
        *check_names([request.harmonise], HARMONISE, "harmonisation"),
    ]
    if request.leak is not None:
        problems += check_names([request.leak], ("selection",), "leak")
    if request.event is not None:
        problems += check_names([request.event], EVENTS, "event")
    problems += _wrong_numbers(request)
    if request.scheme == "leave_site_out" and request.harmonise == "combat":
        problems.append(
            "harmonise='combat' cannot adjust a site that is left out: use harmonise='none' or "
            "'site' with scheme='leave_site_out'."
        )
    if BCF in request.methods:
        try:
            import_bcf()
        except SpecError as error:
            problems.append(str(error))
    return problems


def _wrong_numbers(request: Request) -> list[str]:
    problems = []
    if not request.methods:
        problems.append("methods names none: name at least one, or leave it out.")
    if not request.views:
        problems.append("views names none: name at least one.")
    for name, least in (("folds", 2), ("repeats", 1), ("slow_repeats", 1)):
        value = getattr(request, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            problems.append(f"{name} must be a whole number of at least {least}, got {value!r}.")
    n = request.permutations
    if isinstance(n, bool) or not isinstance(n, int) or n < 0 or 0 < n < 19:
        problems.append(f"permutations must be 0 or at least 19, got {n!r}.")
    return problems
