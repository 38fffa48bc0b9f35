"""A fitted result without a fit."""

from __future__ import annotations

import pytest
import xarray as xr
from fakes import make_fake_idata


@pytest.fixture
def fake_idata() -> xr.DataTree:
    return make_fake_idata()
