"""What `prepare` takes, leaves out with a reason, and refuses."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.graph.model import build_generative
from bayes_mdd.specs import SharedSpecificSpec

pytestmark = pytest.mark.usefixtures("interpreted")

ARM = ["SSRI", "SNRI"] * 6
BLOCK = ["DMN-CCN"] * 4 + ["CCN-CCN"] * 5


@pytest.fixture
def make(feature_set):
    def build(arm=ARM, **subjects):
        y = np.random.default_rng(0).normal(size=(len(arm), len(BLOCK)))
        return feature_set(y, arm, BLOCK, **subjects)

    return build


@pytest.fixture
def spec():
    return SharedSpecificSpec(n_factors=2)


def problems(error):
    assert isinstance(error.value, DataContractError)
    return error.value.problems


def test_subjects_without_arm_and_controls_are_named_with_the_reason(make, spec):
    arm = ["SSRI", "n/a", "SNRI", "SSRI", "SNRI", "n/a", "SSRI", "SNRI"]
    diagnosis = ["MDD"] * 5 + ["HC"] + ["MDD"] * 2
    features = make(arm, diagnosis=np.array(diagnosis, dtype=object))
    data = prepare(spec, features)
    assert dict(data.excluded) == {
        "sub-01": "no known arm",
        "sub-05": "control, used as reference only",
    }
    assert data.subjects == ["sub-00", "sub-02", "sub-03", "sub-04", "sub-06", "sub-07"]
    assert data.stats.basis.shape == (6, 5)
    np.testing.assert_array_equal(
        data.features["y"].values, features["y"].values[[0, 2, 3, 4, 6, 7]]
    )


def test_nobody_with_an_arm_is_an_error(make, spec):
    with pytest.raises(DataContractError, match="no patient has a known arm"):
        prepare(spec, make(["n/a"] * 6))


def test_arms_are_in_alphabetical_order_whoever_comes_first(make, spec):
    data = prepare(spec, make(["SSRI"] * 4 + ["CBT"] * 3 + ["SNRI"] * 3))
    assert data.arms == ("CBT", "SNRI", "SSRI")
    assert data.arm.tolist() == [2] * 4 + [0] * 3 + [1] * 3


def test_blocks_and_their_sizes(make, spec):
    data = prepare(spec, make())
    assert data.stats.blocks == ("DMN-CCN", "CCN-CCN")
    assert data.stats.block_size.tolist() == [4.0, 5.0]


def test_design_has_an_intercept_scaled_numbers_and_one_column_a_further_level(make):
    age = np.linspace(20, 64, 12)
    site = np.array(list("xxyyzz") * 2, dtype=object)
    spec = SharedSpecificSpec(n_factors=2, covariates=("age", "site"))
    design = prepare(spec, make(age=age, site=site)).design
    assert list(design.columns) == ["intercept", "age", "site=y", "site=z"]
    assert design["age"].std() == pytest.approx(1.0)
    assert design["age"].mean() == pytest.approx(0.0, abs=1e-12)
    assert design["site=z"].tolist() == (site == "z").astype(float).tolist()


def test_features_are_reduced_after_division_by_their_relative_noise(make):
    plain = prepare(SharedSpecificSpec(n_factors=2, feature_noise="equal"), make())
    np.testing.assert_array_equal(plain.feature_noise, 1.0)
    np.testing.assert_array_equal(plain.stats.cross_products, plain.total.matrices)
    features = make()
    features["y"] = features["y"] * np.linspace(0.3, 3.0, len(BLOCK)) ** 1.5
    data = prepare(SharedSpecificSpec(n_factors=2), features)
    assert np.ptp(data.feature_noise) > 0.1
    for name in ("DMN-CCN", "CCN-CCN"):
        inside = np.array(BLOCK) == name
        assert (data.feature_noise[inside] ** 2).mean() == pytest.approx(1.0)
    z = data.stats.basis.T @ (features["y"].values / data.feature_noise)
    np.testing.assert_allclose(data.stats.cross_products[0], z[:, :4] @ z[:, :4].T)


def test_covariate_problems_come_in_one_error(make):
    spec = SharedSpecificSpec(n_factors=2, covariates=("aeg", "one", "level"))
    features = make(
        age=np.arange(12.0), one=np.ones(12), level=np.array(["same"] * 12, dtype=object)
    )
    with pytest.raises(DataContractError) as error:
        prepare(spec, features)
    unknown, flat, single = problems(error)
    assert "'aeg'" in unknown and "Did you mean 'age'?" in unknown
    assert "'one' does not vary" in flat
    assert "'level' has one level only" in single


def test_missing_and_unknown_covariates_come_in_one_error(make):
    age = np.arange(12.0)
    age[3] = np.nan
    spec = SharedSpecificSpec(n_factors=2, covariates=("age", "sxe"))
    with pytest.raises(DataContractError) as error:
        prepare(spec, make(age=age, sex=np.array(list("FM") * 6, dtype=object)))
    text = "\n".join(problems(error))
    assert "sub-03" in text
    assert "'sxe'" in text


@pytest.mark.parametrize("mark", [np.nan, "n/a"])
def test_missing_covariate_names_the_subjects(make, mark):
    sex = np.array(["F", "M", "M", "F"] * 3, dtype=object)
    sex[[2, 7]] = mark
    spec = SharedSpecificSpec(n_factors=2, covariates=("sex",))
    with pytest.raises(DataContractError, match="sub-02, sub-07"):
        prepare(spec, make(sex=sex))


def test_collinear_covariates_are_refused(make):
    age = np.arange(12.0) % 5
    spec = SharedSpecificSpec(n_factors=2, covariates=("age", "age_months"))
    with pytest.raises(DataContractError, match="age, age_months are linearly dependent"):
        prepare(spec, make(age=age, age_months=age * 12 + 3))


def test_an_arm_of_two_subjects_is_refused(make, spec):
    with pytest.raises(DataContractError, match="arm 'SNRI' has 2 participants"):
        prepare(spec, make(["SSRI"] * 8 + ["SNRI"] * 2))


def test_an_arm_that_is_a_site_is_refused_even_if_site_is_no_covariate(make, spec):
    site = np.where(np.array(ARM) == "SSRI", "x", "y").astype(object)
    with pytest.raises(DataContractError, match="arm is confounded with site"):
        prepare(spec, make(site=site))


def test_more_factors_than_subjects_support(make):
    age = np.arange(12.0) % 5
    with pytest.raises(SpecError, match="at most 9 factors"):
        prepare(SharedSpecificSpec(n_factors=10, covariates=("age",)), make(age=age))
    data = prepare(SharedSpecificSpec(n_factors=9, covariates=("age",)), make(age=age))
    assert data.stats.basis.shape == (12, 10)


def test_fixed_sharing_of_an_unknown_arm(make):
    with pytest.raises(SpecError, match=r"sharing names SNRl: .*SNRI, SSRI"):
        prepare(SharedSpecificSpec(sharing={"shared": 1, "SNRl": 1}), make())


def test_the_callers_data_are_not_changed(make):
    features = make(age=np.arange(12.0))
    before = features.copy(deep=True)
    symptoms = pd.DataFrame({"sleep": np.arange(12.0) ** 2}, index=features["subject"].values)
    kept = symptoms.copy()
    prepare(
        SharedSpecificSpec(n_factors=2, covariates=("age",), symptoms=("sleep",)),
        features,
        symptoms,
    )
    assert features.identical(before)
    pd.testing.assert_frame_equal(symptoms, kept)


# Symptoms.


@pytest.fixture
def rated(make):
    """Features with a covariate, and two symptoms of which one lacks three scores."""
    rng = np.random.default_rng(5)
    features = make(["SSRI", "SNRI"] * 8, age=rng.normal(size=16))
    symptoms = pd.DataFrame(
        {"sleep": rng.normal(3, 2, size=16), "mood": rng.normal(size=16)},
        index=features["subject"].values,
    )
    symptoms.iloc[[1, 5, 6], 0] = np.nan
    return features, symptoms


SYMPTOM_SPEC = SharedSpecificSpec(n_factors=2, covariates=("age",), symptoms=("sleep", "mood"))


def test_a_missing_score_leaves_out_the_score_and_not_the_subject(rated):
    features, symptoms = rated
    data = prepare(SYMPTOM_SPEC, features, symptoms)
    assert len(data.subjects) == 16 and not data.excluded
    sleep, mood = data.symptoms
    assert sleep.rated.tolist() == [i for i in range(16) if i not in (1, 5, 6)]
    assert mood.rated.tolist() == list(range(16))
    assert sleep.basis.shape == (13, 11)
    assert sleep.mean == pytest.approx(symptoms["sleep"].mean())
    assert sleep.sd == pytest.approx(symptoms["sleep"].std())
    without = prepare(SharedSpecificSpec(n_factors=2, covariates=("age",)), features)
    np.testing.assert_array_equal(data.stats.cross_products, without.stats.cross_products)


def test_scores_are_matched_by_name_not_by_position(rated):
    features, symptoms = rated
    a = prepare(SYMPTOM_SPEC, features, symptoms).symptoms[0]
    b = prepare(SYMPTOM_SPEC, features, symptoms.iloc[::-1]).symptoms[0]
    np.testing.assert_array_equal(a.rated, b.rated)
    np.testing.assert_allclose(a.value, b.value)


def test_the_symptom_likelihood_integrates_covariates_and_missing_scores_out(rated, at_point):
    """Compare with a normal of the rated subjects with a very wide prior on covariate effects."""
    features, symptoms = rated
    data = prepare(SYMPTOM_SPEC, features, symptoms)
    model = build_generative(SYMPTOM_SPEC, data)
    evaluate = at_point(
        model,
        model.logp(vars=[model["rating_sleep"]], jacobian=False),
        model["scores"],
        model["symptom_weight"],
        model["symptom_noise"],
    )
    rng = np.random.default_rng(8)
    who = data.symptoms[0].rated
    z = ((symptoms["sleep"] - symptoms["sleep"].mean()) / symptoms["sleep"].std()).to_numpy()[who]
    x = data.design.to_numpy()[who]
    found, expected = [], []
    for _ in range(2):
        point = {
            k: rng.normal(0.0, 0.7, size=np.shape(v)) for k, v in model.initial_point().items()
        }
        point["factor_scale_log__"] += 1.0
        logp, scores, weight, noise = evaluate(point)
        found.append(float(logp))
        expected.append(
            multivariate_normal.logpdf(
                z,
                scores[who] @ weight[:, 0],
                noise[0] ** 2 * np.eye(len(who)) + 1e6 * x @ x.T,
            )
        )
    assert abs(expected[1] - expected[0]) > 0.1
    assert found[1] - found[0] == pytest.approx(expected[1] - expected[0], abs=1e-4)


@pytest.mark.parametrize("name", ["weight", "noise"])
def test_a_symptom_may_have_any_name(rated, name):
    features, symptoms = rated
    spec = SharedSpecificSpec(n_factors=2, symptoms=(name,))
    data = prepare(spec, features, symptoms.rename(columns={"mood": name}))
    model = build_generative(spec, data)
    assert len(model.observed_RVs) == 2


def test_symptom_problems_come_in_one_error(rated):
    features, symptoms = rated
    twice = pd.concat([symptoms, symptoms.iloc[:1]])
    spec = SharedSpecificSpec(n_factors=2, symptoms=("slep", "mood", "energy"))
    with pytest.raises(DataContractError) as error:
        prepare(spec, features, twice)
    first, second, third = problems(error)
    assert "Did you mean 'sleep'?" in first
    assert "'energy'" in second and "Known: sleep, mood" in second
    assert "sub-00 occur more than once" in third


def test_symptoms_that_are_asked_for_but_not_given(rated):
    with pytest.raises(DataContractError, match="no table of symptoms was given"):
        prepare(SYMPTOM_SPEC, rated[0])


def test_too_few_or_constant_scores_are_refused(rated):
    features, symptoms = rated
    few = symptoms.copy()
    few.iloc[6:, 1] = np.nan
    with pytest.raises(DataContractError, match="6 of 16 fitted participants"):
        prepare(SYMPTOM_SPEC, features, few)
    with pytest.raises(DataContractError, match="SD is 0"):
        prepare(SYMPTOM_SPEC, features, symptoms.assign(mood=2.0))
