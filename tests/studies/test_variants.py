"""Variants of one model, for a comparison."""

from __future__ import annotations

import pytest

import bayes_mdd as bm
from bayes_mdd.errors import SpecError
from bayes_mdd.studies.compare import check_supported, compare_models
from bayes_mdd.studies.variants import list_variants


def test_variants_combine():
    spec = bm.SharedSpecificSpec(n_factors=5, symptoms=("retardation",))
    found = list_variants(spec, [2, 3], without_symptoms=True, shared_only=True)
    assert len(found) == 6
    assert found["K=2, without symptoms"].symptoms == ()
    assert found["K=3, all shared"].sharing == {"shared": 3}
    assert list(list_variants(spec, without_symptoms=True)) == ["K=5", "K=5, without symptoms"]


def test_variants_that_the_spec_rules_out_are_refused():
    plain = bm.SharedSpecificSpec()
    with pytest.raises(SpecError, match="at least two models"):
        list_variants(plain)
    with pytest.raises(SpecError, match="links no symptoms"):
        list_variants(plain, without_symptoms=True)
    fixed = bm.SharedSpecificSpec(sharing={"shared": 2})
    with pytest.raises(SpecError, match="fixes 'sharing' already"):
        list_variants(fixed, shared_only=True)


def test_a_model_that_cannot_predict_is_refused():
    models = {"a": bm.SharedSpecificSpec(), "b": bm.PolarLDASpec()}
    with pytest.raises(SpecError, match="polar_lda does not support K-fold comparison"):
        check_supported(models.values())
    with pytest.raises(SpecError, match="polar_lda does not support K-fold comparison"):
        compare_models(models, None)
