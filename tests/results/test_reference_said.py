"""A report says first that healthy controls are not the reference."""

import pytest

from bayes_mdd.results.cohort_facts import list_roles, say_reference
from bayes_mdd.results.result import read_result


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("z against 39 controls, age+sex removed", ""),
        ("robust z against 7 controls", ""),
        ("z within 62 patients with a known arm (no controls)", "z within 62 patients"),
        ("robust z within 62 patients with a known arm (39 controls not used)", "39 controls not"),
        ("none (as read)", "not standardised relative to healthy controls"),
        ("not stated", "not standardised relative to healthy controls"),
    ],
)
def test_the_reference_is_said(fake_idata, reference, said):
    fake_idata.attrs["reference"] = reference
    found = say_reference(read_result(fake_idata))
    assert bool(found) == bool(said)
    assert said in " ".join(found)


def test_runs_of_earlier_versions_have_no_roles(fake_idata):
    assert list_roles(read_result(fake_idata)) == []
