"""The page is complete, in order, self-contained and safe."""

from __future__ import annotations

import base64
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from fakes import make_fake_idata, with_reliability
from matplotlib.figure import Figure

from bayes_mdd import classify_factors, diagnose, read_run, summarise_symptom_links, write_report
from bayes_mdd.errors import DataContractError, RunFolderError, SpecError
from bayes_mdd.features import check_quality, record_quality
from bayes_mdd.results.cohort_facts import describe_cohort, list_provenance
from bayes_mdd.results.quality import gather_quality
from bayes_mdd.results.result import read_result
from bayes_mdd.shared_specific.report.content import list_limits, summarise_findings
from bayes_mdd.shared_specific.report.methods import describe_methods

SECTIONS = [
    "summary",
    "participants",
    "checks",
    "factors",
    "arms",
    "symptoms",
    "sensitivity",
    "methods",
    "limits",
    "glossary",
    "provenance",
]
VOID = {"meta", "img", "br", "hr", "link", "input"}


@pytest.fixture
def no_drawing(monkeypatch):
    """Pages without figures and viewer, which take most of the time."""
    from bayes_mdd.results import quality
    from bayes_mdd.results.page import Picture
    from bayes_mdd.shared_specific.report import cards, page, pictures

    def stand_in(figure, title, alt, caption=""):
        return Picture(title, alt, "aGk=", caption)

    for module in (cards, pictures, quality):
        monkeypatch.setattr(module, "embed", stand_in)
        for name in [n for n in vars(module) if n.startswith("plot_")]:
            monkeypatch.setattr(module, name, lambda *a, **k: None)
    monkeypatch.setattr(page, "interactive_connectome", lambda sig: "<p>viewer</p>")


def make_checks(passed=(True, True, None)) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "name": ["divergences", "largest R-hat", "effective draws"],
            "value": [0, 1.0034567, float("nan")],
            "threshold": [0, 1.01, 400],
            "passed": pd.Series(list(passed), dtype=object),
            "advice": ["", "sample longer", None],
        }
    )


def blank(*args: object, **options: object) -> Figure:
    """Stand in for a figure that is tested elsewhere."""
    return Figure(figsize=(1, 1))


