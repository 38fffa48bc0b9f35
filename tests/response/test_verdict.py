"""What is said about moderation, for each result of test and posterior."""

from __future__ import annotations

import numpy as np
import pytest

from bayes_mdd.response.verdict import Finding, say_moderation

#: Draws of the SD of the benefit, by where their 90% interval lies.
DRAWS = {
    "above": np.linspace(2.0, 4.0, 201),
    "across": np.linspace(0.0, 2.0, 201),
    "below": np.linspace(0.0, 0.4, 201),
}


def say(p_value: float, place: str, **changes: object) -> str:
    found = {
        "default_arm": "SSRI",
        "other_arm": "SNRI",
        "p_value": p_value,
        "benefit_sd": DRAWS[place],
        "rope": 0.7,
        "patients": 200,
        **changes,
    }
    return say_moderation(Finding(**found))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("p_value", "place", "said"),
    [
        (0.002, "above", "Patients differ in what they gain from SNRI rather than SSRI: SD of the "
         "benefit 3.0 points, 90% interval 2.1 to 3.9 (randomisation p = 0.002, 200 patients)."),
        (0.031, "across", "There is evidence that patients differ in what they gain from SNRI "
         "rather than SSRI (randomisation p = 0.031, 200 patients), but not that they differ by "
         "enough to choose a drug by: SD of the benefit 1.0 points, 90% interval 0.1 to 1.9, "
         "which includes values below 0.7 points."),
        (0.031, "below", "There is evidence that patients differ in what they gain from SNRI "
         "rather than SSRI (randomisation p = 0.031, 200 patients), but by too little to choose a "
         "drug by: SD of the benefit 0.2 points, 90% interval 0.0 to 0.4, below 0.7 points."),
        (0.08, "above", "The estimated differences between patients in what they gain from SNRI "
         "rather than SSRI are large enough to choose a drug by (SD of the benefit 3.0 points, "
         "90% interval 2.1 to 3.9), but may be due to chance (randomisation p = 0.080, 200 "
         "patients). These data do not determine whether patients differ."),
        (0.5, "across", "These data do not determine whether patients differ in what they gain "
         "from SNRI rather than SSRI: SD of the benefit 1.0 points, 90% interval 0.1 to 1.9 "
         "(randomisation p = 0.500, 200 patients). This is no evidence that they do not differ."),
        (0.5, "below", "With these factors, patients hardly differ in what they gain from SNRI "
         "rather than SSRI: SD of the benefit 0.2 points, 90% interval 0.0 to 0.4, below 0.7 "
         "points, which is too little to choose a drug by (randomisation p = 0.500, 200 "
         "patients)."),
    ],
)  # fmt: skip
def test_each_result_of_test_and_posterior_has_its_sentence(
    p_value: float, place: str, said: str
) -> None:
    assert say(p_value, place) == said


def test_sentences_name_the_unit_and_associations() -> None:
    said = say(0.5, "across", unit="of remission", digits=2, rope=0.05, randomised=False)
    assert "1.00 of remission" in said
    assert said.endswith("this is an association, not an effect of the drugs.")
