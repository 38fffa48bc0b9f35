"""Findings on the same place with opposite signs, side by side."""

from __future__ import annotations

from itertools import product
from typing import Any, Final

import pandas as pd

from bayes_mdd.evidence.tables import require_findings

#: Studies with fewer patients than this are called small.
SMALL_STUDY: Final = 50
#: What is said of each of the two findings of a row.
_OF_EACH: Final = (
    *("finding_id", "citation", "drug_class", "drug", "population", "feature", "timing"),
    *("outcome", "n", "test", "quality"),
)


def evidence_contradictions(
    findings: pd.DataFrame | None = None, *, across_classes: bool = False
) -> pd.DataFrame:
    """List pairs of findings on the same place whose signs are opposite.

    Parameters
    ----------
    findings : DataFrame, optional
        From `find_evidence`, to list only some. Default: all of `read_evidence`.
    across_classes : bool, default False
        Compare findings of different drug classes instead of findings within a class. Opposite
        signs in two classes are no contradiction: within one study they are evidence of
        moderation, between studies the patients differ, too.

    Returns
    -------
    DataFrame
        One row per pair: ``place``, ``estimand``, ``same_measure`` (whether both measured the same
        feature; different features of one region may well differ), ``same_study``, and with the
        suffixes ``_positive`` and ``_negative`` ``finding_id``, ``citation``, ``drug_class``,
        ``drug``, ``population``, ``feature``, ``timing``, ``outcome``, ``n`` (patients of the
        study), ``test`` (method, as far as stated) and ``quality`` (what limits the finding: fewer
        than 50 patients, number or test not stated, remarks of the table). Pairs of the same
        measure come first. A place is a region or a pair of regions, otherwise a network or a pair
        of networks; findings on different sides of the brain are not compared.

    Raises
    ------
    DataContractError
        If columns are missing.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> pairs = bm.evidence_contradictions(bm.find_evidence(drug_class="SSRI", modality="dti"))
    >>> pairs.loc[0, ["place", "finding_id_positive", "finding_id_negative"]].tolist()
    ['amygdala--raphe_nuclei', 'R23-1', 'R24-1']
    >>> pairs.loc[0, ["n_positive", "n_negative"]].tolist()
    [18, 144]
    """
    table = require_findings(findings)
    signed = table[table["direction"].isin(("+", "-"))].copy()
    signed["place"] = [place_of(row) for _, row in signed.iterrows()]
    signed["test"] = signed["method"].replace("", "not stated")
    signed["quality"] = [describe_quality(row) for _, row in signed.iterrows()]
    signed = signed[signed["place"] != ""]
    keys = ["place", "estimand", *([] if across_classes else ["drug_class"])]
    rows = []
    for _, group in signed.groupby(keys, sort=False):
        up, down = (group[group["direction"] == sign].to_dict("records") for sign in "+-")
        rows += [
            _pair(a, b)
            for a, b in product(up, down)
            if _same_side(a, b) and (not across_classes or _other_class(a, b))
        ]
    columns = ["place", "estimand", "same_measure", "same_study"]
    columns += [f"{name}_{sign}" for name in _OF_EACH for sign in ("positive", "negative")]
    found = pd.DataFrame(rows, columns=columns)
    for sign in ("positive", "negative"):
        found[f"n_{sign}"] = found[f"n_{sign}"].astype("Int64")
    for name in ("same_measure", "same_study"):
        found[name] = found[name].astype(bool)
    return found.sort_values("same_measure", ascending=False, kind="stable", ignore_index=True)


def place_of(row: Any) -> str:
    """Name the place of a finding.

    Parameters
    ----------
    row : Series or mapping
        A finding.

    Returns
    -------
    str
        Region, pair of regions, network or pair of networks; empty without any. The order of the
        two ends does not matter.
    """
    for ends in (("region_a", "region_b"), ("network_a", "network_b")):
        names = sorted(str(row[e]) for e in ends if row[e])
        if names:
            return "--".join(names)
    return ""


def describe_quality(row: Any) -> str:
    """Say what limits a finding.

    Parameters
    ----------
    row : Series or mapping
        A finding.

    Returns
    -------
    str
        Remarks, separated by semicolons; what is said rests on the source alone.
    """
    n = row["n"]
    said = []
    if pd.isna(n):
        said.append("number of patients not stated")
    elif n < SMALL_STUDY:
        said.append(f"fewer than {SMALL_STUDY} patients")
    if not row["method"]:
        said.append("test not stated")
    if not row["timing"]:
        said.append("time of the scan not stated")
    if row["note"]:
        said.append(str(row["note"]).rstrip("."))
    return "; ".join(said)


def _same_side(a: dict[Any, Any], b: dict[Any, Any]) -> bool:
    return {a["hemisphere"], b["hemisphere"]} != {"L", "R"}


def _other_class(a: dict[Any, Any], b: dict[Any, Any]) -> bool:
    classes = {a["drug_class"], b["drug_class"]}
    return len(classes) == 2 and not classes & {"", "antidepressant", "SSRI+SNRI"}


def _pair(a: dict[Any, Any], b: dict[Any, Any]) -> dict[str, Any]:
    both = {
        "place": a["place"],
        "estimand": a["estimand"],
        "same_measure": a["feature"] == b["feature"],
        "same_study": a["ref"] == b["ref"],
    }
    return both | {
        f"{name}_{sign}": row[name]
        for name in _OF_EACH
        for sign, row in (("positive", a), ("negative", b))
    }
