"""What all factors together explain in each arm."""

import numpy as np
import pytest
import xarray as xr

import bayes_mdd as bm


def with_explained(idata, first, second):
    """The same fit, with other shares of variance; arrays by (chain, draw, factor)."""
    posterior = idata["posterior"].to_dataset()
    x = posterior["explained"].transpose("chain", "draw", "arm", "factor").copy()
    x[:, :, 0], x[:, :, 1] = first, second
    changed = idata.copy()
    changed["posterior"] = xr.DataTree(posterior.assign(explained=x))
    return changed


def test_totals_are_sums_over_factors(fake_idata):
    posterior = fake_idata["posterior"].to_dataset()
    table = bm.explained_by_arm(fake_idata).set_index("arm")
    total = posterior["explained"].sum("factor")
    for arm in table.index:
        here = total.sel(arm=arm).values
        assert table.loc[arm, "explained"] == pytest.approx(here.mean())
        assert table.loc[arm, "explained_lower"] == pytest.approx(np.quantile(here, 0.05))
    assert table["p_most"].sum() == pytest.approx(1.0)


def test_an_arm_that_varies_more_is_named_whatever_the_factors(fake_idata):
    table = bm.explained_by_arm(with_explained(fake_idata, 0.03, 0.05))
    assert table["p_most"].tolist() == [0.0, 1.0]


def test_where_all_is_pinned_no_arm_has_most(fake_idata):
    table = bm.explained_by_arm(with_explained(fake_idata, 0.0, 0.0))
    assert table["p_most"].tolist() == [0.0, 0.0]


def test_wrong_probability_is_refused(fake_idata):
    with pytest.raises(bm.SpecError, match="ci_prob"):
        bm.explained_by_arm(fake_idata, ci_prob=1.5)
