"""The table of findings: where it is, what it must hold, and what each finding is about."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

import bayes_mdd
from bayes_mdd.errors import DataContractError, UnreadableFileError, some
from bayes_mdd.files.own_tables import refuse_wide
from bayes_mdd.files.text import read_text

#: Files of a folder of evidence.
FINDINGS: Final = "findings.tsv"
REGIONS: Final = "regions.tsv"
_PACKAGE = Path(bayes_mdd.__file__).parent
#: Where the shipped tables are: inside a wheel, or beside the package in a checkout.
_FOLDERS = (_PACKAGE / "_resources" / "evidence", _PACKAGE.parent / "data" / "evidence")

#: Columns of a finding that are text; empty where the source does not say.
TEXT: Final = (
    *("finding_id", "first_author", "population", "drug_class", "drug", "modality", "feature"),
    *("timing", "region_a", "region_b", "hemisphere", "network_a", "network_b", "direction"),
    *("outcome", "method", "metric_name", "note"),
)
WHOLE: Final = ("ref", "n", "n_controls", "followup_weeks", "n_sites")
NUMBERS: Final = ("metric_value", "metric_sd")
#: Largest whole number that is read exactly.
LARGEST: Final = 2**53
COLUMNS: Final = (
    *("finding_id", "ref", "first_author", "population", "n", "n_controls", "drug_class", "drug"),
    *("modality", "feature", "timing", "followup_weeks", "region_a", "region_b", "hemisphere"),
    *("network_a", "network_b", "direction", "outcome", "method", "metric_name", "metric_value"),
    *("metric_sd", "n_sites", "note"),
)
REGION_COLUMNS: Final = (
    *("region", "full_name", "hemisphere_specific"),
    *("suggested_harvard_oxford_or_aseg_label", "suggested_yeo7_network"),
)
TIMINGS: Final = ("baseline", "early_change", "post_treatment", "pre_post_change", "")
DIRECTIONS: Final = ("+", "-", "")
HEMISPHERES: Final = ("L", "R", "bilateral", "")

#: What a finding is about; see `estimand_of`.
PROGNOSIS, MODERATION, CHANGE = "prognosis", "moderation", "change"
SYMPTOM, RATE, BACKGROUND, UNCLEAR = "symptom", "rate", "background", "unclear"
ESTIMANDS: Final = (PROGNOSIS, MODERATION, CHANGE, SYMPTOM, RATE, BACKGROUND, UNCLEAR)
#: Outcomes that say how a patient fared; all others are symptoms that go with a feature.
_OUTCOMES_OF_TREATMENT = frozenset(
    (
        *("remission", "response", "symptom_improvement", "positive_outcome", "rumination"),
        *("apathy_improvement", "pain", "treatment_resistance"),
    )
)


def read_evidence(folder: str | Path | None = None) -> pd.DataFrame:
    """Read the findings of the literature on imaging and treatment response.

    Parameters
    ----------
    folder : str or Path, optional
        A folder with ``findings.tsv`` in the same columns, e.g. findings of one's own review.
        Default: the table that comes with the package, 114 findings from 51 references of one
        narrative review of SSRI and SNRI.

    Returns
    -------
    DataFrame
        One row per finding, with the columns of ``data/evidence/README.md`` (text, empty where the
        source does not say; ``ref``, ``n``, ``n_controls``, ``followup_weeks``, ``n_sites`` whole
        numbers; ``metric_value``, ``metric_sd`` numbers) and

        ``estimand``
            ``prognosis``: a level before treatment goes with the outcome on one drug or class.
            ``moderation``: one study reports the same measure under two drug classes.
            ``change``: a change over treatment, or a level after it, goes with the outcome.
            ``symptom``: goes with a symptom, not with improvement. ``rate``: a rate of a trial.
            ``background``: not about treatment. ``unclear``: the time of the scan, or the outcome,
            is not stated.
        ``citation``
            Reference number of the review, with the first author where printed.

        Findings of one study are not independent, and counts of rows are no strength of evidence.

    Raises
    ------
    DataContractError
        If a column is missing or a cell is not of its kind; every problem is listed.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> findings = bm.read_evidence()
    >>> len(findings), findings["ref"].nunique()
    (114, 51)
    >>> findings["estimand"].value_counts().loc[["prognosis", "moderation"]].to_dict()
    {'prognosis': 59, 'moderation': 2}
    """
    path = _shipped(FINDINGS) if folder is None else Path(folder) / FINDINGS
    table = _read(path, COLUMNS)
    problems = _problems(table)
    if problems:
        raise DataContractError(str(path), problems)
    for name in WHOLE:
        table[name] = pd.to_numeric(table[name].where(table[name] != "")).astype("Int64")
    for name in NUMBERS:
        table[name] = pd.to_numeric(table[name].where(table[name] != "")).astype(float)
    table["estimand"] = estimand_of(table)
    table["citation"] = [
        f"reference {ref} ({author} et al.)" if author else f"reference {ref}"
        for ref, author in zip(table["ref"], table["first_author"], strict=True)
    ]
    return table


def read_region_names() -> pd.DataFrame:
    """Read the names of regions that the shipped findings use, with hints for atlases.

    Returns
    -------
    DataFrame
        Indexed by ``region``; ``full_name``, ``hemisphere_specific`` and hints for atlases.
    """
    return _read(_shipped(REGIONS), REGION_COLUMNS).set_index("region")


def estimand_of(table: pd.DataFrame) -> pd.Series:
    """Say what each finding is about.

    Parameters
    ----------
    table : DataFrame
        Findings.

    Returns
    -------
    Series of str
        One of `ESTIMANDS`, by the first rule that applies: no drug class: ``background``; a
        response or remission rate: ``rate``; no outcome: ``unclear``; an outcome that is no
        improvement: ``symptom``; the same study, measure, place, time and outcome under two single
        drug classes: ``moderation``; by time of the scan, ``prognosis`` at baseline, ``change``
        later, ``unclear`` where it is not stated.
    """
    same = ["ref", "feature", "region_a", "region_b", "network_a", "network_b", "timing", "outcome"]
    single = table["drug_class"].isin(("", "antidepressant")) | table["drug_class"].str.contains(
        "+", regex=False
    )
    classes = table["drug_class"].mask(single)
    placed = (table["region_a"] != "") | (table["network_a"] != "")
    compared = classes.groupby([table[c] for c in same]).transform("nunique") > 1
    by_time = table["timing"].map({"baseline": PROGNOSIS, "": UNCLEAR}).fillna(CHANGE)
    found = by_time.mask(compared & placed & classes.notna(), MODERATION)
    found = found.mask(~table["outcome"].isin(_OUTCOMES_OF_TREATMENT), SYMPTOM)
    found = found.mask(table["outcome"] == "", UNCLEAR)
    found = found.mask(table["metric_name"].isin(("response_rate", "remission_rate")), RATE)
    return found.mask(table["drug_class"] == "", BACKGROUND)


def require_findings(findings: pd.DataFrame | None) -> pd.DataFrame:
    """Take findings that are given, or the shipped ones.

    Parameters
    ----------
    findings : DataFrame, optional
        From `read_evidence` or `find_evidence`.

    Returns
    -------
    DataFrame
        The findings.

    Raises
    ------
    DataContractError
        If a column is missing.
    """
    if findings is None:
        return read_evidence()
    wanted = (*COLUMNS, "estimand", "citation")
    missing = [c for c in wanted if c not in findings]
    if missing:
        raise DataContractError(
            "findings",
            [f"columns {some(missing)} are missing: pass what read_evidence returned."],
        )
    return findings


def _shipped(name: str) -> Path:
    found = next((f / name for f in _FOLDERS if (f / name).is_file()), None)
    if found is None:
        raise DataContractError(
            name, ["it is missing from the installation: install the package again."]
        )
    return found


def _read(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    try:
        text = read_text(path)
        refuse_wide(text, path.name)
        table = pd.read_csv(
            io.StringIO(text), sep="\t", dtype=str, keep_default_na=False, quoting=3
        )
    except (UnreadableFileError, pd.errors.ParserError) as error:
        raise DataContractError(
            str(path), [f"{str(error).strip()} Expected a folder with {FINDINGS}: correct it."]
        ) from error
    header, *rows = [line for line in text.splitlines() if line.strip()]
    width = header.count("\t")
    short = [i for i, line in enumerate(rows, start=2) if line.count("\t") != width]
    if short:
        raise DataContractError(
            str(path),
            [
                f"line(s) {some(short)} have another number of cells than the header "
                f"({width + 1}): the file is truncated or the lines are damaged; copy it again."
            ],
        )
    missing = [c for c in columns if c not in table]
    if missing:
        raise DataContractError(
            str(path),
            [
                f"columns {some(missing, 12)} are missing, found {some(table.columns, 12)}: "
                "expected a tab-separated table with the columns of data/evidence/README.md."
            ],
        )
    return pd.DataFrame({name: table[name].str.strip() for name in columns})


def _problems(table: pd.DataFrame) -> list[str]:
    problems = []
    ids = table["finding_id"]
    if (ids == "").any():
        problems.append(f"finding_id is empty in {int((ids == '').sum())} row(s): number them.")
    if repeated := list(dict.fromkeys(ids[ids.duplicated() & (ids != "")])):
        problems.append(
            f"finding_id must be unique; repeated: {some(repeated)}. Give each row its own number, "
            "or remove repeated ones."
        )
    for name in (*WHOLE, *NUMBERS):
        cells = table[name]
        number = pd.to_numeric(cells.where(cells != ""), errors="coerce")
        bad = number.isna() & (cells != "")
        bad |= np.isinf(number)
        if name in WHOLE:
            bad |= (number % 1 != 0) & number.notna() | (number.abs() > LARGEST)
        if bad.any():
            kind = "a whole number" if name in WHOLE else "a number"
            problems.append(
                f"'{name}' must be {kind} or empty, found {some(cells[bad].unique())} in "
                f"{some(ids[bad])}."
            )
    if (table["ref"] == "").any():
        problems.append(f"'ref' is empty in {some(ids[table['ref'] == ''])}: number the studies.")
    for name, allowed in (
        ("timing", TIMINGS),
        ("direction", DIRECTIONS),
        ("hemisphere", HEMISPHERES),
    ):
        bad = ~table[name].isin(allowed)
        if bad.any():
            problems.append(
                f"'{name}' must be {', '.join(a or 'empty' for a in allowed)}, found "
                f"{some(table.loc[bad, name].unique())} in {some(ids[bad])}."
            )
    return problems
