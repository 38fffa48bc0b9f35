"""The card of treatment response states the defaults of the code."""

from __future__ import annotations

from dataclasses import fields

from test_model_cards import marked

import bayes_mdd as bm
from bayes_mdd.response import graph, mixture, patients, prepare
from bayes_mdd.response.checks import FAR
from bayes_mdd.response.moderation import P_MAX, PROBABILITY

#: What has no default, or is a list of names.
OPEN = {"outcome", "default_arm", "assignment", "baseline", "covariates"}
CARD = "models/treatment_response.md"


def test_card_states_the_defaults(repository):
    spec = bm.ResponseSpec(outcome="y", default_arm="A", assignment="randomised")
    stated = {n: row[0] for n, row in marked(repository, CARD, "defaults").items() if not row[-1]}
    assert stated == {
        f.name: str(getattr(spec, f.name)) for f in fields(spec) if f.name not in OPEN
    }


def test_card_states_the_fixed_priors(repository):
    stated = {n: row[0] for n, row in marked(repository, CARD, "defaults").items() if row[-1]}
    assert {name: float(value) for name, value in stated.items()} == {
        "p_none": mixture.P_NONE,
        "p_all": mixture.P_ALL,
        "carrier": graph.CARRIER,
        "site_sd": graph.SITE_SD,
    }


def test_card_states_the_rules_of_the_verdict(repository):
    text = " ".join((repository / CARD).read_text(encoding="utf-8").split())
    assert f"p at most {P_MAX}" in text
    assert f"probability of at least {PROBABILITY}" in text
    assert f"{FAR} prior SD from 0" in text
    assert f"{prepare.MINIMUM_POINTS['hamd17']} points of the HAMD-17" in text
    assert f"otherwise {prepare.MINIMUM_SD} SD" in text
    assert prepare.LEAST_PER_ARM == 8
    assert "fewer than eight patients with an outcome in an arm" in text
    assert patients.SUPPORT == 0.99
    assert "at most eight factors" in text
    assert mixture.MOST_FACTORS == 8
