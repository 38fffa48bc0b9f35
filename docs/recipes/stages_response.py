"""Analyse treatment response in the STAGES trial: an honest example in which nothing is found.

STAGES is a trial of antipsychotic medication against placebo in first-episode psychosis (Pope et
al. 2025, doi:10.1016/j.bpsgos.2025.100589): 35 + 14 participants with a known arm and an outcome.
The outcome is the change of the BPRS total after 6 months, published as z-scores; lower is better.
There is no rating before treatment, age or sex to adjust for.

Usage::

    python docs/recipes/stages_response.py SOURCE OUT

SOURCE holds the files that ``stages_rct.py``, beside this recipe, takes. OUT must be new or empty;
the cohort is written there, and the run to ``OUT/run``.
"""

from __future__ import annotations

import argparse
import runpy
import sys
from pathlib import Path

import pandas as pd

import bayes_mdd as bm

OUTCOME = "bprs_change_6m_z"
#: Machine-learning baselines of who improves more than the median.
METHODS = ("majority", "ridge", "pca + lars")


def read_outcomes(cohort: Path) -> pd.DataFrame:
    """Take arm and outcome of the participants with a known arm."""
    people = pd.read_csv(
        cohort / "participants.tsv", sep="\t", index_col="participant_id", na_values=["n/a"]
    )
    known = people[people["arm"].notna()]
    table = pd.DataFrame({"arm": known["arm"].astype(str), OUTCOME: known[OUTCOME]})
    # Half of the participants improved more than the median.
    improved = (table[OUTCOME] < table[OUTCOME].median()).astype(float)
    table["improved"] = improved.where(table[OUTCOME].notna())
    return table


def analyse(
    source: Path, out: Path
) -> tuple[bm.ResponseAnalysis, dict[str, bm.BaselineComparison]]:
    """Fit factors without arms, analyse the outcome, compare baselines, honest and leaky."""
    convert = runpy.run_path(str(Path(__file__).with_name("stages_rct.py")))["convert"]
    features, _ = convert(source, out / "cohort", pieces=0)
    outcomes = read_outcomes(out / "cohort")
    # A drug against placebo: a wider prior of the average effect than for two antidepressants.
    spec = bm.ResponseSpec(
        outcome=OUTCOME, default_arm="placebo", assignment="randomised", drug_scale=0.5
    )
    factors = bm.fit(
        bm.SharedSpecificSpec(),
        bm.hide_arms(bm.reference_to_controls(features, group="patients")),
        method="fast",
        run_dir=out / "run",
        progressbar=False,
    )
    found = bm.analyse_response(spec, bm.score_moments(factors), outcomes, method="fast")
    bm.write_response(found, out / "run")
    event = bm.ResponseSpec(
        outcome="improved",
        default_arm="placebo",
        assignment="randomised",
        kind="binary",
        higher_is_better=True,
    )
    baselines = {
        name: bm.compare_baselines(
            event,
            features,
            outcomes,
            methods=METHODS,
            views=("imaging",),
            repeats=2,
            permutations=0,
            leak=leak,
        )
        for name, leak in (("honest", None), ("leaky", "selection"))
    }
    return found, baselines


def main(arguments: list[str] | None = None) -> int:
    """Run the recipe from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("source", type=Path, help="folder with the STAGES files")
    parser.add_argument("out", type=Path, help="folder to write")
    given = parser.parse_args(arguments)
    found, baselines = analyse(given.source, given.out)
    lines = [found.sentence]
    if found.value is None:
        lines.append(f"No rule is evaluated: {found.no_value}.")
    else:
        preference = (found.value.people["preference"] != 0).mean()
        lines += [
            f"With a preference: {preference:.0%} of the participants; "
            f"{found.value.changed:.0%} would get medication instead of placebo.",
            f"p of the ranking {found.value.p_randomisation:.3f}; gain in SD of the change:",
            found.value.table[["gain", "lower", "upper"]].round(2).to_string(),
        ]
    for name, compared in baselines.items():
        shown = [c for c in ("auc", "auc_lower", "auc_upper", "p_value") if c in compared.table]
        lines += [f"Baselines, {name}:", compared.table[shown].round(2).to_string()]
        lines += compared.sentences
    sys.stdout.write("\n".join([*lines, ""]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
