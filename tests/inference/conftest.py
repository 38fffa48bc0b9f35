"""Fixtures of the room inference: a fit made of known scores."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from made_fit import Made, make_fit


@pytest.fixture(scope="session")
def fit_of() -> Callable[..., Made]:
    """``fit_of(n=40, n_new=20, p=90, seed=0, ...)``: a fit whose posterior is the truth."""
    return make_fit


@pytest.fixture(scope="session")
def made() -> Made:
    """One such fit for all tests that do not change it."""
    return make_fit()
