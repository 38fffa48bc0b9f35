"""The defaults that the model cards state are those of the code and of the shipped spec files."""

from __future__ import annotations

import re
import warnings
from dataclasses import asdict, fields
from fractions import Fraction
from inspect import signature

import numpy as np
import pandas as pd
import pytensor
import pytest
import yaml

import bayes_mdd as bm
from bayes_mdd.results.rules import FAST_LIMITS, LIMITS, RULES
from bayes_mdd.specs import AnalysisSpec

SPECS = {"shared_specific": bm.SharedSpecificSpec(), "polar_lda": bm.PolarLDASpec()}
#: Settings without a default that a card would have to give a reason for.
OPEN = {
    "covariates", "covariates_if_present", "symptoms", "symptoms_if_present", "ordinal_symptoms",
    "sharing", "noise_df",
}  # fmt: skip


def marked(repository, path: str, name: str) -> dict[str, list[str]]:
    """Rows of a marked table by the setting in code style that they name."""
    text = (repository / path).read_text(encoding="utf-8")
    block = re.search(rf"<!-- {name} -->\n(.*?)<!-- end of {name} -->", text, flags=re.S)
    assert block, f"{path} has no table marked '{name}'"
    rows = [
        [c.strip() for c in line.strip("|").split("|")] for line in block[1].strip().splitlines()
    ]
    header, body = rows[0], rows[2:]
    at = next(i for i, h in enumerate(header) if h in ("Setting", "Rule"))
    value = next(i for i, h in enumerate(header) if h in ("Default", "Value"))
    found = {}
    for row in body:
        setting = re.fullmatch(r"(fixed: )?`([\w.]+)`", row[at])
        assert setting, f"{path}: {row[at]} names no setting"
        assert setting[2] not in found, f"{path} states {setting[2]} twice"
        found[setting[2]] = [row[value], *row[value + 1 :], setting[1] or ""]
    return found


def agrees(text: str, value: object) -> bool:
    """Whether a cell states a value."""
    if isinstance(value, float | int):
        return float(text) == float(value)
    return text == str(value)


def parameters(model, *names: str) -> dict[str, list[float]]:
    """Parameters of priors of a PyMC model, by variable."""
    nodes = {n: model[n].owner.op.dist_params(model[n].owner) for n in names}
    flat = [p for parts in nodes.values() for p in parts]
    values = iter(pytensor.function([], flat, mode="FAST_COMPILE")())
    return {n: [float(np.unique(next(values))[0]) for _ in parts] for n, parts in nodes.items()}


@pytest.fixture(scope="module")
def fixed(feature_set):
    """Values that are no settings, read off the models that use them."""
    return {"shared_specific": fixed_factors(feature_set), "polar_lda": fixed_compositions()}


