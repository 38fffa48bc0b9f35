"""Verdicts and their sentences, sources that decide, leverage."""

import numpy as np
import pytest

from bayes_mdd.results.rules import RULES
from bayes_mdd.shared_specific.reliability.verdict import (
    SOURCES,
    Reliability,
    deciding,
    describe,
    leverage,
    leverage_sentence,
    shortest_interval,
)


def with_probability(p, source="halves"):
    """Draws of which a share p exceeds the threshold."""
    return Reliability.of(source, np.where(np.arange(1000) < 1000 * p, 0.8, 0.2))


@pytest.mark.parametrize(
    ("p", "verdict"),
    [(1.0, "stable"), (0.9, "stable"), (0.899, "open"), (0.5, "open"), (0.101, "open"),
     (0.1, "not nameable"), (0.0, "not nameable")],
)  # fmt: skip
@pytest.mark.parametrize("source", SOURCES[1:])
def test_verdict_follows_the_probability(p, verdict, source):
    assert with_probability(p, source).verdict == verdict


def test_thresholds_are_those_of_the_rules():
    draws = np.linspace(0, 1, 1001)
    got = Reliability.of("pieces", draws)
    assert got.p_above == pytest.approx(1 - RULES.reliability_above, abs=0.002)
    assert got.probability == RULES.reliability_probability
    assert got.upper - got.lower == pytest.approx(RULES.ci_prob, abs=0.002)
    assert Reliability.of("pieces", draws, above=0.05).verdict == "stable"
    assert Reliability.of("pieces", draws, above=0.25, probability=0.7).verdict == "stable"


@pytest.mark.parametrize("draws", [np.array([]), np.array([0.9, np.nan])])
def test_nothing_is_known_without_finite_draws(draws):
    got = Reliability.of("halves", draws)
    assert (got.source, got.verdict, got.text) == ("none", "unknown", "unknown")


def test_one_scan_is_unknown():
    assert Reliability().verdict == "unknown"
    assert "one scan alone" in Reliability().sentence
    assert "not a signature" in Reliability().sentence


@pytest.mark.parametrize(
    ("source", "said"),
    [("halves", "Stable within the scan: 0.80 (0.80 to 0.80). A state that lasts for the whole"),
     ("pieces", "Of its variance, 0.80 (0.80 to 0.80) would remain in a longer scan. This allows"),
     ("sessions", "ICC 0.80 (0.80 to 0.80): trait over the interval between the sessions.")],
)  # fmt: skip
def test_sentence_of_a_stable_factor(source, said):
    assert with_probability(1, source).sentence.startswith(said)


@pytest.mark.parametrize("source", SOURCES[1:])
def test_only_two_sessions_speak_of_a_trait(source):
    assert ("trait" in with_probability(1, source).sentence) == (source == "sessions")
    for p in (0.0, 0.5):
        assert "trait" not in with_probability(p, source).sentence
    assert with_probability(0.5, source).sentence.endswith(": open.")
    assert with_probability(0.0, source).sentence.endswith("it is not a signature.")


def test_sessions_decide_over_pieces_over_halves():
    halves, pieces, sessions = (
        with_probability(p, s) for p, s in ((1, "halves"), (0.5, "pieces"), (0, "sessions"))
    )
    assert deciding(halves, pieces, sessions) is sessions
    assert deciding(pieces, halves) is pieces
    assert deciding(halves, Reliability()) is halves
    assert deciding().verdict == "unknown"
    assert describe(halves, pieces) == f"{pieces.sentence} Within the scan {halves.text}."
    assert describe(halves) == halves.sentence
    assert describe() == Reliability().sentence
    text = describe(halves, sessions, pieces)
    assert text.startswith(sessions.sentence)
    assert text.index("longer scan") < text.index("Within the scan")


def test_shortest_interval():
    rng = np.random.default_rng(0)
    draws = rng.beta(20, 1, size=(40, 500))
    low, high = shortest_interval(draws, 0.9)
    assert np.mean((draws >= low) & (draws <= high)) == pytest.approx(0.9, abs=1e-4)
    assert high == pytest.approx(1, abs=1e-3)
    assert low == pytest.approx(0.1 ** (1 / 20), abs=0.003)
    assert shortest_interval(np.array([0.3])) == (0.3, 0.3)


def test_leverage():
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(50, 3))
    scores[7, 1] = 9.0
    share, subject = leverage(scores)
    np.testing.assert_allclose(share, (scores**2).max(axis=0) / (scores**2).sum(axis=0))
    assert subject[1] == 7
    assert (share > RULES.leverage).tolist() == [False, True, False]
    assert "sub-07" in leverage_sentence(float(share[1]), "sub-07")
    assert leverage(np.zeros((4, 1)))[0].tolist() == [0.0]
