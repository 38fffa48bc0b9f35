"""The verdict on moderation, and the sentence that states it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from bayes_mdd.types import Array

Verdict = Literal["moderated", "not determinable", "smaller than the ROPE"]
#: Largest p value, and smallest posterior probability, of a verdict.
P_MAX, PROBABILITY = 0.05, 0.95


def judge_moderation(p_value: float, p_above_rope: float) -> Verdict:
    """Draw the verdict from test and posterior.

    Parameters
    ----------
    p_value : float
        Of the randomisation test.
    p_above_rope : float
        Posterior probability that the SD of the benefit exceeds the ROPE.

    Returns
    -------
    {"moderated", "not determinable", "smaller than the ROPE"}
        The verdict; "not determinable" where test and posterior do not agree.

    Examples
    --------
    >>> judge_moderation(0.01, 0.97), judge_moderation(0.01, 0.8), judge_moderation(0.6, 0.02)
    ('moderated', 'not determinable', 'smaller than the ROPE')
    """
    if p_value <= P_MAX and p_above_rope >= PROBABILITY:
        return "moderated"
    if p_value > P_MAX and p_above_rope <= 1 - PROBABILITY:
        return "smaller than the ROPE"
    return "not determinable"


@dataclass(frozen=True, eq=False, kw_only=True)
class Finding:
    """What the sentence about moderation rests on.

    Parameters
    ----------
    default_arm, other_arm : str
        Names of the drugs.
    p_value : float
        Of the randomisation test.
    benefit_sd : ndarray, shape (draw,)
        Draws of the SD of the benefit over patients.
    rope : float
        SD of the benefit that is too small to choose a drug by, in the same unit.
    unit : str
        Words after a number, e.g. "points".
    digits : int
        Decimals of numbers in that unit.
    patients : int
        Number of patients.
    randomised : bool
        Whether arms were randomised.
    """

    default_arm: str
    other_arm: str
    p_value: float
    benefit_sd: Array
    rope: float
    unit: str = "points"
    digits: int = 1
    patients: int
    randomised: bool = True

    @property
    def p_above_rope(self) -> float:
        """Posterior probability that the SD of the benefit exceeds the ROPE."""
        return float((self.benefit_sd > self.rope).mean())


def say_moderation(found: Finding) -> str:
    """Say what test and posterior together allow to be said.

    The 90% interval of the SD of the benefit lies above the ROPE, below it, or includes it; with a
    p value at most or above 0.05 this makes six sentences.

    Parameters
    ----------
    found : Finding
        Test and posterior.

    Returns
    -------
    str
        One or two sentences.

    Examples
    --------
    >>> draws = np.linspace(2.0, 4.0, 101)
    >>> found = Finding(
    ...     default_arm="SSRI", other_arm="SNRI", p_value=0.004, benefit_sd=draws, rope=0.7,
    ...     patients=200,
    ... )
    >>> print(say_moderation(found))
    Patients differ in what they gain from SNRI rather than SSRI: SD of the benefit 3.0 points, 90% interval 2.1 to 3.9 (randomisation p = 0.004, 200 patients).
    """  # noqa: E501 - the sentence is printed in one line
    above = found.p_above_rope
    place = 1 if above >= PROBABILITY else -1 if above <= 1 - PROBABILITY else 0
    said = _SENTENCES[found.p_value <= P_MAX, place].format(
        gain=f"what they gain from {found.other_arm} rather than {found.default_arm}",
        size=_size(found),
        of=f"randomisation p = {found.p_value:.3f}, {found.patients} patients",
        limit=f"{found.rope:.{found.digits}f} {found.unit}",
    )
    if found.randomised:
        return said
    return f"{said} Arms were not randomised: this is an association, not an effect of the drugs."


def _size(found: Finding) -> str:
    low, high = np.quantile(found.benefit_sd, [1 - PROBABILITY, PROBABILITY])
    mean, lower, upper = (f"{x:.{found.digits}f}" for x in (found.benefit_sd.mean(), low, high))
    return f"SD of the benefit {mean} {found.unit}, 90% interval {lower} to {upper}"


#: By whether p is at most 0.05, and whether the interval lies above (1), across (0) or below (-1)
#: the ROPE.
_SENTENCES = {
    (True, 1): "Patients differ in {gain}: {size} ({of}).",
    (True, 0): (
        "There is evidence that patients differ in {gain} ({of}), but not that they differ by "
        "enough to choose a drug by: {size}, which includes values below {limit}."
    ),
    (True, -1): (
        "There is evidence that patients differ in {gain} ({of}), but by too little to choose a "
        "drug by: {size}, below {limit}."
    ),
    (False, 1): (
        "The estimated differences between patients in {gain} are large enough to choose a drug by "
        "({size}), but may be due to chance ({of}). These data do not determine whether patients "
        "differ."
    ),
    (False, 0): (
        "These data do not determine whether patients differ in {gain}: {size} ({of}). This is no "
        "evidence that they do not differ."
    ),
    (False, -1): (
        "With these factors, patients hardly differ in {gain}: {size}, below {limit}, which is too "
        "little to choose a drug by ({of})."
    ),
}
