"""Value of the rule, and what would happen to a hundred patients."""

from __future__ import annotations

from typing import Any

import pandas as pd

from bayes_mdd.response.analysis import ResponseAnalysis
from bayes_mdd.response.expected import unit_of
from bayes_mdd.response.page.words import say_interval, share_out
from bayes_mdd.results.page import Picture, embed, format_number


def say_decision(analysis: ResponseAnalysis) -> str:
    """Say when a drug is preferred.

    Parameters
    ----------
    analysis : ResponseAnalysis
        The results.

    Returns
    -------
    str
        The rule and what stands without a preference.
    """
    spec = analysis.spec
    minimum = float(analysis.response["constant_data"]["minimum"])
    cost = f" beyond a cost of {spec.cost:g}" if spec.cost else ""
    unit = unit_of(spec)
    unit = f"({unit})" if " " in unit else unit
    return (
        f"A drug is preferred if the probability of any benefit is at least {spec.p_star:g} and "
        f"the expected benefit{cost} exceeds {minimum:.2g} {unit}. Without a preference the "
        f"declared default, {spec.default_arm}, or the wish of the patient stands."
    )


def say_number_needed(row: pd.Series[Any]) -> str:
    """Say how many patients the rule must treat for one more remission.

    Parameters
    ----------
    row : Series
        ``remission``, ``remission_lower`` and ``remission_upper``.

    Returns
    -------
    str
        The number with its interval, or "not determinable" where the interval of the difference
        contains 0.

    Examples
    --------
    >>> row = pd.Series({"remission": 0.1, "remission_lower": 0.05, "remission_upper": 0.2})
    >>> say_number_needed(row)
    '10 [5, 20]'
    >>> say_number_needed(row.replace(0.05, -0.01))
    'not determinable'
    """
    gain, low, high = (float(row[f"remission{end}"]) for end in ("", "_lower", "_upper"))
    if not (low > 0 or high < 0):
        return "not determinable"
    if gain > 0:
        return f"{1 / gain:.0f} [{1 / high:.0f}, {1 / low:.0f}]"
    return f"one remission less for every {-1 / gain:.0f} [{-1 / low:.0f}, {-1 / high:.0f}]"


def describe_value(analysis: ResponseAnalysis) -> dict[str, Any] | None:
    """Write the value of the rule as text.

    Parameters
    ----------
    analysis : ResponseAnalysis
        The results.

    Returns
    -------
    dict or None
        Values of the template; None where no value is estimated.
    """
    value = analysis.value
    if value is None:
        return None
    rows = []
    for name, row in value.table.iterrows():
        cells = {
            "name": str(name),
            "gain": say_interval(row["gain"], row["lower"], row["upper"]),
            "ipw": format_number(round(float(row["gain_ipw"]), 2) + 0.0),
        }
        if "remission" in row:
            share = [100 * row[c] for c in ("remission", "remission_lower", "remission_upper")]
            cells["remission"] = say_interval(share[0], share[1], share[2], 1)
            cells["nnt"] = say_number_needed(row)
        rows.append(cells)
    p_value = value.p_randomisation
    return {
        "rows": rows,
        "remission": "remission" in value.table,
        "p_randomisation": "not computed" if pd.isna(p_value) else _say_p(p_value),
        "p_sequential": _say_p(value.p_sequential),
        "slope": format_number(value.calibration.attrs["slope"]),
        "changed": f"{100 * value.changed:.0f}",
        "scores": value.describe(),
        "autoc": f"{value.toc.attrs['autoc']:.2f}",
        "qini": f"{value.toc.attrs['qini']:.2f}",
    }


def _say_p(p_value: float) -> str:
    return f"{p_value:.3f}" if p_value >= 0.0005 else "< 0.001"


def count_hundred(analysis: ResponseAnalysis) -> dict[str, int]:
    """Count what would happen to a hundred patients like those of the trial.

    Parameters
    ----------
    analysis : ResponseAnalysis
        The results, with a value.

    Returns
    -------
    dict of str to int
        Patients by what the rule says, of sum 100; empty where no value is estimated.
    """
    if analysis.value is None:
        return {}
    preference = analysis.value.people["preference"]
    default, other = analysis.spec.default_arm, analysis.other_arm
    names = {
        1: f"other drug ({other} preferred to {default})",
        -1: f"same drug ({default} preferred to {other})",
        0: f"no preference ({default}, or the patient's wish)",
    }
    numbers = share_out([float((preference == code).mean()) for code in names])
    return dict(zip(names.values(), numbers, strict=True))


def draw_value(analysis: ResponseAnalysis) -> dict[str, Picture]:
    """Draw the figures of the value of the rule.

    Parameters
    ----------
    analysis : ResponseAnalysis
        The results.

    Returns
    -------
    dict of str to Picture
        By name; empty where no value is estimated.
    """
    from bayes_mdd.response.figures.benefits import plot_benefits, plot_icons
    from bayes_mdd.response.figures.policy import (
        plot_benefit_calibration,
        plot_gain_curve,
        plot_priorities,
    )

    value = analysis.value
    if value is None:
        return {}
    arms = (analysis.spec.default_arm, analysis.other_arm)
    minimum = float(analysis.response["constant_data"]["minimum"])
    n = len(value.people)
    figures = {
        "benefits": (
            plot_benefits(value.people, minimum=minimum, arms=arms, points=False),
            "Benefits of patients",
            "Benefit of held-out patients, sorted, with 50% and 90% intervals",
            "Each patient is scored by rules that did not see this patient. Means over groups of "
            "patients with similar benefits, and means of their 50% and 90% intervals. Shaded: no "
            "preference.",
        ),
        "gain": (
            plot_gain_curve(value.curve),
            "Gain of the rule",
            "Gain of the rule against the share of patients with a preference",
            "",
        ),
        "priorities": (
            plot_priorities(value.toc, n=n),
            "Patients with the highest predicted benefit",
            "Gain beyond the average of the patients with the highest predicted benefit",
            "",
        ),
        "calibration": (
            plot_benefit_calibration(value.calibration),
            "Calibration of the benefit",
            "Observed against predicted benefit in groups of held-out patients",
            "",
        ),
        "icons": (
            plot_icons(count_hundred(analysis)),
            "One hundred patients",
            "One hundred symbols: patients by the preference of the rule",
            "",
        ),
    }
    return {
        name: embed(figure, title, alt, caption)
        for name, (figure, title, alt, caption) in figures.items()
    }
