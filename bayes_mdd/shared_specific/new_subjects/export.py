"""Export of projected scores as tables and files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, CHAIN, DRAW, FACTOR, MISSING, SUBJECT, SYMPTOM
from bayes_mdd.errors import SpecError
from bayes_mdd.files.netcdf import write_netcdf
from bayes_mdd.files.replace import make_folder, write_text
from bayes_mdd.files.targets import check_projection_target
from bayes_mdd.shared_specific.new_subjects.projection import KNOWN_ARM, PREDICTED_SYMPTOM
from bayes_mdd.shared_specific.schema import SCORES

#: Format of numbers in tables.
NUMBERS = "%.6g"
#: Meaning of the columns of a table, for its sidecar.
COLUMNS = {
    "participant_id": "participant",
    "known_arm": f"arm of the participant; {MISSING}: not treated yet, one row for each possible "
    "arm",
    "arm": "arm under which the scores hold",
    "mean": "mean over draws",
    "sd": "standard deviation over draws",
    "lower": "lower end of the equal-tailed interval",
    "upper": "upper end of the equal-tailed interval",
}


def summarise_projection(
    projection: xr.Dataset, *, quantity: str = "scores", ci_prob: float = 0.9
) -> pd.DataFrame:
    """Summarise draws of projected scores in a table.

    Parameters
    ----------
    projection : Dataset
        From `project`.
    quantity : {"scores", "predicted_symptom"}, default "scores"
        Quantity to summarise.
    ci_prob : float, default 0.9
        Probability of the equal-tailed interval.

    Returns
    -------
    DataFrame
        One row per participant, arm and factor (or symptom): ``participant_id``, ``known_arm``,
        ``arm``, ``factor`` or ``symptom``, ``mean``, ``sd``, ``lower``, ``upper``. Arms that a
        participant is known not to be in have no row.

    Raises
    ------
    SpecError
        If `ci_prob` is out of range or the projection does not hold the quantity.
    """
    if not 0 < ci_prob < 1:
        raise SpecError(f"ci_prob must lie between 0 and 1, got {ci_prob}.")
    if quantity not in (SCORES, PREDICTED_SYMPTOM) or quantity not in projection:
        raise SpecError(f"the projection has no '{quantity}'.")
    last = FACTOR if quantity == SCORES else SYMPTOM
    draws = projection[quantity].transpose(CHAIN, DRAW, SUBJECT, ARM, last)
    tail = (1 - ci_prob) / 2
    bounds = draws.quantile([tail, 1 - tail], (CHAIN, DRAW), skipna=False).values
    mean = draws.mean((CHAIN, DRAW), skipna=False)
    sd = draws.std((CHAIN, DRAW), skipna=False)
    index = pd.MultiIndex.from_product(
        [mean[d].values.astype(str) for d in mean.dims], names=["participant_id", ARM, last]
    )
    table = pd.DataFrame(
        {
            "mean": mean.values.ravel(),
            "sd": sd.values.ravel(),
            "lower": bounds[0].ravel(),
            "upper": bounds[1].ravel(),
        },
        index=index,
    ).reset_index()
    known = pd.Series(projection[KNOWN_ARM].values.astype(str), projection[SUBJECT].values)
    table.insert(1, KNOWN_ARM, known.reindex(table["participant_id"]).to_numpy())
    applies = table[KNOWN_ARM].isin([MISSING]) | (table[KNOWN_ARM] == table[ARM])
    return table[applies & table["mean"].notna()].reset_index(drop=True)


def export_projection(
    projection: xr.Dataset, path: str | Path, *, ci_prob: float = 0.9, overwrite: bool = False
) -> list[Path]:
    """Write a projection: a table, its sidecar, and all draws.

    Parameters
    ----------
    projection : Dataset
        From `project`.
    path : str or Path
        The table of scores, ending in ``.tsv``. Files with the same stem are written beside it:
        ``.json`` (meaning of the columns), ``.nc`` (the draws) and, where symptoms are predicted,
        ``_symptoms.tsv``.
    ci_prob : float, default 0.9
        Probability of the equal-tailed interval.
    overwrite : bool, default False
        Whether files of the same names may be replaced.

    Returns
    -------
    list of Path
        Every file written, the table first.

    Raises
    ------
    SpecError
        If `path` does not end in ``.tsv``.
    RunFolderError
        If a file exists and `overwrite` is False. Nothing is written then.
    """
    path = check_projection_target(path, overwrite=overwrite)
    tables = {path: summarise_projection(projection, ci_prob=ci_prob)}
    if PREDICTED_SYMPTOM in projection:
        tables[_symptom_table(path)] = summarise_projection(
            projection, quantity=PREDICTED_SYMPTOM, ci_prob=ci_prob
        )
    sidecar, draws = path.with_suffix(".json"), path.with_suffix(".nc")
    files = [*tables, sidecar, draws]
    make_folder(path.parent)
    # The sidecar is first: it marks the files as ones that may be replaced.
    write_text(sidecar, json.dumps(_sidecar(projection, ci_prob), indent=2) + "\n")
    for name, table in tables.items():
        text = table.to_csv(sep="\t", index=False, na_rep=MISSING, float_format=NUMBERS)
        write_text(name, text)
    write_netcdf(projection, draws)
    return files


def _symptom_table(path: Path) -> Path:
    return path.with_name(f"{path.stem}_symptoms.tsv")


def _sidecar(projection: xr.Dataset, ci_prob: float) -> dict[str, Any]:
    attrs = projection.attrs
    return {
        "estimand": attrs["estimand"],
        "units": attrs["units"],
        "symptom_units": "as rated; a new rating of the participant, residual included",
        "interval": {"ci_prob": ci_prob, "ci_kind": "equal-tailed"},
        "columns": COLUMNS,
        "draws": projection.sizes[CHAIN] * projection.sizes[DRAW],
        "reference": attrs["reference"],
        "reference_of_fit": attrs["reference_of_fit"],
        "new_levels": attrs["new_levels"],
        "people_of_new_levels": json.loads(attrs["people_of_new_levels"]),
        "excluded": json.loads(attrs["excluded"]),
        "fingerprint_of_fit": attrs["fingerprint"],
        "seed": int(attrs["seed"]),
    }
