"""Regional time series as ``.1D`` files: C-PAC, ABIDE Preprocessed, AFNI.

References
----------
Cox (1996), AFNI: software for analysis and visualization of functional magnetic resonance
neuroimages. Computers and Biomedical Research 29.
Craddock et al. (2013), The Neuro Bureau Preprocessing Initiative: open sharing of preprocessed
neuroimaging data and derivatives. Frontiers in Neuroinformatics 7.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from bayes_mdd.features.assemble import FUNCTIONAL
from bayes_mdd.features.derivatives.file_names import FileName
from bayes_mdd.features.derivatives.interface import Format, FormatRequest, Reading, SubjectValues
from bayes_mdd.features.derivatives.region_labels import names_of_columns, names_of_labels
from bayes_mdd.features.derivatives.subjects import one_file_per_subject, read_subjects
from bayes_mdd.features.derivatives.text_tables import parse_number, parse_numbers
from bayes_mdd.features.loading import UnreadableFileError
from bayes_mdd.files.text import MAX_TABLE, read_text
from bayes_mdd.types import Array

#: Names of files with regional series.
_SERIES = re.compile(r"_rois?_|_timeseries|roi|netts", re.I)
#: Names of ``.1D`` files with motion, censoring and design matrices.
_OTHERS = re.compile(
    r"motion|movement|dfile|censor|outcount|enorm|xmat|regressor|nuisance|framewise|power|fdp|fdj"
    r"|displacement|filter|demean|deriv|_fd|stim|mask|params|xfm|aff12|volreg|GCOR|TSNR",
    re.I,
)
#: What 3dROIstats writes before the label: mean, mean of voxels that are not 0.
_MEAN = re.compile(r"(?:NZ)?Mean_(.+)", re.I)
#: Columns of 3dROIstats that hold no signal.
_NO_SIGNAL = re.compile(
    r"File|Sub-brick|(?:NZcount|Med|NZMed|Min|Max|NZMin|NZMax|Sigma|NZSigma|NZSum|Mode|NZMode)_.+",
    re.I,
)


def _find(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    own = [n for n in files if n.extension.lower() == ".1d"]
    series = [n for n in own if _SERIES.search(n.stem) and not _OTHERS.search(n.stem)]
    found = series or [n for n in own if not _OTHERS.search(n.stem)]
    return {FUNCTIONAL: found} if found else {}


def _read(request: FormatRequest) -> Reading:
    files = one_file_per_subject(request.files)

    def read(name: FileName) -> SubjectValues:
        labels, series = read_series(name.path)
        names = (
            names_of_columns(series.shape[1], len(series), name.path, request.regions)
            if labels is None
            else names_of_labels(labels, request.regions)
        )
        return SubjectValues(names, series)

    return Reading(
        kind=FUNCTIONAL,
        shape="series",
        by_subject=read_subjects(files, read),
        files=[n.path for n in files.values()],
        facts={"censoring": "as in the files"},
    )


def read_series(path: Path) -> tuple[tuple[str, ...] | None, Array]:
    """Read a ``.1D`` file with one column per region.

    Parameters
    ----------
    path : Path
        Columns separated by white space or commas. Labels may be in the last comment line before
        the values (``#2001 #2002``), or in a header (``File Sub-brick Mean_1 Mean_2``).

    Returns
    -------
    labels : tuple of str or None
        One per column; None if the file has none.
    series : ndarray, shape (time, region)
        The values.

    Raises
    ------
    UnreadableFileError
        If the file is no table of numbers.
    """
    comments: list[list[str]] = []
    rows: list[list[str]] = []
    for line in read_text(path, limit=MAX_TABLE).splitlines():
        cells = _cells(line)
        if line.lstrip().startswith("#"):
            # Comments after the values do not name columns.
            comments += [] if rows or any(c[0] in "-=+" for c in cells) else [cells]
        elif cells:
            rows.append(cells)
    header = None
    if rows and all(parse_number(c) is None for c in rows[0][2:] or rows[0]):
        header, rows = rows[0], rows[1:]
    widths = {len(row) for row in rows}
    if len(widths) != 1:
        found = "no values" if not rows else f"rows of {min(widths)} to {max(widths)} cells"
        raise UnreadableFileError(f"{path.name} has {found}: it is empty or truncated.")
    width = widths.pop()
    fitting = [c for c in ([header] if header else reversed(comments)) if c and len(c) == width]
    if header is not None and not fitting:
        raise UnreadableFileError(
            f"{path.name} has {len(header)} names for {width} columns: it is truncated."
        )
    if not fitting:
        return None, parse_numbers(path, rows)
    keep = [i for i, c in enumerate(fitting[0]) if not _NO_SIGNAL.fullmatch(c)]
    labels = tuple(_MEAN.sub(r"\1", fitting[0][i]) for i in keep)
    return labels, parse_numbers(path, [[row[i] for i in keep] for row in rows])


def _cells(line: str) -> list[str]:
    """Split a line at commas, tabs or spaces; the marks of comments are removed."""
    cells = re.split(r"[,\s]+", line.strip())
    return [c for c in (cell.lstrip("#") for cell in cells) if c]


FORMATS = (
    Format(
        name="series_1d",
        title="regional time series of C-PAC, ABIDE Preprocessed or AFNI (*_rois_*.1D, "
        "*_timeseries.1D)",
        find=_find,
        read=_read,
        has_series=True,
        yields_to=("xcpd_relmat", "cpac_correlations", "netcc"),
    ),
)
