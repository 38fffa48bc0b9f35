"""What ``bayes-mdd validate`` reads and prints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import bayes_mdd as bm
from bayes_mdd.cli import output
from bayes_mdd.cli.groups import ControlWords
from bayes_mdd.cli.messages import log


def validate(spec: bm.AnalysisSpec, folder: Path, controls: ControlWords) -> bm.Validation:
    """Validate a cohort and a spec.

    Parameters
    ----------
    spec : AnalysisSpec
        May have ``*_if_present`` lists.
    folder : Path
        The cohort.
    controls : ControlWords
        What the command says about controls.

    Returns
    -------
    Validation
        All problems, roles, columns and features.
    """
    log.info("Reading %s", folder)
    found = bm.validate_cohort(folder, spec, controls=controls.reading(spec))
    denied = controls.contradiction(found.participants)
    return replace(found, problems=(denied, *found.problems)) if denied else found


def to_mapping(found: bm.Validation) -> dict[str, Any]:
    """Convert a validation to values that JSON can represent.

    Parameters
    ----------
    found : Validation
        From `validate`.

    Returns
    -------
    dict
        ``passed``, ``problems``, ``notes``, ``roles``, ``columns``, ``features`` and ``units``.
    """
    return {
        "passed": found.passed,
        "problems": list(found.problems),
        "notes": list(found.notes),
        "roles": output.records(found.roles),
        "columns": output.records(found.columns),
        "features": output.records(found.features),
        "units": found.units,
    }


def print_validation(found: bm.Validation, *, as_json: bool) -> None:
    """Print a validation: problems first, then the tables.

    Parameters
    ----------
    found : Validation
        From `validate`.
    as_json : bool
        Whether to print JSON.
    """
    if as_json:
        output.print_json(to_mapping(found))
        return
    if found.problems:
        output.print_lines([f"{len(found.problems)} problem(s)"])
        output.print_lines(f"  {i}. {text}" for i, text in enumerate(found.problems, start=1))
    output.print_lines(f"Note: {text}" for text in found.notes)
    if len(found.roles):
        output.print_table("Participants", found.roles)
        output.print_lines(f"  {line}" for line in found.role_lines if "left out" in line)
    if len(found.columns):
        output.print_table("Columns", found.columns)
    if len(found.features):
        total, kinds = int(found.features["features"].sum()), found.features["kind"].unique()
        title = f"Features: {total} ({', '.join(map(str, kinds))}; units: {found.units})"
        output.print_table(title, found.features)
    output.print_lines(
        ["The cohort can be fitted." if found.passed else "The cohort cannot be fitted as it is."]
    )
