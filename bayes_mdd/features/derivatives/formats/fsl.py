"""FSL: network matrices of FSLNets, series of dual regression, and probtrackx connectomes.

References
----------
Smith et al. (2013), Functional connectomics from resting-state fMRI. Trends in Cognitive Sciences
17.
Nickerson et al. (2017), Using dual regression to investigate network shape and amplitude in
functional connectivity analyses. Frontiers in Neuroscience 11.
Behrens et al. (2007), Probabilistic diffusion tractography with multiple fibre orientations: what
can we gain? NeuroImage 34.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import isqrt
from pathlib import Path

from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.assemble import FUNCTIONAL
from bayes_mdd.features.derivatives.connectomes import STRUCTURAL, find_region_names
from bayes_mdd.features.derivatives.file_names import FileName
from bayes_mdd.features.derivatives.interface import Format, FormatRequest, Reading, SubjectValues
from bayes_mdd.features.derivatives.layer_ids import find_layer_ids
from bayes_mdd.features.derivatives.region_labels import names_of_columns
from bayes_mdd.features.derivatives.subjects import one_file_per_subject, read_subjects
from bayes_mdd.features.derivatives.text_tables import parse_numbers, read_cells
from bayes_mdd.features.loading import UnreadableFileError
from bayes_mdd.types import Array

_TEXT = (".txt", ".csv", ".tsv")
_NETMATS = re.compile(r"(?:.*_)?(?:[zrp]?netmats?\d*|znet\d*)(?:_.*)?", re.I)
_DUAL_REGRESSION = re.compile(r"dr_stage1_subject(?P<number>\d+)")
_PROBTRACKX = "fdt_network_matrix"


def _numbers(path: Path) -> Array:
    return parse_numbers(path, read_cells(path).rows)


# FSLNets: one row per subject, all pairs of nodes in its columns


def _find_netmats(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    found = [
        n
        for n in files
        if n.extension in _TEXT
        and "sub" not in n.entities
        and _NETMATS.fullmatch(n.stem)
        and not _is_square(n.path)
    ]
    return {FUNCTIONAL: found} if found else {}


def _is_square(path: Path) -> bool:
    """Whether a file holds the matrix of one subject instead of one row per subject."""
    try:
        cells = read_cells(path)
    except UnreadableFileError:
        return False
    return len(cells.rows) == len(cells.header)


def _read_netmats(request: FormatRequest) -> Reading:
    if len(request.files) > 1:
        listed = some(n.path.name for n in request.files)
        raise DataContractError(
            "FSLNets",
            [
                f"several network matrices ({listed}): choose one with entities={{'name': "
                f"{request.files[0].stem!r}}} (--entity name={request.files[0].stem})."
            ],
        )
    path = request.files[0].path
    table = _numbers(path)
    n_nodes = isqrt(table.shape[1])
    if n_nodes**2 != table.shape[1] or n_nodes < 2:
        raise UnreadableFileError(
            f"{path.name} has {table.shape[1]} columns: expected all pairs of N nodes, N x N "
            "columns, as nets_netmats returns them. Vectors of one triangle are not read, because "
            "their order is not stated: write full matrices."
        )
    if not request.units:
        raise UnreadableFileError(
            f"{path.name} does not state its units, and FSLNets writes several: give units='z' for "
            "z-statistics (nets_netmats with its default r-to-z conversion), units='r' for "
            "correlations, or units='fisher_z' (--units)."
        )
    names = _node_names(n_nodes, path, request)
    ids, notes = find_layer_ids(len(table), path, request)
    stack = table.reshape(len(table), n_nodes, n_nodes)
    return Reading(
        kind=FUNCTIONAL,
        shape="matrix",
        by_subject={i: SubjectValues(names, m) for i, m in zip(ids, stack, strict=True)},
        files=[path],
        notes=notes,
        facts={"measure": "partial correlation"} if re.search(r"(?i)netmats?2", path.stem) else {},
    )


def _node_names(n: int, path: Path, request: FormatRequest) -> tuple[str, ...]:
    """Names of the nodes; components have numbers, unless a region table names them."""
    if request.regions is not None and "label" in request.regions:
        return find_region_names(n, path, request)
    if request.regions is not None:
        return names_of_columns(n, n, path, request.regions)
    return tuple(f"IC{k:03d}" for k in range(1, n + 1))


# Dual regression: dr_stage1_subject00000.txt, one column per component


def _find_dual_regression(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    found = [n for n in files if n.extension in _TEXT and _DUAL_REGRESSION.fullmatch(n.stem)]
    return {FUNCTIONAL: found} if found else {}


def _read_dual_regression(request: FormatRequest) -> Reading:
    numbers = {int(m[1]): n for n in request.files if (m := _DUAL_REGRESSION.search(n.stem))}
    missing = sorted(set(range(max(numbers) + 1)) - set(numbers))
    if missing or len(numbers) < len(request.files):
        raise DataContractError(
            "dual regression",
            [
                "the files number the subjects by position, but "
                + (
                    f"there is none for {some(missing)}"
                    if missing
                    else "several folders hold the same number: give one folder"
                )
                + "."
            ],
        )
    first = numbers[0].path
    own_ids = [n.own_id for n in request.files if n.own_id]
    ids, notes = own_ids, list[str]()
    if len(own_ids) != len(numbers):
        ids, notes = find_layer_ids(len(numbers), first, request)
    files = {i: numbers[k] for k, i in enumerate(ids)}

    def read(name: FileName) -> SubjectValues:
        series = _numbers(name.path)
        names = (
            tuple(f"IC{k:03d}" for k in range(1, series.shape[1] + 1))
            if request.regions is None
            else names_of_columns(series.shape[1], len(series), name.path, request.regions)
        )
        return SubjectValues(names, series)

    return Reading(
        kind=FUNCTIONAL,
        shape="series",
        by_subject=read_subjects(files, read),
        files=[n.path for n in files.values()],
        notes=notes,
    )


# probtrackx2 --network: fdt_network_matrix, in a folder per subject


def _find_probtrackx(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    found = [n for n in files if n.stem == _PROBTRACKX and n.extension in ("", *_TEXT)]
    return {STRUCTURAL: found} if found else {}


def _read_probtrackx(request: FormatRequest) -> Reading:
    unnamed = [n for n in request.files if not n.own_id and "sub" not in n.entities]
    if unnamed and len(request.files) > 1:
        raise DataContractError(
            "probtrackx",
            [
                f"all files are called {_PROBTRACKX}, and {len(unnamed)} folder(s) do not state "
                f"the participant as sub-... ({some(n.path.parent.name for n in unnamed)}): give "
                r"the pattern of the id in the path, e.g. ids='(S\d+)/' (--ids)."
            ],
        )
    files = one_file_per_subject(request.files)

    def read(name: FileName) -> SubjectValues:
        matrix = _numbers(name.path)
        if matrix.shape[0] != matrix.shape[1]:
            shape = " x ".join(map(str, matrix.shape))
            raise UnreadableFileError(f"{name.path.name} is {shape}: expected a square matrix.")
        return SubjectValues(find_region_names(len(matrix), name.path, request), matrix)

    return Reading(
        kind=STRUCTURAL,
        shape="matrix",
        by_subject=read_subjects(files, read),
        units="streamlines",
        files=[n.path for n in files.values()],
    )


FORMATS = (
    Format(
        name="fsl_netmats",
        title="network matrices of FSLNets (netmats1.txt: one row per participant, N x N columns)",
        find=_find_netmats,
        read=_read_netmats,
    ),
    Format(
        name="fsl_dual_regression",
        title="series of FSL's dual regression (dr_stage1_subject00000.txt)",
        find=_find_dual_regression,
        read=_read_dual_regression,
        has_series=True,
        yields_to=("fsl_netmats",),
    ),
    Format(
        name="fsl_probtrackx",
        title="connectomes of FSL's probtrackx2 --network (fdt_network_matrix)",
        find=_find_probtrackx,
        read=_read_probtrackx,
    ),
)
