"""CAT12: grey matter volume, thickness and other measures of regions (catROI files).

References
----------
Gaser et al. (2024), CAT: a computational anatomy toolbox for the analysis of structural MRI
data. GigaScience 13.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.derivatives.file_names import FileName, filter_files, parse_name
from bayes_mdd.features.derivatives.formats.cat12_files import (
    RegionValues,
    is_group_table,
    kind_of,
    measure_columns,
    plain_measure,
    read_group_table,
    read_roi_xml,
    read_subject_table,
)
from bayes_mdd.features.derivatives.interface import Format, FormatRequest, Reading, SubjectValues
from bayes_mdd.features.derivatives.subjects import one_file_per_subject, read_subjects
from bayes_mdd.features.derivatives.text_tables import read_cells
from bayes_mdd.features.loading import UnreadableFileError
from bayes_mdd.features.tool_names import CAT12

_UNITS = {
    "volume": "mL",
    "white_matter_volume": "mL",
    "csf_volume": "mL",
    "white_matter_hyperintensity_volume": "mL",
    "thickness": "mm",
    "area": "mm2",
}


def _find(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    found: dict[str, list[FileName]] = {}
    for part in ("catROI", "catROIs"):
        own = [n for n in files if n.tool == CAT12 and n.suffix == part]
        # All files of a study have the same measures: the first that can be read states them.
        xml = [n for n in own if n.extension == ".xml"]
        for kind in _kinds_of_first(xml):
            found.setdefault(kind, []).extend(xml)
        for name in own:
            for kind in _kinds_of_table(name) if name.extension in (".csv", ".tsv", ".txt") else ():
                found.setdefault(kind, []).append(name)
    return found


def _kinds_of_first(files: Sequence[FileName]) -> list[str]:
    for name in files:
        try:
            return list(dict.fromkeys(kind_of(m) for _, m in read_roi_xml(name.path)))
        except UnreadableFileError:
            continue
    return []


def _kinds_of_table(name: FileName) -> list[str]:
    try:
        cells = read_cells(name.path, lines=1)
    except UnreadableFileError:
        return []
    if is_group_table(cells):
        return [kind_of(_atlas_and_measure(name)[1])]
    return list(dict.fromkeys(kind_of(m) for m in measure_columns(cells)))


def _atlas_and_measure(name: FileName) -> tuple[str, str]:
    """Atlas and measure of a table of all subjects, ``<name>_catROI_<atlas>_<measure>.csv``."""
    if "stat" in name.entities:
        return name.entities["atlas"], name.entities["stat"]
    atlas, _, measure = name.stem.split(f"{name.suffix}_", 1)[1].rpartition("_")
    return atlas, measure


def _read(request: FormatRequest) -> Reading:
    tables = [n for n in request.files if n.extension != ".xml" and _is_group(n)]
    single = [n for n in request.files if n not in tables]
    xml = [n for n in single if n.extension == ".xml"]
    single = xml or single
    if single:
        by_subject, facts = _read_single(single, request)
        files = [n.path for n in single]
        if tables:
            facts["tables_not_read"] = [n.path.name for n in tables]
    else:
        by_subject, facts = _read_tables(tables, request)
        files = [n.path for n in tables if n.path.name == facts["table"]]
    by_subject, empty = _without_empty_regions(by_subject)
    if empty:
        facts["regions_without_data"] = empty
    return Reading(
        kind=request.kind,
        shape="regional",
        by_subject=by_subject,
        units=_UNITS.get(request.kind, "not stated"),
        files=files,
        facts=facts,
    )


def _is_group(name: FileName) -> bool:
    try:
        return is_group_table(read_cells(name.path, lines=1))
    except UnreadableFileError:
        return False


def _read_single(
    files: Sequence[FileName], request: FormatRequest
) -> tuple[dict[str, SubjectValues], dict[str, Any]]:
    chosen: dict[str, tuple[str, str]] = {}

    def read(name: FileName) -> SubjectValues:
        own = read_roi_xml(name.path) if name.extension == ".xml" else read_subject_table(name.path)
        key = _choose(own, request, name.path)
        chosen[name.subject_id] = key
        return SubjectValues(own[key].names, own[key].values)

    by_subject = read_subjects(one_file_per_subject(files), read)
    used = dict.fromkeys(chosen.values())
    if len(used) > 1:
        listed = some(f"{m} of {a or 'the only atlas'}" for a, m in used)
        raise DataContractError(
            "CAT12", [f"the cohort mixes {listed}: choose one with atlas= and weighting=."]
        )
    atlas, measure = next(iter(used))
    return by_subject, {"atlas_in_file": atlas or "not stated", "measure_in_file": measure}


def _choose(
    found: Mapping[tuple[str, str], RegionValues], request: FormatRequest, path: Path
) -> tuple[str, str]:
    """Choose atlas and measure; an error lists the choices."""
    keys = [k for k in found if kind_of(k[1]) == request.kind]
    return _one_of(keys, request, path.name)


def _one_of(keys: Sequence[tuple[str, str]], request: FormatRequest, where: str) -> tuple[str, str]:
    atlases = list(dict.fromkeys(a for a, _ in keys if a))
    if request.atlas is not None and atlases:
        wanted = str(request.atlas).removeprefix("atlas-")
        if wanted not in atlases:
            raise UnreadableFileError(
                f"{where} has no {request.kind} of atlas {wanted!r}; found {some(atlases, 12)}. "
                "Correct atlas."
            )
        keys = [k for k in keys if k[0] == wanted]
    if request.weighting is not None:
        keys = [k for k in keys if request.weighting in (k[1], plain_measure(k[1]))]
    if not keys:
        raise UnreadableFileError(f"{where} has no {request.kind}: correct kind or weighting.")
    atlases = list(dict.fromkeys(a for a, _ in keys))
    if len(atlases) > 1:
        raise UnreadableFileError(
            f"{where} has {request.kind} in {len(atlases)} atlases: choose one with atlas=: "
            f"{some(atlases, 12)}."
        )
    if len(keys) > 1:
        measures = some(m for _, m in keys)
        raise UnreadableFileError(
            f"{where} has several measures of {request.kind}: choose one with weighting=: "
            f"{measures}."
        )
    return keys[0]


def _read_tables(
    tables: Sequence[FileName], request: FormatRequest
) -> tuple[dict[str, SubjectValues], dict[str, Any]]:
    by_key: dict[tuple[str, str], list[FileName]] = {}
    for name in tables:
        by_key.setdefault(_atlas_and_measure(name), []).append(name)
    own = [k for k in by_key if kind_of(k[1]) == request.kind]
    key = _one_of(own, request, "the folder")
    if len(by_key[key]) > 1:
        raise DataContractError(
            "CAT12",
            [
                f"several tables of {key[1]} in {key[0]} "
                f"({some(n.path.name for n in by_key[key])}): give the path of one."
            ],
        )
    name = by_key[key][0]
    regions, values = read_group_table(name.path)
    by_subject: dict[str, SubjectValues] = {}
    for row in _rows(name, values, request):
        if row.subject_id in by_subject:
            raise UnreadableFileError(
                f"{name.path.name} has several rows of {row.subject_id}: choose a session with "
                "entities={'ses': ...} and the path of the table, or keep one row."
            )
        by_subject[row.subject_id] = SubjectValues(regions, values[row.stem])
    facts = {"atlas_in_file": key[0], "measure_in_file": key[1], "table": name.path.name}
    return by_subject, facts


def _rows(table: FileName, values: Mapping[str, Any], request: FormatRequest) -> list[FileName]:
    """Parse the ids of a table, which are file names; the entities select rows as they do files."""
    if wrong := [i for i in values if Path(i).name != i]:
        raise UnreadableFileError(
            f"{table.path.name}: the first column must hold names of files without folders; found "
            f"{some(wrong)}. Correct these cells."
        )
    names = [replace(parse_name(Path(f"{i}.xml")), tool="") for i in values]
    return filter_files(names, request.entities) or names


def _without_empty_regions(
    by_subject: Mapping[str, SubjectValues],
) -> tuple[dict[str, SubjectValues], list[str]]:
    """Leave out regions that are 0 or missing in all subjects, as those of another tissue."""
    with_data: set[str] = set()
    for own in by_subject.values():
        has = np.isfinite(own.values) & (own.values != 0)
        with_data |= {n for n, h in zip(own.names, has, strict=True) if h}
    names = dict.fromkeys(n for own in by_subject.values() for n in own.names)
    empty = [n for n in names if n not in with_data]
    if not empty or not with_data:
        return dict(by_subject), []
    kept = {}
    for subject, own in by_subject.items():
        index = [i for i, n in enumerate(own.names) if n in with_data]
        kept[subject] = SubjectValues(tuple(own.names[i] for i in index), own.values[index])
    return kept, empty


FORMATS = (
    Format(
        name="cat12_roi",
        handles_atlas=True,
        title="region values of CAT12 (catROI_*.xml, catROIs_*.xml, *catROI_<atlas>_<measure>.csv)",
        find=_find,
        read=_read,
        tools=(CAT12,),
    ),
)
