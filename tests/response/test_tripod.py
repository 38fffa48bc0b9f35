"""The TRIPOD+AI checklist of a run."""

from __future__ import annotations

import pandas as pd

import bayes_mdd as bm
from bayes_mdd.response.tripod import AUTHORS, FROM_RUN, PARTLY, describe_tripod
from bayes_mdd.response.tripod_items import ITEMS


def analyse(**changes):
    trial = bm.simulate_trial(**({"seed": 1, "n": 60, "n_factors": 2, "n_sites": 2} | changes))
    spec = bm.ResponseSpec(
        outcome="hamd17", baseline="hamd17_baseline", default_arm="SSRI", assignment="randomised"
    )
    few = bm.EvaluationSpec(permutations=99, policy_permutations=0, repeats=1)
    return bm.analyse_response(spec, trial.scores, trial.outcomes, evaluation=few, method="fast")


def test_the_checklist_holds_what_the_run_knows_and_names_the_rest():
    found = analyse(missing="random", missing_share=0.2)
    table = bm.tripod_table(found, bm.TreatmentResponseSpec()).set_index("item")
    assert list(table.index) == [item for item, *_ in ITEMS]
    assert len(set(table.index)) == 52
    assert set(table["status"]) == {FROM_RUN, PARTLY, AUTHORS}
    assert (table["answer"].eq("") == table["status"].eq(AUTHORS)).all()
    for item in ("1", "3a", "6b", "14", "17", "18a", "18d", "19", "25"):
        assert table.loc[item, "status"] == AUTHORS, item
    answer = table["answer"]
    analysed = int(found.flow["analysed"].sum())
    assert f"{analysed} patients" in answer["21"]
    for row in found.flow.to_dict("records"):
        assert f"{row['arm']}: assigned {row['assigned']}" in answer["20a"]
        assert row["missing"] in answer["11"]
    gain = found.value.table.loc["declared default", "gain"]
    assert f"over declared default: {gain:.2f} [" in answer["23a"]
    assert "ses-week8" in answer["8a"] and "hamd17_baseline" in answer["9a"]
    assert answer["12d"] == "Sites have effects of their own."
    assert found.sentence in answer["26"]
    said = describe_tripod(table.reset_index())
    assert said.startswith("TRIPOD+AI checklist: of 52 items,")


def test_the_file_can_be_read_again(tmp_path):
    found = analyse(n_sites=1)
    files = bm.write_response(found, tmp_path)
    read = pd.read_csv(files["tripod_ai"], sep="\t", dtype=str, keep_default_na=False)
    made = bm.tripod_table(found)
    assert read["item"].tolist() == made["item"].tolist()
    assert read["status"].tolist() == made["status"].tolist()
    assert made.set_index("item").loc["12d", "answer"] == "No effects of sites."
    assert files["tripod_ai"].name == "tripod_ai.tsv"
