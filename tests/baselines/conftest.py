"""A small trial, and quick methods compared on it."""

from __future__ import annotations

import pytest
from made_baselines import make_trial

import bayes_mdd as bm


@pytest.fixture(scope="session")
def trial():
    """A trial in which only age predicts the outcome."""
    return make_trial(clinical=1.0)


@pytest.fixture(scope="session")
def comparison(trial):
    """Quick methods on this trial."""
    return bm.compare_baselines(
        *trial,
        methods=["majority", "clinical", "ridge", "pai"],
        views=("imaging", "both"),
        folds=3,
        repeats=2,
        permutations=19,
    )
