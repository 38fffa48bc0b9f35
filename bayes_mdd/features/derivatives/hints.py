"""How a setting is given in Python and on the command line, for messages."""

from __future__ import annotations


def setting_hint(name: str, value: object) -> str:
    """Say how a setting of `DerivativesSpec` is given.

    Parameters
    ----------
    name : str
        Name of the field.
    value : object
        The value to recommend.

    Returns
    -------
    str
        For Python and for the command line.

    Examples
    --------
    >>> setting_hint("missing_regions", "drop")
    "missing_regions='drop' (DerivativesSpec; --set missing_regions=drop)"
    """
    return f"{name}={value!r} (DerivativesSpec; --set {name}={value})"
