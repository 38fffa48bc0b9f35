"""The registry of model families.

A family is loaded when it is first used: compiled loops of one model take seconds to import, which
fits of another need not wait for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bayes_mdd.errors import SpecError
from bayes_mdd.results.family import Family


def _shared_specific() -> Family:
    from bayes_mdd.shared_specific.family import FAMILY

    return FAMILY


def _polar_lda() -> Family:
    from bayes_mdd.polar_lda.family import FAMILY

    return FAMILY


#: Every family by its kind, in the order of `bayes_mdd.specs.MODELS`.
FAMILIES: Mapping[str, Callable[[], Family]] = {
    "shared_specific": _shared_specific,
    "polar_lda": _polar_lda,
}


def family_of(kind: str) -> Family:
    """Look a model family up.

    Parameters
    ----------
    kind : str
        A key of `FAMILIES`.

    Returns
    -------
    Family
        What the main job needs of it.

    Raises
    ------
    SpecError
        If there is no such family.

    Examples
    --------
    >>> family_of("shared_specific").kind
    'shared_specific'
    """
    if kind not in FAMILIES:
        raise SpecError(f"kind must be one of {', '.join(FAMILIES)}, got {kind!r}.")
    return FAMILIES[kind]()
