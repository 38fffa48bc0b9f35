"""The headline figures of the model cards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from validation.text import percent, table

PAGES = "../docs/validation"
HEADER = ["Question", "Result", "Details"]


def _link(page: str) -> str:
    return f"[{page.replace('_', ' ')}]({PAGES}/{page}.md)"


def shared_specific(figures: Mapping[str, Any]) -> str:
    """Headline figures of the factor model."""
    calibration, symptoms = figures["calibration"], figures["symptoms"]
    prior, shared, noise = (calibration[name] for name in ("prior", "shared", "noise"))
    weighted, plain = (calibration[name] for name in ("regions", "independent"))
    recovery, series = figures["recovery"]["summary"], figures["connectivity"]

    def rv(kind: str, tool: str) -> str:
        return f"{recovery[kind][tool]['rv_specific']['mean']:.2f}"

    rows = [
        [
            "Do 90% intervals hold the truth?",
            f"Sharing {percent(prior['sharing_share'])}, difference between means "
            f"{percent(prior['gap_share'])}, variance explained "
            f"{percent(prior['explained_share'])} ({prior['n']} cohorts)",
            _link("calibration"),
        ],
        [
            "Is something found where there is nothing?",
            f"Noise: no active factor in {noise['n_none']} of {noise['n']} cohorts. All factors "
            f"shared: one labelled specific in {shared['n_called']} of {shared['n']}",
            _link("calibration"),
        ],
        [
            "Is something found in time series without a trait?",
            f"A component starts in {series['n_null_started']} of {series['n_null']} cohorts",
            _link("connectivity"),
        ],
        [
            "How well are specific loadings recovered?",
            f"RV {rv('block-strong', 'bayes_mdd')} (mofapy2: {rv('block-strong', 'mofapy2')}) for "
            f"factors in blocks; {rv('edge-strong', 'bayes_mdd')} "
            f"({rv('edge-strong', 'mofapy2')}) for edges at random",
            _link("recovery"),
        ],
        [
            "What do correlated errors do (3 true factors, 5 offered)?",
            f"`independent`: all 5 active in {plain['n_all']} of {plain['n']} cohorts. `weighted`: "
            f"more than 3 active in {weighted['n_more']} of {weighted['n']}",
            _link("correlated_errors"),
        ],
        [
            "Do 90% intervals of symptom links hold the truth?",
            f"Dimensions {symptoms['dimension_share']}, items {symptoms['item_share']} "
            f"({symptoms['fits']} cohorts); true weights above 0.1 SD are covered less",
            _link("symptoms"),
        ],
    ]
    return table(HEADER, rows)


def polar_lda(figures: Mapping[str, Any]) -> str:
    """Headline figures of polar LDA."""
    rows = figures["polar_lda"]["summary"]

    def held(generator: str) -> str:
        return percent(rows[generator]["covered_0.90"])

    return table(
        HEADER,
        [
            [
                "Do 90% intervals of `full_bayes` hold the truth?",
                f"Model itself {held('model')}, Gaussian edges {held('edges')}, LDA tokens "
                f"**{held('words')}** ({figures['polar_lda']['cohorts']} cohorts each)",
                _link("polar_lda"),
            ],
            [
                "Do nominal 95% intervals of `variational`?",
                f"No: {percent(rows['edges']['nominal_0.95'], 0)} (Gaussian edges) and "
                f"{percent(rows['words']['nominal_0.95'], 0)} (LDA tokens)",
                _link("polar_lda"),
            ],
        ],
    )


def treatment_response(figures: Mapping[str, Any]) -> str:
    """Headline figures of treatment response."""
    found = figures["response"]
    small, large, noisy = found["coverage"]
    return table(
        HEADER,
        [
            [
                "Is moderation attenuated by score error?",
                f"Slope {found['slope_200']} where 0.40 is true (reliability 0.5, 200 patients)",
                _link("response"),
            ],
            [
                "Do 90% intervals of a new patient's benefit hold it?",
                f"{small} (60 patients), {large} (200), {noisy} (200, reliability 0.6)",
                _link("response"),
            ],
            [
                "Is moderation claimed where there is none?",
                f"In at most {percent(found['most_moderated'], 0)} of the trials of a kind",
                _link("response"),
            ],
        ],
    )


#: Text of the blocks in ``models/*.md``, by the name in the comment before them.
HEADLINES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "shared_specific": shared_specific,
    "polar_lda": polar_lda,
    "treatment_response": treatment_response,
}
