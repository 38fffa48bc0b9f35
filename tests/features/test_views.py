"""Combining several kinds of data into one feature set."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.features import (
    check_features,
    combine_views,
    connectivity_from_timeseries,
    reference_to_controls,
    regional_features,
    select_view,
)
from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.specs import SharedSpecificSpec

N = 16


@pytest.fixture
def participants():
    return pd.DataFrame(
        {
            "arm": ["n/a"] * 6 + ["A", "B"] * 5,
            "diagnosis": ["HC"] * 6 + ["MDD"] * 10,
            "age": np.linspace(20, 60, N),
        },
        index=[f"sub-{i:02d}" for i in range(N)],
    )


@pytest.fixture
def fc(region_table, participants):
    series = np.random.default_rng(0).normal(size=(N, 150, 5))
    return connectivity_from_timeseries(series, region_table, participants=participants)


@pytest.fixture
def alff(region_table, participants):
    series = np.random.default_rng(1).normal(size=(N, 150, 5))
    return regional_features(series, region_table, tr=2.0, participants=participants)


@pytest.fixture
def fa(participants):
    """Tracts: other names and no atlas."""
    y = np.random.default_rng(2).normal(0.4, 0.05, size=(N, 3))
    return xr.Dataset(
        {"y": (("subject", "feature"), y)},
        coords={
            "subject": list(participants.index),
            "feature": ["cst", "slf", "cc"],
            "block": ("feature", ["tracts"] * 3),
            "arm": ("subject", participants["arm"].to_numpy(str)),
            "icv": ("subject", np.linspace(1.2, 1.6, N)),
        },
        attrs={"units": "FA", "reference": "none (as read)"},
    )


def refused(*args, **options) -> str:
    with pytest.raises(DataContractError) as caught:
        combine_views(*args, **options)
    return str(caught.value)


def test_views_keep_their_values_names_and_blocks(fc, alff, fa):
    got = combine_views({"fc": fc, "alff": alff, "fa": fa})
    assert got.sizes == {"subject": N, "feature": 10 + 5 + 3, "region": 5}
    assert (
        got["y"]
        .sel(feature="fc:R1--R2")
        .equals(got["y"].sel(feature="fc:R1--R2").copy(data=fc["y"].sel(feature="R1--R2").values))
    )
    np.testing.assert_array_equal(got["y"].values[:, 10:15], alff["y"])
    blocks = list(dict.fromkeys(got["block"].values.tolist()))
    assert blocks == [
        *("fc:DMN-CCN", "fc:DMN-DMN", "fc:DMN-Reward", "fc:CCN-Reward", "fc:CCN-CCN"),
        *("alff:DMN", "alff:CCN", "alff:Reward", "fa:tracts"),
    ]
    assert got["view"].values.tolist() == ["fc"] * 10 + ["alff"] * 5 + ["fa"] * 3
    assert got["units"].values[[0, 10, 15]].tolist() == ["fisher_z", "signal", "FA"]
    assert got.attrs["units"] == "fc: fisher_z; alff: signal; fa: FA"
    # Maps of blocks show the DMN of each view separately.
    assert got["network_a"].values[[0, 10, 15]].tolist() == ["fc:DMN", "alff:DMN", "n/a"]
    assert got["region_label"].dtype == int
    assert "icv" in got.coords  # in one view only
    assert check_features(got) is None


def test_combined_views_can_be_standardised_and_fitted(fc, alff, fa):
    z = reference_to_controls(combine_views({"fc": fc, "alff": alff, "fa": fa}), ["age"])
    assert z.attrs["units"] == "z"
    alone = reference_to_controls(alff, ["age"])
    np.testing.assert_allclose(z["y"].values[:, 10:15], alone["y"])
    both = combine_views({"fc": reference_to_controls(fc, ["age"]), "alff": alone})
    np.testing.assert_allclose(both["y"], z["y"][:, :15])
    assert both.attrs["units"] == "z"
    data = prepare(SharedSpecificSpec(n_factors=2), z)
    assert len(data.subjects) == 10
    assert len(data.stats.blocks) == 9


def test_select_view_restores_the_original_view(fc, alff, fa):
    got = combine_views({"fc": fc, "alff": alff, "fa": fa})
    for name, original in {"fc": fc, "alff": alff, "fa": fa}.items():
        back = select_view(got, name)
        np.testing.assert_array_equal(back["y"], original["y"])
        on_feature = {n for n, c in original.coords.items() if c.dims == ("feature",)}
        assert {n for n, c in back.coords.items() if c.dims == ("feature",)} == on_feature
        for coordinate in on_feature:
            assert back[coordinate].values.tolist() == original[coordinate].values.tolist()
        assert back.attrs["units"] == original.attrs["units"]
    assert select_view(got, "fc")["region_x"].values.tolist() == [1, 2, 3, 4, 5]
    assert "region_a" not in select_view(got, "alff").coords
    with pytest.raises(DataContractError, match="no view 'dti'; found fc, alff, fa"):
        select_view(got, "dti")
    with pytest.raises(DataContractError, match="found none"):
        select_view(fc, "fc")


def test_subjects_who_lack_a_view_are_refused_or_listed(fc, fa):
    fewer = fa.isel(subject=[3, 2, *range(5, N)])
    text = refused({"fc": fc, "fa": fewer})
    assert "3 not in fa (sub-00, sub-01, sub-04)" in text
    got = combine_views({"fc": fc, "fa": fewer}, subjects="intersect")
    assert got.sizes["subject"] == N - 3
    assert json.loads(got.attrs["left_out"])["who"] == {"not in fa": ["sub-00", "sub-01", "sub-04"]}
    y = {n: d.sel(subject="sub-03")["y"] for n, d in {"all": got, "fc": fc, "fa": fa}.items()}
    assert y["all"].sel(feature="fa:cst") == y["fa"].sel(feature="cst")
    assert y["all"].sel(feature="fc:R1--R2") == y["fc"].sel(feature="R1--R2")
    with pytest.raises(SpecError, match="subjects must be refuse or intersect"):
        combine_views({"fc": fc, "fa": fa}, subjects="union")


def test_former_name_of_subjects_is_accepted_with_a_warning(fc, fa):
    fewer = fa.isel(subject=slice(3, None))
    with pytest.warns(DeprecationWarning, match="people is now called subjects"):
        former = combine_views({"fc": fc, "fa": fewer}, people="intersect")
    current = combine_views({"fc": fc, "fa": fewer}, subjects="intersect")
    xr.testing.assert_identical(former, current)


def test_views_that_contradict_each_other_are_refused(fc, fa):
    arm = fa["arm"].values.copy()
    arm[7] = "A"
    assert "'arm' differs between fc and fa for sub-07" in refused(
        {"fc": fc, "fa": fa.assign_coords(arm=("subject", arm))}
    )
    text = refused({"fc": reference_to_controls(fc), "fa": fa})
    assert "fc is standardised, fa is not" in text
    text = refused({"fc": fc.assign_attrs(estimand="change"), "fa": fa})
    assert "fc is a change between sessions" in text


def test_all_invalid_views_are_reported_in_one_error(fc, fa):
    bad = {"f c": fc, "none": None, "bare": fa.drop_vars("block"), "twice": fa.isel(subject=[0, 0])}
    text = refused(bad)
    assert "4 problem(s)" in text
    for words in ("'f c'", "none is not a feature set", "bare has no coord", "twice repeats subj"):
        assert words in text
    assert "at least two views" in refused({"fc": fc})


def test_coordinates_on_which_views_disagree_are_omitted(fc, alff):
    moved = alff.assign_coords(region_x=("region", [9.0, 2, 3, 4, 5]))
    got = combine_views({"fc": fc, "alff": moved})
    assert "region_x" not in got.coords
    assert got["region_y"].values.tolist() == [0.5] * 5
    assert json.loads(got.attrs["provenance"])["regions_differ_in"] == ["region_x"]
