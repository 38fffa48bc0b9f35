"""The checks in plain words: what each is about, and what a failure means for the reader."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from bayes_mdd.results.checks import PREDICTIVE

COMPUTATION, ERRORS, DATA, CLAIMS = "computation", "errors", "data", "claims"


@dataclass(frozen=True)
class CheckWords:
    """A check for readers who do not know its name.

    Parameters
    ----------
    title : str
        What a passed check shows.
    group : str
        "computation", "errors" (of features), "data" or "claims".
    consequence : str
        What a failure means for the results.
    """

    title: str
    group: str
    consequence: str


_CHAINS: Final = (
    "The chains of the sampler disagree or have not drawn enough, so the numbers on this page may "
    "not be those of the model."
)
_NOISE: Final = (
    "Features share errors that the model takes for independent, so noise can pass for a pattern "
    "and probabilities are too extreme."
)
_MOTION: Final = "Head motion was not controlled, so a pattern may be motion."
_FOLLOWS_MOTION: Final = "Features follow head motion, so a pattern may be motion."
_WORDS: Final = {
    "divergences": CheckWords("No step of the sampler diverged", COMPUTATION, _CHAINS),
    "max R-hat of invariants": CheckWords("Independent chains agree", COMPUTATION, _CHAINS),
    "min bulk ESS of invariants": CheckWords("Enough draws for means", COMPUTATION, _CHAINS),
    "min tail ESS of invariants": CheckWords("Enough draws for intervals", COMPUTATION, _CHAINS),
    "min BFMI (energy)": CheckWords("The sampler moved freely", COMPUTATION, _CHAINS),
    "max R-hat of fitted variance by arm and block": CheckWords(
        "Chains agree in every network block", COMPUTATION, _CHAINS
    ),
    "factors that differ between chains": CheckWords(
        "Chains found the same patterns", COMPUTATION, _CHAINS
    ),
    "optimisations that ended at the best mode": CheckWords(
        "Several searches found the same solution",
        COMPUTATION,
        "Searches ended in different solutions, and the fast fit describes one of them.",
    ),
    "independent share of the features": CheckWords(
        "Errors of features are as independent as assumed", ERRORS, _NOISE
    ),
    f"{PREDICTIVE}residual correlation, edges sharing a region minus others": CheckWords(
        "Edges that share a region have independent errors", ERRORS, _NOISE
    ),
    f"{PREDICTIVE}residual correlation, all pairs of features": CheckWords(
        "Residuals of features are uncorrelated", ERRORS, _NOISE
    ),
    "covariates of head motion": CheckWords("Head motion was controlled", DATA, _MOTION),
    "features correlated with motion": CheckWords(
        "Features do not follow head motion", DATA, _FOLLOWS_MOTION
    ),
    "participants with high motion": CheckWords(
        "No participant moved too much",
        DATA,
        "Some participants moved so much that their scans may hold artefacts.",
    ),
    "motion, arms": CheckWords(
        "Arms moved alike",
        DATA,
        "Arms differ in head motion, which can look like a pattern of one arm.",
    ),
    "motion, controls": CheckWords(
        "Patients and controls moved alike",
        DATA,
        "Patients and controls differ in head motion, which can look like a pattern of patients.",
    ),
    "arm by site": CheckWords(
        "Arms are spread over the sites",
        DATA,
        "Arms and sites go together, so a pattern of one arm may be that of a scanner.",
    ),
    "participants with the same features": CheckWords(
        "No scan is there twice",
        DATA,
        "A scan that is there under two ids counts twice and can look like a pattern.",
    ),
    "regions without signal": CheckWords(
        "All regions have signal", DATA, "Regions without signal distort the patterns they are in."
    ),
}
_PERMUTATIONS: Final = CheckWords(
    "Permuted arms give no such patterns",
    CLAIMS,
    "Fits with permuted arms find patterns as specific as these, so no pattern should be called "
    "specific to an arm.",
)
_PRIOR: Final = CheckWords(
    "Results do not depend on a prior",
    CLAIMS,
    "Some results depend on a prior: see which ones in the section on sensitivity.",
)
_OTHER: Final = {
    DATA: "The data have a problem that can look like a pattern.",
    ERRORS: "An assumption of the model does not hold: intervals may be too narrow and "
    "probabilities too extreme.",
    COMPUTATION: "A check failed, so the numbers on this page may be wrong.",
}


def describe_check(name: str, data: Collection[str] = ()) -> CheckWords:
    """Describe a check in plain words.

    Parameters
    ----------
    name : str
        As in the table of checks.
    data : collection of str
        Names of the checks that are about the data.

    Returns
    -------
    CheckWords
        For names that are not known the name itself.

    Examples
    --------
    >>> describe_check("max R-hat of invariants").title
    'Independent chains agree'
    """
    if name in _WORDS:
        return _WORDS[name]
    if "permutations of arms" in name:
        return _PERMUTATIONS
    if "rest on a prior" in name:
        return _PRIOR
    if name.startswith("values beyond"):
        return CheckWords("No extreme values", DATA, "Extreme values can dominate a pattern.")
    group = DATA if name in data else ERRORS if name.startswith(PREDICTIVE) else COMPUTATION
    title = name.removeprefix(PREDICTIVE)
    return CheckWords(title[:1].upper() + title[1:], group, _OTHER[group])