def fixed_factors(feature_set) -> dict[str, float]:
    from bayes_mdd.shared_specific.data.prepare import prepare
    from bayes_mdd.shared_specific.graph.model import build_generative
    from bayes_mdd.shared_specific.posterior.sparse_kernels import SLAB_SPREAD

    rng, n = np.random.default_rng(0), 24
    people = [f"sub-{i:02d}" for i in range(n)]
    y = rng.normal(size=(n, 12))
    features = feature_set(y, ["A", "B"] * 12, list("xxxxyyyyzzzz"))
    symptoms = pd.DataFrame({"d": rng.normal(size=n), "i": np.arange(n) // 2 % 3.0}, index=people)
    spec = bm.SharedSpecificSpec(
        n_factors=2,
        symptoms=("d",),
        ordinal_symptoms=("i",),
        symptom_links="by_arm",
        feature_noise="student",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = build_generative(spec, prepare(spec, features, symptoms))
    found = parameters(model, "noise_df", "symptom_global", "symptom_arm_global")
    return {
        "edge_spread": SLAB_SPREAD,
        "noise_df_shape": found["noise_df"][0],
        "noise_df_rate": 1 / found["noise_df"][1],
        "symptom_overall": found["symptom_global"][-1],
        "symptom_deviation": found["symptom_arm_global"][-1],
    }


def fixed_compositions() -> dict[str, float]:
    from bayes_mdd.polar_lda.bayes.composition import build_composition
    from bayes_mdd.polar_lda.bayes.data import sum_blocks
    from bayes_mdd.results import rules

    rng = np.random.default_rng(0)
    counts = rng.integers(-9, 9, (6, 12)).astype(np.int32)
    data = sum_blocks(
        counts, np.array(list("xxxxyyyyzzzz")), np.array(["A", "B"] * 3), np.arange(6).astype(str)
    )
    model = build_composition(data, 2, rng.dirichlet([1.0, 1.0], size=6))
    found = parameters(model, "token_worth", "spread", "arm_scale", "concentration")
    assert found["token_worth"][0] == pytest.approx(np.log(12))
    assert found["concentration"][0] == pytest.approx(np.log(2))
    return {
        "token_sd": found["token_worth"][1],
        "spread": np.exp(found["spread"][0]),
        "spread_sd": found["spread"][1],
        "arm_scale": found["arm_scale"][-1],
        "concentration_sd": found["concentration"][1],
        "match_min": rules.MATCH_MIN,
    }


@pytest.mark.parametrize("kind", SPECS)
def test_card_states_the_defaults_of_the_spec(kind, repository):
    stated = marked(repository, f"models/{kind}.md", "defaults")
    settings = {name: row[0] for name, row in stated.items() if not row[-1]}
    defaults = {
        f.name: getattr(SPECS[kind], f.name) for f in fields(SPECS[kind]) if f.name not in OPEN
    }
    assert set(settings) == set(defaults)
    wrong = [
        f"{n}: {settings[n]}, not {v}" for n, v in defaults.items() if not agrees(settings[n], v)
    ]
    assert not wrong


@pytest.mark.parametrize("kind", SPECS)
def test_card_states_the_fixed_priors_of_the_model(kind, fixed, repository):
    stated = marked(repository, f"models/{kind}.md", "defaults")
    values = {name: float(row[0]) for name, row in stated.items() if row[-1]}
    assert values == pytest.approx(fixed[kind])


def test_card_states_the_rules_and_limits(repository):
    stated = marked(repository, "models/shared_specific.md", "rules")
    rules = {**asdict(RULES), **asdict(LIMITS)}
    assert {name: float(Fraction(row[0])) for name, row in stated.items()} == rules
    assert set(rules) == set(stated)
    fast = {
        name: float(value[1])
        for name, row in stated.items()
        if (value := re.search(r"fast path: ([\d.]+)", row[1]))
    }
    limits, slow = asdict(FAST_LIMITS), asdict(LIMITS)
    assert fast == {name: value for name, value in limits.items() if value != slow[name]}


@pytest.mark.parametrize(
    "function",
    ["classify_factors", "diagnose", "explained_by_arm", "permute_arms", "summarise_projection",
     "summarise_symptom_links"],
)  # fmt: skip
def test_public_functions_use_the_rules(function):
    known = {**asdict(RULES), **asdict(LIMITS)}
    given = {n: p.default for n, p in signature(getattr(bm, function)).parameters.items()}
    # None: the limits depend on whether the fit is fast.
    shared = {n for n in set(given) & set(known) if given[n] is not None}
    assert shared
    assert {n: given[n] for n in shared} == {n: known[n] for n in shared}


def test_notes_state_the_thresholds_of_the_search(fixed, repository):
    from bayes_mdd.shared_specific.search import parallel_analysis
    from bayes_mdd.shared_specific.start import mode

    stated = marked(repository, "docs/validation/notes.md", "chosen")
    assert {name: float(row[0]) for name, row in stated.items()} == {
        "symptom_overall": pytest.approx(fixed["shared_specific"]["symptom_overall"]),
        "margin": parallel_analysis.MARGIN,
        "block_margin": parallel_analysis.BLOCK_THRESHOLD,
        "dependent_margin": parallel_analysis.CORRELATION_MARGIN,
        "same_mode": mode.SAME_MODE,
    }


def test_arms_of_fewer_participants_than_the_card_says_are_refused(feature_set, repository):
    text = (repository / "models" / "shared_specific.md").read_text(encoding="utf-8")
    smallest = int(re.search(r"Fewer than (\d+) participants are refused", text)[1])
    y = np.random.default_rng(0).normal(size=(20, 8))

    def arms(n: int) -> list[str]:
        return ["A"] * (20 - n) + ["B"] * n

    from bayes_mdd.shared_specific.data.prepare import prepare

    spec = bm.SharedSpecificSpec(n_factors=1)
    prepare(spec, feature_set(y, arms(smallest), ["x"] * 8))
    with pytest.raises(bm.errors.BayesMDDError, match="arm"):
        prepare(spec, feature_set(y, arms(smallest - 1), ["x"] * 8))


@pytest.mark.parametrize("kind", SPECS)
def test_spec_file_has_the_defaults_or_the_card_says_so(kind, repository):
    raw = yaml.safe_load((repository / "models" / f"{kind}.yaml").read_text(encoding="utf-8"))
    default = AnalysisSpec(kind=kind).to_mapping()
    different = {
        f"{part}.{key}": value
        for part, values in raw.items()
        if part != "kind"
        for key, value in values.items()
        if value != default[part][key]
    }
    stated = marked(repository, f"models/{kind}.md", "spec file")
    assert {n: row[0] for n, row in stated.items()} == {
        name: ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in different.items()
    }


#: What has no default, or is a list of names.
RESPONSE_OPEN = {"outcome", "default_arm", "assignment", "baseline", "covariates"}
RESPONSE_CARD = "models/treatment_response.md"


def test_card_of_treatment_response_states_the_defaults(repository):
    spec = bm.ResponseSpec(outcome="y", default_arm="A", assignment="randomised")
    stated = {
        n: row[0] for n, row in marked(repository, RESPONSE_CARD, "defaults").items() if not row[-1]
    }
    assert stated == {
        f.name: str(getattr(spec, f.name)) for f in fields(spec) if f.name not in RESPONSE_OPEN
    }


def test_card_of_treatment_response_states_the_fixed_priors(repository):
    from bayes_mdd.response import graph, mixture

    stated = {
        n: row[0] for n, row in marked(repository, RESPONSE_CARD, "defaults").items() if row[-1]
    }
    assert {name: float(value) for name, value in stated.items()} == {
        "p_none": mixture.P_NONE,
        "p_all": mixture.P_ALL,
        "carrier": graph.CARRIER,
        "site_sd": graph.SITE_SD,
    }


def test_card_of_treatment_response_states_the_rules_of_the_verdict(repository):
    from bayes_mdd.response import column_checks, mixture, new_patients, prepare
    from bayes_mdd.response.checks import FAR
    from bayes_mdd.response.verdict import P_MAX, PROBABILITY

    text = " ".join((repository / RESPONSE_CARD).read_text(encoding="utf-8").split())
    assert f"p at most {P_MAX}" in text
    assert f"probability of at least {PROBABILITY}" in text
    assert f"{FAR} prior SD from 0" in text
    assert f"{prepare.MINIMUM_POINTS['hamd17']} points of the HAMD-17" in text
    assert f"otherwise {prepare.MINIMUM_SD} SD" in text
    assert column_checks.LEAST_PER_ARM == 8
    assert "fewer than eight patients with an outcome in an arm" in text
    assert new_patients.SUPPORT == 0.99
    assert "at most eight factors" in text
    assert mixture.MOST_FACTORS == 8
