"""The jobs of ``bayes-mdd evidence``: list findings, compare a run with them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import bayes_mdd as bm
from bayes_mdd.cli.output import print_json, print_lines, print_table, records
from bayes_mdd.errors import SpecError
from bayes_mdd.files.marks import require_run

if TYPE_CHECKING:
    import pandas as pd

#: Columns of the terminal.
_BRIEF = (
    *("finding_id", "drug_class", "drug", "feature", "timing", "place", "direction", "outcome"),
    *("n", "estimand"),
)


def list_findings(
    conditions: Mapping[str, Sequence[str]],
    folder: Path | None,
    *,
    contradictions: bool,
    across: bool,
    how: str,
) -> None:
    """Print findings, or pairs with opposite signs.

    Parameters
    ----------
    conditions : mapping of str to sequence of str
        Arguments of `bayes_mdd.find_evidence`.
    folder : Path or None
        Findings of the user's own.
    contradictions, across : bool
        Whether to print pairs with opposite signs, and whether between drug classes.
    how : {"table", "tsv", "json"}
        How to print.
    """
    if across and not contradictions:
        raise SpecError("--across-classes applies to --contradictions: give both.")
    found = bm.find_evidence(**conditions, findings=bm.read_evidence(folder))
    if contradictions:
        found = bm.evidence_contradictions(found, across_classes=across)
        _print(found, "Findings with opposite signs", _brief_pairs(found), how)
        return
    from bayes_mdd.evidence.contradictions import place_of

    brief = found.assign(place=[place_of(row) for _, row in found.iterrows()])[list(_BRIEF)]
    studies = found["ref"].nunique()
    title = f"Findings ({len(found)} in {studies} reference{'' if studies == 1 else 's'})"
    _print(found, title, brief, how)


def _brief_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """Describe each finding of a pair in one cell."""
    import pandas as pd

    brief = pairs[["place", "estimand"]].copy()
    for sign, words in (("positive", "more, better"), ("negative", "less, better")):
        n = pairs[f"n_{sign}"].astype("object").where(pairs[f"n_{sign}"].notna(), "not stated")
        parts = [pairs[f"{c}_{sign}"] for c in ("finding_id", "drug_class", "feature")]
        brief[words] = [f"{i} {c}, {f}, n {m}" for i, c, f, m in zip(*parts, n, strict=True)]
    brief["same_measure"] = pd.Series(pairs["same_measure"]).map({True: "yes", False: "no"})
    return brief


def check_run_options(*, contradictions: bool, estimand: Sequence[str] | None) -> None:
    """Refuse options that do not apply to the comparison of a run.

    Parameters
    ----------
    contradictions : bool
        Whether pairs of findings are asked for.
    estimand : sequence of str or None
        Estimands that are asked for.

    Raises
    ------
    SpecError
        If one does not; every problem is listed.
    """
    problems = []
    if contradictions:
        problems.append("--contradictions lists findings: leave RUN out.")
    if estimand and len(estimand) > 1:
        problems.append("a run is compared on one estimand: give --estimand once.")
    if problems:
        raise SpecError(" ".join(problems))


def compare_run(
    run: Path,
    conditions: Mapping[str, Sequence[str]],
    folder: Path | None,
    *,
    seed: int,
    how: str,
) -> None:
    """Compare the maps of a run with findings, and print the result.

    Parameters
    ----------
    run : Path
        The run folder.
    conditions : mapping of str to sequence of str
        Arguments of `bayes_mdd.find_evidence`.
    folder : Path or None
        Findings of the user's own.
    seed : int
        Random seed of the permutations.
    how : {"table", "tsv", "json"}
        How to print.
    """
    require_run(run)
    chosen = bm.find_evidence(**conditions, findings=bm.read_evidence(folder))
    from bayes_mdd.response.store import FOLDER, POSTERIOR

    idata = bm.read_run(run)
    response = bm.read_response(run) if (run / FOLDER / POSTERIOR).is_file() else None
    factors = None
    if response is None:
        factors = [str(f) for f in bm.signatures(idata)["factor"].values]
    estimand = chosen["estimand"].iloc[0] if "estimand" in conditions and len(chosen) else None
    found = bm.evidence_concordance(
        idata, response, findings=chosen, estimand=estimand, factors=factors, seed=seed
    )
    if how == "json":
        said = {
            "sentence": found.sentence,
            "estimand": found.estimand,
            "with_outcomes": found.linked,
            "fewest_studies": found.fewest,
            "agreement": records(found.table),
            "findings": records(found.findings),
            "not_placed": records(found.unplaced),
        }
        print_json(said)
        return
    _print(found.table, f"Agreement with findings on {found.estimand}", found.table, how)
    if how == "table":
        print_lines([found.sentence])


def _print(full: pd.DataFrame, title: str, brief: pd.DataFrame, how: str) -> None:
    if how == "json":
        print_json(records(full))
    elif how == "tsv":
        sys.stdout.write(full.to_csv(sep="\t", index=False, lineterminator="\n"))
    else:
        print_table(title, brief)
