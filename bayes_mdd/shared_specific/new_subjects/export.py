"""Export of projected scores as tables and files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, CHAIN, DRAW, FACTOR, MISSING, SUBJECT, SYMPTOM
from bayes_mdd.errors import RunFolderError, SpecError
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
    path = Path(path)
    if path.suffix != ".tsv":
        raise SpecError(
            f"a projection is written as a table: expected a name that ends in .tsv, got {path}."
        )
    tables = {path: summarise_projection(projection, ci_prob=ci_prob)}
    if PREDICTED_SYMPTOM in projection:
        tables[path.with_name(f"{path.stem}_symptoms.tsv")] = summarise_projection(
            projection, quantity=PREDICTED_SYMPTOM, ci_prob=ci_prob
        )
    sidecar, draws = path.with_suffix(".json"), path.with_suffix(".nc")
    files = [*tables, sidecar, draws]
    existing = [p.name for p in files if p.exists()]
    if existing and not overwrite:
        raise RunFolderError(
            f"{path.parent} already holds {', '.join(existing)}: choose another name, or replace "
            "these files with --force (overwrite=True)."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        with _replacing(name) as temporary:
            table.to_csv(temporary, sep="\t", index=False, na_rep=MISSING, float_format=NUMBERS)
    note = json.dumps(_sidecar(projection, ci_prob), indent=2) + "\n"
    with _replacing(sidecar) as temporary:
        temporary.write_text(note, encoding="utf-8")
    with _replacing(draws) as temporary:
        projection.to_netcdf(temporary, engine="h5netcdf")
    return files


class _replacing:
    """A temporary name that becomes the final one when writing succeeds."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.temporary = path.with_name(f".{path.name}.tmp")

    def __enter__(self) -> Path:
        return self.temporary

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        if kind is None:
            self.temporary.replace(self.path)
        else:
            self.temporary.unlink(missing_ok=True)


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
