"""AnnData: loadings and, where asked, scores, with the keys that MOFA's users know.

References
----------
Virshup et al. (2024), anndata: access and store annotated data matrices. JOSS 9, 4371.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from bayes_mdd.dims import ARM, FACTOR, FEATURE
from bayes_mdd.files.replace import write_with
from bayes_mdd.results.export_notes import common_note
from bayes_mdd.results.exports.material import Material, write_json

#: Keys of muon and MOFA2.
SCORES, LOADINGS = "X_mofa", "LFs"
STATISTICS: Final = ("sd", "lower", "upper")
NOTE: Final = {
    "var": "features with their regions, networks and block",
    f"varm/{LOADINGS}": "posterior mean loadings (feature, factor); with _sd, _lower, _upper and "
    "_p_positive",
    "obs": "participants with their arm; empty unless --with-participants",
    f"obsm/{SCORES}": "posterior mean scores (participant, factor); with _sd, _lower and _upper",
    "uns/factors": "names, labels and probabilities of the factors, in the order of the columns",
    "X": "none: the features of participants are not part of a result",
}


def why_not(material: Material) -> str | None:
    """Say why a run cannot be written.

    Parameters
    ----------
    material : Material
        The run.

    Returns
    -------
    str or None
        None where it can.
    """
    if find_spec("anndata") is None:
        return "it needs the extra 'bayes-mdd[anndata]': install it."
    return None


def write(material: Material, folder: Path) -> None:
    """Write one file, with a JSON sidecar.

    Parameters
    ----------
    material : Material
        The run.
    folder : Path
        An empty folder.
    """
    sig = material.sig
    factors = [str(f) for f in sig[FACTOR].values]
    obs, obsm = _participants(material.tables.get("scores"), factors)
    loadings = {"": "mean", **{f"_{s}": s for s in STATISTICS}, "_p_positive": "p_positive"}
    table = material.tables["factors"].set_index(FACTOR).loc[factors]
    data = _build(
        obs=obs,
        var=_features(material),
        obsm=obsm,
        varm={
            f"{LOADINGS}{end}": sig[name].transpose(FEATURE, FACTOR).values
            for end, name in loadings.items()
        },
        uns={"factors": _plain(table), "note": json.dumps(NOTE)},
    )
    write_with(folder / "run.h5ad", partial(_save, data))
    write_json(folder / "run.json", {**common_note(sig), **NOTE, "Columns": factors})


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress a warning about an option of pandas that anndata reads, and pandas 3 deprecates."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*infer_string.*")
        yield


def _build(**parts: Any) -> Any:
    from anndata import AnnData

    with _quiet():
        return AnnData(**parts)


def _save(data: Any, path: Path) -> None:
    with _quiet():
        data.write_h5ad(path)


def _features(material: Material) -> pd.DataFrame:
    sig = material.sig
    columns = {
        str(name): coord.values
        for name, coord in sig.coords.items()
        if coord.dims == (FEATURE,) and name != FEATURE
    }
    return _plain(pd.DataFrame(columns, index=pd.Index(sig[FEATURE].values.astype(str))))


def _participants(
    scores: pd.DataFrame | None, factors: list[str]
) -> tuple[pd.DataFrame, dict[str, np.ndarray[Any, Any]]]:
    if scores is None:
        return pd.DataFrame(index=pd.Index([], dtype=str)), {}
    people = list(dict.fromkeys(scores["participant_id"]))
    arm = scores.drop_duplicates("participant_id").set_index("participant_id")[ARM]
    obs = pd.DataFrame({ARM: arm.loc[people].astype(str)}, index=pd.Index(people).astype(str))
    ends = {"": "mean", **{f"_{s}": s for s in STATISTICS}}
    values = list(ends.values())
    wide = scores.pivot_table(index="participant_id", columns=FACTOR, values=values)
    obsm = {
        f"{SCORES}{end}": wide[name].loc[people, factors].to_numpy() for end, name in ends.items()
    }
    return _plain(obs), obsm


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """Texts as objects, which every version of the format can hold; no attributes."""
    out = pd.DataFrame(
        {
            str(name): column.astype(str).astype(object)
            if not pd.api.types.is_numeric_dtype(column)
            else column.to_numpy()
            for name, column in table.items()
        },
        index=pd.Index([str(i) for i in table.index], dtype=object),
    )
    return out
