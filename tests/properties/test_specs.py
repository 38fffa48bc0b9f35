"""Specs: written, read back and changed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bayes_mdd as bm
from bayes_mdd.cli.inputs import parse_settings
from bayes_mdd.errors import SpecError
from bayes_mdd.results.page.render import slug

#: Names that YAML could take for something else are among them.
ODD = st.sampled_from(["yes", "no", "null", "1", "1e3", "0x1f", "2024-01-01", "~", "- a", "a: b"])
NAMES = st.one_of(ODD, st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]),
                               min_size=1, max_size=8))  # fmt: skip
LISTS = st.lists(NAMES, max_size=3, unique=True)
SAMPLERS = st.builds(
    bm.SamplerSpec,
    seed=st.integers(0, 2**31 - 1),
    draws=st.integers(50, 5000),
    tune=st.integers(100, 5000),
    chains=st.integers(1, 8),
)


@st.composite
def models(draw):
    try:
        return bm.SharedSpecificSpec(
            n_factors=draw(st.integers(1, 12)),
            covariates=draw(LISTS),
            symptoms=draw(LISTS),
        )
    except SpecError:
        return bm.SharedSpecificSpec()


@given(model=models(), sampler=SAMPLERS)
def test_specs_survive_yaml(tmp_path, model, sampler):
    spec = bm.AnalysisSpec(model=model, sampler=sampler)
    found = bm.read_spec(bm.write_spec(spec, tmp_path / "spec.yaml"))
    assert found == spec
    assert found.model.fingerprint == model.fingerprint


@given(sampler=SAMPLERS, seed=st.integers(0, 2**31 - 1))
def test_the_fingerprint_changes_with_every_value(sampler, seed):
    other = replace(sampler, seed=seed)
    assert (other.fingerprint == sampler.fingerprint) == (other == sampler)
    assert bm.SamplerSpec.from_mapping(sampler.to_mapping()) == sampler


@given(value=st.one_of(st.integers(-(10**9), 10**9), st.booleans(), st.text("abc_", min_size=1)))
def test_settings_of_the_command_line(value):
    word = str(value).lower() if isinstance(value, bool) else str(value)
    assert parse_settings([f"model.x={word}"]) == {"model.x": value}


@given(words=st.lists(st.text(max_size=12), max_size=3))
def test_any_words_are_settings_or_refused(words):
    try:
        parse_settings(words)
    except SpecError as error:
        assert str(error)


@given(text=st.text())
def test_ids_of_pages_are_plain_and_stable(text):
    made = slug(text)
    assert made
    assert made == slug(made)
    assert set(made) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_unknown_values_are_refused():
    with pytest.raises(SpecError):
        bm.SamplerSpec(draws=-1)