class Page(HTMLParser):
    """Collects sections, pictures and addresses, and checks that tags are balanced."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sections: list[str] = []
        self.sources: list[str] = []
        self.words: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "section":
            self.sections.append(values["id"])
        self.sources += [values[k] for k in ("src", "href") if k in values]
        if tag == "img":
            assert values["alt"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data.strip())

    @property
    def text(self) -> str:
        return " ".join(w for w in self.words if w)


def test_page_is_complete_ordered_and_self_contained(fake_idata, tmp_path, monkeypatch):
    # Drawn for the test in the browser; takes most of the time.
    monkeypatch.setattr("bayes_mdd.shared_specific.report.cards.plot_connectome", blank)
    path = write_report(fake_idata, tmp_path / "report.html", checks=make_checks())
    assert path == tmp_path / "report.html"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    page = Page(path)
    assert page.sections == SECTIONS
    # Sharing, explained, scores, blocks, symptoms; map and strongest edges of three factors (F4 is
    # unused).
    pictures = [s for s in page.sources if s.startswith("data:image/")]
    assert len(pictures) == 5 + 2 * 3
    for source in pictures:
        data = base64.b64decode(source.split(",", 1)[1])
        assert data[:8] == b"\x89PNG\r\n\x1a\n" or b"<svg" in data[:600]
    others = {s for s in page.sources if not s.startswith(("data:", "#"))}
    assert all(s.startswith("https://doi.org/10.") for s in others)
    raw = re.sub(r"base64,[^\"]+", "", path.read_text())
    assert not re.search(r"url\((?!#)|@import|<script[^>]+src|<link", raw)
    text = page.text
    assert "Three patterns of brain connectivity: one shared by all arms" in text
    assert "F2 to SSRI (P > 0.99), F3 to SNRI (P > 0.99)" in text
    assert "healthy control: 2" in text and "sub-hc01" not in text
    assert "No check failed: 2 of 3 passed, 1 could not be judged." in text
    assert "1.003" in text and "not an effect of a drug" in text
    assert "0.60 [0.4" in text
    assert "12 SSRI, 11 SNRI" in text
    assert "DMN_1" in text and "default mode network" in text
    assert "bayes-mdd check RUN --predictive" in text


def test_names_are_escaped(tmp_path, no_drawing):
    evil = "<script>alert(1)</script>"
    idata = make_fake_idata(arms=[evil, "B&C"], coordinates=False, symptoms=False)
    study = {"name": evil, "networks": {"DMN": evil}}
    notes = json.loads(idata.attrs["features_provenance"]) | {"study": study}
    idata.attrs["features_provenance"] = json.dumps(notes)
    path = write_report(idata, tmp_path / "r.html", checks=make_checks(), title=evil)
    assert "<script>alert" not in path.read_text()
    page = Page(path)
    assert f"{evil}-specific" in page.text and "B&C-specific" in page.text
    assert "The model had no symptoms." in page.text


def test_one_arm_and_no_agreement(tmp_path, no_drawing):
    idata = make_fake_idata(arms=["drug"], disagreeing=("F1", "F2", "F3"), coordinates=False)
    page = Page(write_report(idata, tmp_path / "r.html", checks=make_checks()))
    assert page.sections == SECTIONS
    assert "No pattern of brain connectivity is supported by these data" in page.text
    assert "The fit has one arm: nothing is compared." in page.text
    assert "no map is shown" in page.text
    assert "because the chains disagree or there are too few draws: F1, F2, F3" in page.text


def test_checks_are_computed_when_none_are_given(small_run, tmp_path, no_drawing):
    idata = read_run(small_run.folder)
    page = Page(write_report(idata, tmp_path / "r.html"))
    names = diagnose(idata)["name"]
    assert len(names) > 5
    assert all(name in page.text for name in names)
    # The fit recorded Table 1 and the study.
    assert "Simulated cohort (no real person)" in page.text
    assert "simulated data, no patients" in page.text
    assert "Healthy controls (n = 10)" in page.text and "Severity: hamd17_total" in page.text
    assert (small_run.folder / "table1.tsv").read_text().startswith("variable\tkind\t")


def test_a_report_counts_failed_checks_and_active_factors(tmp_path, no_drawing):
    idata = make_fake_idata(coordinates=False, idle=(0, 1, 2))
    checks = make_checks((True, False, True))
    page = Page(write_report(idata, tmp_path / "r.html", checks=checks))
    assert "1 of 3 checks failed (largest R-hat)" in page.text
    assert "Do not interpret these results yet" in page.text
    assert page.text.count("Checks failed: do not interpret what follows.") == 3
    assert "The data support no patterns (of at most 4 considered)." in page.text


def test_tables_of_additional_analyses_of_this_run_are_shown(small_run, tmp_path, no_drawing):
    run = Path(shutil.copytree(small_run.folder, tmp_path / "run"))
    idata = read_run(run)
    rows = "permutation\tmax_p_specific\tarm\n0\t0.9\tSSRI\n1\t0.2\tSNRI\n"
    (run / "permutations.tsv").write_text(rows)
    (run / "prior_sensitivity.tsv").write_text("not a table")
    text = Page(write_report(idata, run / "report.html", checks=make_checks())).text
    assert "The largest P(specific) was 0.90 with the arms as they are" in text
    assert "bayes-mdd check RUN --sensitivity" in text
    assert (
        "--permutations"
        in Page(write_report(idata, tmp_path / "r.html", checks=make_checks())).text
    )
    shown = Page(write_report(idata, tmp_path / "r.html", checks=make_checks(), run_dir=run)).text
    assert "The largest P(specific)" in shown
    changed = json.loads((run / "provenance.json").read_text()) | {"fingerprint": "other"}
    (run / "provenance.json").write_text(json.dumps(changed))
    text = Page(write_report(idata, run / "report.html", checks=make_checks())).text
    assert "The largest P(specific)" not in text


def test_refusals(fake_idata, tmp_path):
    with pytest.raises(SpecError, match="does not exist"):
        write_report(fake_idata, tmp_path / "absent" / "r.html", checks=make_checks())
    (tmp_path / "r.html").write_text("old")
    with pytest.raises(RunFolderError, match="exists"):
        write_report(fake_idata, tmp_path / "r.html", checks=make_checks(), overwrite=False)
    with pytest.raises(DataContractError, match="'passed'"):
        write_report(fake_idata, tmp_path / "r.html", checks=make_checks().drop(columns="passed"))
    assert (tmp_path / "r.html").read_text() == "old"


def findings(idata: xr.DataTree, checks: pd.DataFrame, **rules: float) -> str:
    table = classify_factors(idata, **rules)
    return " ".join(summarise_findings(table, checks, summarise_symptom_links(idata), 0.9))


def test_no_claim_is_said_with_the_largest_probability(fake_idata):
    posterior = fake_idata["posterior"].to_dataset().copy(deep=True)
    posterior["sharing"].values[:] = 0.5
    posterior["sharing"].values[0, :18, 0, 1] = 0.95
    posterior["sharing"].values[0, :18, 1, 1] = 0.05
    fake_idata["posterior"] = xr.DataTree(posterior)
    text = findings(fake_idata, make_checks())
    assert "No factor is claimed as specific to an arm." in text
    assert "any active factor is P = 0.06 (F2 to SSRI)." in text


def test_failed_checks_come_first(fake_idata):
    text = findings(fake_idata, make_checks((False, True, True)))
    assert text.startswith("1 of 3 checks failed (divergences). Do not interpret")


def test_fixed_pattern_is_not_reported_as_found():
    text = findings(make_fake_idata(fixed=True), make_checks())
    assert "F2 to SSRI (fixed by the spec)" in text
    assert "P >" not in text


def test_unclear_symptom_links_are_not_listed(fake_idata):
    text = findings(fake_idata, make_checks())
    assert "F1 with retardation 0.60 [" in text and "F2 with cognitive -0.40 [" in text
    assert "F3 with" not in text and "F4 with" not in text


def test_links_of_both_kinds_and_by_arm_are_reported(tmp_path, no_drawing):
    idata = make_fake_idata(links="by_arm", coordinates=False)
    page = Page(write_report(idata, tmp_path / "r.html", checks=make_checks()))
    assert "F2 with cognitive -0.40 [" in page.text and "] log-odds" in page.text
    assert "Differences of weights between arms" in page.text
    assert re.search(r"F1 retardation SSRI - SNRI SD 0\.80 \[0\.80, 0\.80\]", page.text)
    assert "Ordinal items (cognitive) were linked by a cumulative logit" in page.text
    assert "Weights could differ between arms" in page.text
    assert "Symptom links by arm" in page.text
    plain = make_fake_idata(coordinates=False)
    other = Page(write_report(plain, tmp_path / "p.html", checks=make_checks()))
    assert "Symptom links by arm" not in other.text
    assert "Differences of weights" not in other.text and "cumulative logit" not in other.text


def test_cohort_counts_by_arm_and_site(fake_idata):
    cohort = describe_cohort(read_result(fake_idata))
    assert cohort.by_arm == {"SSRI": 12, "SNRI": 11}
    assert cohort.sites == ["A", "B"]
    assert cohort.counts.loc["all"].tolist() == [12, 11, 23]
    assert cohort.n_left_out == 3
    assert dict(cohort.left_out)["no arm"] == ["sub-x01"]
    with pytest.raises(DataContractError, match="'constant_data' has no 'arm'"):
        constant = fake_idata["constant_data"].to_dataset().drop_vars("arm")
        fake_idata["constant_data"] = xr.DataTree(constant)
        describe_cohort(read_result(fake_idata))


def test_an_arm_may_be_named_like_the_total():
    # As the patients of a fit whose arms are hidden are.
    cohort = describe_cohort(read_result(make_fake_idata(arms=["all"])))
    (number,) = cohort.by_arm.values()
    assert list(cohort.by_arm) == ["all"]
    assert cohort.counts["people"].tolist() == [number, number]
    assert cohort.counts[cohort.sites].sum(axis=1).tolist() == [number, number]


def test_methods_say_what_was_run(fake_idata):
    cohort = describe_cohort(read_result(fake_idata))
    table = classify_factors(fake_idata, specific_below=0.2, probability=0.95)
    text = " ".join(describe_methods(read_result(fake_idata), cohort, table))
    assert "23 participants (12 SSRI, 11 SNRI) with 45 edges between regions in 6 blocks" in text
    assert "at least 20% of the factor's variance" in text and "above 0.95" in text
    assert "2 chains of 150 draws after 200 of warm-up" in text
    assert "The intercept and site[B] were integrated out" in text
    assert "retardation, cognitive" in text
    fixed = make_fake_idata(fixed=True)
    text = " ".join(describe_methods(read_result(fixed), cohort, table))
    assert "fixed beforehand (shared: 2, SSRI: 1, SNRI: 1)" in text


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"feature_noise": "equal"}, "have one noise variance."),
        ({"feature_noise": "moderated"}, "estimated beforehand"),
        ({"feature_noise": "student"}, "learned (gamma(2, 0.1) prior), and integrated out."),
        ({"feature_noise": "student", "noise_df": 4.0}, "with 4 degrees of freedom"),
    ],
)
def test_methods_say_how_features_differ_in_noise(fake_idata, spec, said):
    fake_idata.attrs["spec"] = json.dumps(json.loads(fake_idata.attrs["spec"]) | spec)
    table = classify_factors(fake_idata)
    assert said in " ".join(
        describe_methods(read_result(fake_idata), describe_cohort(read_result(fake_idata)), table)
    )


def test_methods_say_what_correlated_features_counted_as(fake_idata):
    table, cohort = classify_factors(fake_idata), describe_cohort(read_result(fake_idata))
    assert "to the power" not in " ".join(describe_methods(read_result(fake_idata), cohort, table))
    sizes = {"block_size": ("block", np.full(6, 7.5)), "feature_weight": 0.2}
    fake_idata["constant_data"] = fake_idata["constant_data"].to_dataset().assign(sizes)
    text = " ".join(describe_methods(read_result(fake_idata), cohort, table))
    assert "45 features counted as 9 independent ones" in text


def test_provenance_is_flat_and_names_nobody(fake_idata):
    rows = dict(list_provenance(read_result(fake_idata)))
    assert rows["fit.versions.pymc"] == "6.4.0"
    assert rows["sampler.seed"] == "1"
    assert rows["features.estimator"] == "empirical"
    assert not any("sub-hc01" in value for value in rows.values())


def test_quality_of_the_features_is_shown_where_it_is_known(fake_idata, tmp_path, no_drawing):
    rng = np.random.default_rng(0)
    on = {
        "subject": [f"s{i}" for i in range(24)],
        "feature": ["a--b", "a--c"],
        "block": ("feature", ["N-N", "N-M"]),
        "arm": ("subject", ["SSRI", "SNRI"] * 12),
        "mean_fd": ("subject", [*rng.uniform(0.05, 0.2, 23), 0.917]),
    }
    features = xr.Dataset({"y": (("subject", "feature"), rng.normal(size=(24, 2)))}, on)
    quality = check_quality(features)
    checks = make_checks()
    given = gather_quality(read_result(fake_idata), quality)
    assert "s23" in given["checks"][0]["advice"]
    assert gather_quality(read_result(fake_idata), None) is None
    travelled = fake_idata.copy()
    travelled.attrs["features_provenance"] = record_quality(features, quality).attrs["provenance"]
    page = Page(write_report(travelled, tmp_path / "r.html", checks=checks))
    assert page.sections == SECTIONS
    assert "Quality of the features" in page.text
    # The largest motion is that of one participant.
    assert "0.917" not in page.text
    assert "mean_fd exceeds 0.5 mm in one participant" in page.text and "s23" not in page.text
    # One verdict: what failed in the data has failed on the page.
    failed = [c["name"] for c in given["checks"] if c["state"] == "failed"]
    n = len(checks) + len(given["checks"])
    assert f"{len(failed)} of {n} checks failed ({', '.join(failed)})" in page.text
    named = write_report(travelled, tmp_path / "n.html", checks=checks, with_participants=True)
    assert "mean_fd exceeds 0.5 mm in s23" in Page(named).text and "0.917" in Page(named).text
    assert "features.quality" not in page.text
    travelled.attrs["features_provenance"] = '{"quality": 3}'
    assert gather_quality(read_result(travelled), None) is None


def test_a_change_is_not_called_a_pattern_at_one_time_point(fake_idata):
    idata = fake_idata.copy()
    idata.attrs["estimand"] = "change"
    first = list_limits(read_result(idata), describe_cohort(read_result(idata)), symptoms=False)[0]
    assert first.startswith("The estimand is change: patterns of follow-up minus baseline")
    assert "at one time point" not in first


def test_one_scan_alone_says_that_reliability_is_unknown(fake_idata, tmp_path, no_drawing):
    page = Page(write_report(fake_idata, tmp_path / "r.html", checks=make_checks()))
    assert page.text.count("Reliability unknown") == 1
    assert "a lasting trait cannot be told from a state of the day" in page.text
    assert "Patterns of unknown reliability" in page.text and "Stable patterns" not in page.text
    assert "reliability" not in page.sections and "further" not in page.sections


def test_only_stable_factors_lead_the_report(fake_idata, tmp_path, no_drawing):
    known = with_reliability(
        fake_idata, halves=[0.98, 0.5, 0.9, np.nan], pieces=[0.9, 0.5, 0.1, np.nan]
    )
    page = Page(write_report(known, tmp_path / "r.html", checks=make_checks()))
    assert page.sections[3:6] == ["factors", "further", "reliability"]
    stable, _, rest = page.text.partition("Patterns that are not signatures")
    assert "F1 in the brain" in stable and "F2 in the brain" in rest and "F3 in the brain" in rest
    assert "F2 unnamed (undecided)" in rest and "F3 unnamed (not nameable)" in rest
    assert "Only F1 is shown to be reliable over the pieces of a scan" in stable
    assert "One of these is stable: F1." in stable
    assert "One is undecided, because its reliability is open: F2." in stable
    assert "One is not nameable (state or motion; no signature): F3." in stable
    assert "F2 (not stable) with cognitive" in stable
    assert "F3 halves of the scan 0.90 [0.88, 0.92] > 0.99 stable no" in rest
    assert "F3 pieces of the scan 0.10 [0.08, 0.12] < 0.01 not nameable yes" in rest
    assert "Reliability unknown" not in page.text
    assert "shortest 90% interval" in page.text
    assert "one minus the variance of a factor in this arm" in page.text
    assert "Ornstein-Uhlenbeck" in page.text and "intraclass" not in page.text


def test_a_factor_of_one_participant_has_no_label(fake_idata, tmp_path, no_drawing):
    idata = with_reliability(fake_idata, halves=[0.98, 0.98, 0.98, np.nan])
    posterior = idata["posterior"].to_dataset().copy(deep=True)
    posterior["scores"].values[:, :, 3, 0] += 40.0
    idata["posterior"] = xr.DataTree(posterior)
    table = classify_factors(idata).set_index("factor")
    assert table.loc["F1", "label"] == "undecided" and table.loc["F1", "leverage"] > 1 / 3
    text = Page(write_report(idata, tmp_path / "r.html", checks=make_checks())).text
    assert "One is undecided, because one participant holds too much of its variance: F1." in text
    assert re.search(r"F1 unnamed \(undecided\)[ #]+One participant holds", text)


def test_methods_say_how_errors_of_edges_were_modelled(fake_idata):
    table, cohort = classify_factors(fake_idata), describe_cohort(read_result(fake_idata))
    text = " ".join(describe_methods(read_result(fake_idata), cohort, table))
    assert "treated as" not in text and "modelled as independent given the factors" in text
    subjects = fake_idata["posterior"]["subject"].values
    scale = np.linspace(0.8, 1.25, subjects.size)
    fake_idata["whitening"] = xr.DataTree(
        xr.Dataset(
            {"subject_scale": ("subject", scale)},
            coords={"subject": subjects},
            attrs={"mean_over": "all subjects", "mean_n": 23, "shrinkage": 0.0421},
        )
    )
    constant = fake_idata["constant_data"].to_dataset()
    fake_idata["constant_data"] = constant.assign(weight_left=0.93)
    text = " ".join(describe_methods(read_result(fake_idata), cohort, table))
    assert "mean over all 23 participants of the cohort, shrunk towards zero by 0.042" in text
    assert "(0.80 to 1.25)" in text and "was 93% of the number" in text
    assert "modelled as independent" not in text
