"""Create a cohort folder from the HAMD-17 totals of an antidepressant trial.

The table is ``antidepressant_data`` of the R package rbmi (Apache License): 172 patients of a
published trial, masked, with the active arms merged into DRUG. It has no scans. It serves as an
example of outcomes over visits with missing values, and for no claim about a drug.

Usage::

    python docs/recipes/trial_hamd17.py TABLE.csv OUT

TABLE.csv has the columns ``PATIENT``, ``THERAPY``, ``GENDER``, ``POOLINV`` (pooled site),
``BASVAL`` (HAMD-17 before treatment), ``VISIT``, ``RELDAYS`` (days since the beginning of
treatment) and ``HAMDTL17``, one row per patient and visit. OUT must be new or empty.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import pandas as pd

import bayes_mdd as bm

#: Visits of the table, and the planned week of each.
SESSIONS = {"4": "ses-week1", "5": "ses-week2", "6": "ses-week4", "7": "ses-week6"}


def write_table(table: pd.DataFrame, sidecar: dict[str, object], path: Path) -> None:
    """Write a table with its sidecar; missing values are ``n/a``."""
    table.to_csv(path, sep="\t", index=False, na_rep="n/a", lineterminator="\n")
    text = json.dumps(sidecar, indent=2) + "\n"
    path.with_suffix(".json").write_text(text, encoding="utf-8")


def write_participants(rows: pd.DataFrame, out: Path) -> None:
    """Write one row per patient, and declare the design of the trial."""
    people = rows.drop_duplicates("PATIENT")
    table = pd.DataFrame(
        {
            "participant_id": "sub-" + people["PATIENT"],
            "diagnosis": "MDD",
            "arm": people["THERAPY"],
            "site": "pool" + people["POOLINV"],
            "sex": people["GENDER"],
        }
    )
    sidecar = {
        "arm": {
            "Description": "Randomised treatment; the active arms are merged.",
            "Levels": {"DRUG": "antidepressant", "PLACEBO": "placebo"},
            "Assignment": "randomised",
            "Default": "PLACEBO",
        },
        "site": {"Description": "Pooled site."},
        "sex": {"Description": "Sex", "Levels": {"F": "female", "M": "male"}},
    }
    write_table(table, sidecar, out / "participants.tsv")


def write_ratings(rows: pd.DataFrame, out: Path) -> None:
    """Write the totals of all visits, with baseline as the first one."""
    first = rows.drop_duplicates("PATIENT")
    before = pd.DataFrame(
        {
            "id": first["PATIENT"],
            "session_id": "ses-baseline",
            "week": "0",
            "total": first["BASVAL"],
        }
    )
    after = pd.DataFrame(
        {
            "id": rows["PATIENT"],
            "session_id": rows["VISIT"].map(SESSIONS),
            "week": (rows["RELDAYS"].astype(float) / 7).round(2).astype(str),
            "total": rows["HAMDTL17"],
        }
    )
    table = pd.concat([before, after]).sort_values("id", kind="stable")
    table = table.rename(columns={"id": "participant_id", "total": "hamd17_total"})
    table["participant_id"] = "sub-" + table["participant_id"]
    levels = {"ses-baseline": "Before treatment"}
    levels |= {s: f"Visit {v}, planned after {s[8:]} week(s)" for v, s in SESSIONS.items()}
    sidecar = {
        "MeasurementToolMetadata": {"Scale": "hamd17", "Items": "total only"},
        "session_id": {"Description": "Visit", "Levels": levels},
        "week": {"Description": "Time since the beginning of treatment", "Units": "week"},
    }
    write_table(table, sidecar, out / "phenotype" / "hamd17.tsv")


def convert(source: Path, out: Path) -> bm.Cohort:
    """Write the cohort folder and read it back."""
    rows = pd.read_csv(source, dtype=str)
    (out / "phenotype").mkdir(parents=True)
    write_participants(rows, out)
    write_ratings(rows, out)
    return bm.read_cohort(out)


def main() -> int:
    """Convert, and print the outcome table's size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    cohort = convert(options.source, options.out)
    table = bm.read_outcomes(cohort, scale="hamd17", endpoint="ses-week6", baseline="ses-baseline")
    known = table["hamd17"].notna()
    print(f"{len(table)} patients, {int(known.sum())} with an outcome at week 6")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
