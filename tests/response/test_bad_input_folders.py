"""Bad input of ``bayes-mdd response``: status 2, one error with all problems, nothing written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import bayes_mdd as bm

SPEC = """\
kind: treatment_response
stage_one:
  model: {n_factors: 2, covariates_if_present: [age, mean_fd]}
evaluation: {permutations: 99, policy_permutations: 19, folds: 2, repeats: 1}
"""
Edit = Callable[[Path], None]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trial whose features are read in a moment, with its spec beside it."""
    folder = tmp_path_factory.mktemp("bad") / "cohort"
    trial = bm.simulate_trial(
        seed=5, n=30, n_factors=1, n_regions=8, n_controls=8, features=True, whole_points=True,
        missing="random", missing_share=0.1,
    )  # fmt: skip
    bm.write_trial(trial, folder)
    (folder.parent / "spec.yaml").write_text(SPEC, encoding="utf-8")
    return folder


def edited(name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Edit:
    def edit(folder: Path) -> None:
        table = pd.read_csv(folder / name, sep="\t", dtype=str, keep_default_na=False)
        change(table).to_csv(folder / name, sep="\t", index=False)

    return edit


def people(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Edit:
    return edited("participants.tsv", change)


def ratings(value: str, *, of: tuple[str, ...] = (), arm: str = "") -> Edit:
    def edit(folder: Path) -> None:
        table = pd.read_csv(folder / "participants.tsv", sep="\t", dtype=str)
        arms = table.set_index("participant_id")["arm"]

        def change(rated: pd.DataFrame) -> pd.DataFrame:
            rows = rated["session_id"] == "ses-week8"
            rows &= rated["participant_id"].isin(of) if of else True
            rows &= rated["participant_id"].map(arms) == arm if arm else True
            return rated.assign(hamd17_total=rated["hamd17_total"].mask(rows, value))

        edited("phenotype/hamd17.tsv", change)(folder)

    return edit


def declared(**changes: object) -> Edit:
    def edit(folder: Path) -> None:
        path = folder / "participants.json"
        sidecar = json.loads(path.read_text(encoding="utf-8"))
        sidecar["arm"] = {k: v for k, v in (sidecar["arm"] | changes).items() if v is not None}
        path.write_text(json.dumps(sidecar), encoding="utf-8")

    return edit


def several(*edits: Edit) -> Edit:
    def edit(folder: Path) -> None:
        for one in edits:
            one(folder)

    return edit


def nothing(folder: Path) -> None:
    """Leave the cohort as it is."""


def misspelt(table: pd.DataFrame, name: str = "SNRi") -> pd.DataFrame:
    first = table.index[table["arm"] == "SNRI"][0]
    return table.assign(arm=table["arm"].mask(table.index == first, name))


def unlist_arms(folder: Path) -> None:
    """Leave the names of the arms open."""
    design = {"Assignment": "randomised", "Default": "SSRI"}
    (folder / "participants.json").write_text(json.dumps({"arm": design}), encoding="utf-8")


CASES: dict[str, tuple[Edit, list[str], list[str]]] = {
    "arm misspelt": (people(misspelt), [], ["unknown arm 'SNRi'", "Did you mean 'SNRI'?"]),
    "three arms": (
        several(people(lambda t: misspelt(t, "placebo")), unlist_arms),
        [],
        ["3 arms (SNRI, SSRI, placebo)", "two can be compared"],
    ),
    "one arm": (
        people(lambda t: t.assign(arm=t["arm"].replace("SNRI", "SSRI"))),
        [],
        ["all participants are in arm 'SSRI'"],
    ),
    "nothing declared": (
        declared(Assignment=None, Default=None),
        [],
        ['"Assignment": "randomised"', '"Default"', '"AllocationProbability"'],
    ),
    "all at once": (
        several(
            declared(Default="Ssri", AllocationProbability=1.5),
            people(lambda t: t.assign(propensity="1")),
        ),
        ["outcome.endpoint=ses-wk8", "outcome.baseline=ses-week8"],
        ["'Ssri'", "Did you mean 'SSRI'?", "'ses-wk8'", "Did you mean 'ses-week8'?", "'propensity'",
         "AllocationProbability"],
    ),
    "ratings": (
        several(
            ratings("many", of=("sub-0004",)),
            edited("phenotype/disposition.tsv", lambda t: t.assign(reason="advers event")),
        ),
        [],
        ["sub-0004 ses-week8 has 'many'", "0 to 52", "Did you mean 'adverse_event'?"],
    ),
    "ids": (
        edited(
            "phenotype/hamd17.tsv",
            lambda t: t.assign(participant_id=t["participant_id"].str.replace("sub-", "s")),
        ),
        [],
        ["30 ids are not in participants.tsv (s0001", "there: sub-0001", "make the ids agree"],
    ),
    "nobody in an arm": (ratings("n/a", arm="SNRI"), [], ["nobody in arm 'SNRI' has a value"]),
    "constant": (ratings("7"), [], ["'hamd17' is 7 for everyone"]),
    "after treatment": (
        people(lambda t: t.assign(cgi_week4=(t.index % 7).astype(str), iq_late="100")),
        ["response.covariates=[cgi_week4, iq_late]", "response.kind=student"],
        ["'cgi_week4'", "after treatment began", "'iq_late' is the same for everyone",
         "--fast supports response.kind 'gaussian'"],
    ),
    "folds": (nothing, ["evaluation.folds=30"], ["evaluation.folds is 30", "smaller arm has"]),
    "spec": (
        nothing,
        ["response.p_star=1.5", "response.minimum=-1", "evaluation.folds=1", "sampler.draws=0"],
        ["p_star must lie in [0.5, 1)", "minimum", "folds", "draws"],
    ),
    "never carried forward": (nothing, ["response.missing=locf"], ["missing must be one of"]),
    "same session": (nothing, ["outcome.endpoint=ses-baseline"], ["are the same session"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_bad_folders_and_settings(source: Path, tmp_path: Path, run_cli, case: str) -> None:
    edit, settings, words = CASES[case]
    cohort, run = tmp_path / "cohort", tmp_path / "run"
    shutil.copytree(source, cohort)
    edit(cohort)
    before = set(tmp_path.rglob("*"))
    sets = [w for s in settings for w in ("--set", s)]
    done = run_cli(
        "response", source.parent / "spec.yaml", cohort, "-o", run, "--fast", "--quiet", *sets
    )
    said = done.err
    assert done.status == 2, said
    assert said.count("Error:") == 1
    assert all(w in said for w in words), said
    assert not done.out
    assert set(tmp_path.rglob("*")) == before, "nothing is written"
