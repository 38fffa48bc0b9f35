"""Numbers as text, the same in tables, reports and figures."""

from __future__ import annotations


def format_probability(value: float) -> str:
    """Write a probability without rounding it to 0 or 1, which draws cannot show.

    Parameters
    ----------
    value : float
        Between 0 and 1.

    Returns
    -------
    str
        To follow the name of the event.

    Examples
    --------
    >>> [format_probability(p) for p in (0.93, 1.0, 0.001)]
    ['= 0.93', '> 0.99', '< 0.01']
    """
    return "> 0.99" if value > 0.99 else "< 0.01" if value < 0.01 else f"= {value:.2f}"
