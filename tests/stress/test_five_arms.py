"""Five arms: labels, sentences, figures and page."""

from __future__ import annotations

import re

import numpy as np
import pytest
from fakes import make_fake_idata

import bayes_mdd as bm
from bayes_mdd.results.checks import Check, tabulate_checks
from bayes_mdd.results.result import read_result
from bayes_mdd.results.study import Study
from bayes_mdd.shared_specific.report.claims import say_claims
from bayes_mdd.shared_specific.report.content import summarise_findings
from bayes_mdd.shared_specific.tables.factors import is_partial, overview

ARMS = ("A", "B", "C", "D", "E")
CHECKS = tabulate_checks([Check("divergences", 0.0, "0", True, "")])


def of_two_arms(probability: float):
    """Draws in which F1 is of A and B, or of all arms."""
    idata = make_fake_idata(arms=ARMS)
    posterior = idata["posterior"].to_dataset()
    sharing = posterior["sharing"].transpose("chain", "draw", "arm", "factor").copy(deep=True)
    values = sharing.values
    flat = values.reshape(-1, 5, values.shape[-1])
    n = int(probability * len(flat))
    flat[:n, :, 0] = [0.5, 0.49, 0.005, 0.005, 0.0]
    flat[n:, :, 0] = 0.2
    idata["posterior"].dataset = posterior.assign(sharing=sharing)
    return idata


@pytest.fixture(scope="module")
def partial():
    return of_two_arms(0.97)


def test_a_factor_of_some_arms_is_neither_shared_nor_specific(partial):
    table = bm.classify_factors(partial)
    first = table.set_index("factor").loc["F1"]
    assert first["label"] == "undecided"
    assert first["p_partial"] == pytest.approx(0.97, abs=0.01)
    assert first["verdict"].startswith("In some arms but not all (P = 0.97), so neither shared")
    assert is_partial(table).tolist() == [True, False, False, False]
    said = " ".join(say_claims(read_result(partial), table, Study(), 4))
    assert "F1 is in some arms but not in all, so neither shared nor specific to one." in said
    assert "F1 is undecided" not in said
    found = " ".join(summarise_findings(table, CHECKS, None, 0.9))
    assert "One is in some arms but not in all" in found
    assert re.search(r"specific to an arm: F2 to A .*F3 to B", found)


def test_an_undecided_factor_stays_undecided():
    idata = of_two_arms(0.6)
    table = bm.classify_factors(idata)
    first = table.set_index("factor").loc["F1"]
    assert first["verdict"].startswith("Undecided: P(shared) = 0.40")
    assert "P(some arms but not all) = 0.60" in first["verdict"]
    said = " ".join(say_claims(read_result(idata), table, Study(), 4))
    assert "F1 is undecided between shared and specific." in said


def test_two_arms_have_no_factor_of_some_arms():
    table = bm.classify_factors(make_fake_idata())
    assert "p_partial" not in table
    assert not is_partial(table).any()


def test_tables_and_page_hold_five_arms(partial, tmp_path):
    table = bm.classify_factors(partial)
    shown = overview(table)
    assert [c for c in shown if c.endswith("only)")] == [f"P({a} only)" for a in ARMS]
    arms = bm.explained_by_arm(partial)
    assert set(ARMS) <= set(map(str, np.unique(arms.astype(str).to_numpy())))
    page = bm.write_report(partial, tmp_path / "report.html", checks=CHECKS).read_text("utf-8")
    text = re.sub(r"<[^>]+>", " ", re.sub(r"<(script|style|svg).*?</\1>", "", page, flags=re.S))
    assert "specific to A" in text and "specific to B" in text
    assert not re.search(r"\b(nan|inf|NaN|None)\b", text)
