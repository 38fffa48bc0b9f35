"""Folds of a comparison that was stopped are not computed again."""

import pandas as pd
import pytest
from made_baselines import make_trial

import bayes_mdd as bm
from bayes_mdd.baselines import compare

OPTIONS = {"methods": ["majority", "ridge"], "folds": 3, "repeats": 1, "permutations": 19}


def test_a_stopped_comparison_continues(tmp_path, monkeypatch):
    trial = make_trial(n=40, p=20)
    whole = bm.compare_baselines(*trial, **OPTIONS)
    real, done, last = compare.run_fold, [], 2

    def count(cases, division, fold, *rest):
        if len(done) == last:
            raise KeyboardInterrupt
        done.append(fold)
        return real(cases, division, fold, *rest)

    monkeypatch.setattr(compare, "run_fold", count)
    with pytest.raises(KeyboardInterrupt):
        bm.compare_baselines(*trial, **OPTIONS, keep=tmp_path / "run")
    last = 3
    again = bm.compare_baselines(*trial, **OPTIONS, keep=tmp_path / "run")
    assert done == [0, 1, 2]
    pd.testing.assert_frame_equal(again.table, whole.table)
    pd.testing.assert_frame_equal(again.folds, whole.folds)
    assert not list(tmp_path.iterdir())
