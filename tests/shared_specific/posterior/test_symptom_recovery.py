"""What was planted in symptoms is found, and nothing where they were shuffled (real sampling)."""

import numpy as np
import pandas as pd
import pytensor
import pytest

import bayes_mdd as bm
from bayes_mdd.shared_specific.tables.links import summarise_symptom_links

pytestmark = pytest.mark.usefixtures("interpreted")

N = 80
PLANTED = {"mood": 0.9, "sleep": 2.0}


def planted_cohort(feature_set, seed=3):
    """A factor goes with ``mood`` by +0.9 in arm a, -0.9 in b; item ``sleep`` +2.0 in both."""
    rng = np.random.default_rng(seed)
    arm, block = np.repeat(["a", "b"], N // 2), np.repeat(["A-A", "A-B", "B-B"], 40)
    score = rng.normal(size=N)
    y = rng.normal(size=(N, block.size))
    y[:, :40] += np.outer(score, rng.normal(0, 0.7, 40))
    sign = np.where(arm == "a", 1.0, -1.0)
    mood = PLANTED["mood"] * sign * score + rng.normal(0, 0.6, N)
    sleep = np.digitize(PLANTED["sleep"] * score + rng.logistic(size=N), [-1.5, 0.0, 1.5]) * 1.0
    table = pd.DataFrame({"mood": mood, "sleep": sleep})
    for name in PLANTED:
        table[f"{name}_shuffled"] = rng.permutation(table[name])
    table.loc[[3, 50], ["mood", "sleep"]] = np.nan
    features = feature_set(y, arm, block)
    features.attrs.update(units="z", reference="none", provenance="{}")
    return features, table.set_index(features["subject"].values), score


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_planted_links_are_found_and_shuffled_ones_are_not(feature_set):
    features, table, score = planted_cohort(feature_set)
    spec = bm.SharedSpecificSpec(
        n_factors=2,
        symptoms=("mood", "mood_shuffled"),
        ordinal_symptoms=("sleep", "sleep_shuffled"),
        symptom_links="by_arm",
    )
    with pytensor.config.change_flags(mode="Mode"):
        idata = bm.fit(
            spec,
            features,
            symptoms=table,
            sampler=bm.SamplerSpec(seed=1, draws=300, tune=300, chains=2),
            progressbar=False,
        )
    assert int(idata["sample_stats"]["diverging"].sum()) <= 2
    found = idata["posterior"]["scores"].mean(("chain", "draw")).sel(factor="F1").values
    sign = np.sign(np.corrcoef(found, score)[0, 1])

    def of_first(by):
        rows = summarise_symptom_links(idata, by=by)
        return rows[rows["factor"] == "F1"].set_index("symptom")

    apart = of_first("difference")
    mean, low, high = (apart.loc["mood", k] for k in ("mean", "lower", "upper"))
    truth = 2 * PLANTED["mood"] / table["mood"].std()
    assert min(low * sign, high * sign) > 0.5
    assert low < sign * truth < high, (
        f"{mean:.2f} [{low:.2f}, {high:.2f}], truth {sign * truth:.2f}"
    )
    whole = of_first("all")
    assert whole.loc["mood", "lower"] < 0 < whole.loc["mood", "upper"]
    assert sign * whole.loc["sleep", "mean"] > 0.8
    assert whole.loc["sleep", "lower"] < sign * PLANTED["sleep"] < whole.loc["sleep", "upper"]
    for rows in (whole, apart):
        for name in ("mood_shuffled", "sleep_shuffled"):
            assert rows.loc[name, "lower"] < 0 < rows.loc[name, "upper"], name
    assert apart.loc["sleep", "lower"] < 0 < apart.loc["sleep", "upper"]
