"""The STAGES trial, in which nothing may be found."""

from __future__ import annotations

import runpy

import pytest


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_nothing_is_claimed_in_stages(shared_data, repository, tmp_path):
    source = shared_data("stages_rct")
    recipe = runpy.run_path(str(repository / "docs" / "recipes" / "stages_response.py"))
    found, baselines = recipe["analyse"](source, tmp_path / "out")
    assert int(found.flow["analysed"].sum()) <= 49
    if found.moderation is not None:
        assert found.moderation.verdict != "moderated"
    if found.value is not None:
        assert (found.value.people["preference"] == 0).mean() > 0.9
        assert found.value.changed == 0
    honest, leaky = (baselines[name].table for name in ("honest", "leaky"))
    assert (honest["auc_lower"].dropna() <= 0.5).all()
    assert not honest["leaky"].any()
    assert leaky["auc"].max() > honest["auc"].max() + 0.15
    assert leaky["leaky"].any()
