"""Numbers and units in the words of the page."""

from __future__ import annotations

import numpy as np

from bayes_mdd.response.analysis import ResponseAnalysis
from bayes_mdd.specs.response import ResponseSpec


def say_interval(mean: float, low: float, high: float, digits: int = 2) -> str:
    """Write a number with its interval.

    Parameters
    ----------
    mean, low, high : float
        Estimate and ends.
    digits : int, default 2
        Decimals.

    Returns
    -------
    str
        Text; a rounded zero has no sign.

    Examples
    --------
    >>> say_interval(1.234, -0.001, 2.5)
    '1.23 [0.00, 2.50]'
    """
    shown = (f"{round(float(x), digits) + 0.0:.{digits}f}" for x in (mean, low, high))
    first, second, third = shown
    return f"{first} [{second}, {third}]"


def in_points(spec: ResponseSpec) -> bool:
    """Tell whether an outcome is in points.

    Parameters
    ----------
    spec : ResponseSpec
        The model.

    Returns
    -------
    bool
        False for binary, ordinal and binomial outcomes.
    """
    return spec.kind in ("gaussian", "student")


def unit_of_coefficients(spec: ResponseSpec) -> str:
    """Name the unit of the average effect and of slopes.

    Parameters
    ----------
    spec : ResponseSpec
        The model.

    Returns
    -------
    str
        Words after a number.
    """
    return "points" if in_points(spec) else "SD of the latent outcome"


def say_better(analysis: ResponseAnalysis, difference: float) -> str:
    """Name the drug that a difference is in favour of.

    Parameters
    ----------
    analysis : ResponseAnalysis
        Names and direction.
    difference : float
        Outcome on the other drug minus that on the default.

    Returns
    -------
    str
        Name of an arm.
    """
    sign = -1.0 if analysis.spec.higher_is_better else 1.0
    return analysis.other_arm if sign * difference < 0 else analysis.spec.default_arm


def count_in_words(n: int, noun: str) -> str:
    """Write a number of things.

    Parameters
    ----------
    n : int
        How many.
    noun : str
        In the singular.

    Returns
    -------
    str
        Number and noun.

    Examples
    --------
    >>> count_in_words(1, "factor"), count_in_words(3, "factor")
    ('1 factor', '3 factors')
    """
    return f"{n} {noun}{'' if n == 1 else 's'}"


def share_out(shares: list[float], total: int = 100) -> list[int]:
    """Round shares to whole numbers of a given sum.

    Parameters
    ----------
    shares : list of float
        Shares of sum 1.
    total : int, default 100
        Sum of the numbers.

    Returns
    -------
    list of int
        The largest remainders are rounded up.

    Examples
    --------
    >>> share_out([1 / 3, 1 / 3, 1 / 3])
    [34, 33, 33]
    """
    exact = np.array(shares) * total
    whole = np.floor(exact + 1e-9).astype(int)
    rest = np.argsort(-(exact - whole), kind="stable")[: total - int(whole.sum())]
    whole[rest] += 1
    return [int(n) for n in whole]
