"""Factors of cohorts are matched whatever their order, signs and rotation."""

from __future__ import annotations

import numpy as np
import pytest
from made_summaries import make_summary, true_maps

from bayes_mdd.shared_specific.cohorts.align import align_cohorts
from bayes_mdd.shared_specific.cohorts.units import common_units


def _aligned(**summaries):
    estimates, _ = common_units(summaries, ["s1"])
    return align_cohorts(estimates)


def test_order_signs_and_absent_factors():
    found = _aligned(
        a=make_summary(1),
        b=make_summary(2, order=(2, 0, 1), sign=(-1, 1, -1)),
        c=make_summary(3, order=(1, 0)),
    )
    assert found.position.shape == (3, 3)
    assert (found.position >= 0).sum(axis=0).tolist() == [3, 3, 2]
    maps = true_maps()
    for p in range(3):
        own = [c.loading[p] for c in found.cohorts if c.found[p]]
        true = [int(np.abs(maps @ m).argmax()) for m in own]
        assert len(set(true)) == 1
        r = np.corrcoef(own)
        assert r.min() > 0.65
    assert not found.rotated.any()


def test_the_order_of_cohorts_does_not_matter():
    one = {n: make_summary(s, order=o) for n, s, o in (("a", 1, (0, 1, 2)), ("b", 2, (2, 1, 0)))}
    first, second = _aligned(**one), _aligned(b=one["b"], a=one["a"])
    assert np.array_equal(first.position, second.position[::-1])
    assert np.allclose(first.alike, second.alike[::-1])


def test_a_pattern_unlike_all_others_stays_alone():
    found = _aligned(a=make_summary(1, has=(0, 1)), b=make_summary(2, has=(2,)))
    assert (found.position >= 0).sum(axis=0).tolist() == [1, 1, 1]


def test_factors_that_a_cohort_found_rotated_are_rotated_back():
    turn = np.pi / 6
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    shared = np.array([[0.1, 0.1], [0.08, 0.08]])
    made = [
        make_summary(s, has=(0, 1), variance=shared, rotation=rotation if s == 3 else None)
        for s in (1, 2, 3)
    ]
    found = _aligned(**{str(i): m for i, m in enumerate(made)})
    assert found.rotated.any()
    assert np.nanmin(found.alike) > 0.95
    for c in found.cohorts:
        # The variance of the features is divided in another way, and stays the same.
        assert c.observed.sum() == pytest.approx(0.36, rel=0.35)
