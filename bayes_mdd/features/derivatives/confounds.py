"""fMRIPrep confounds of an image: its own table, loaded by nilearn, and mean head motion."""

from __future__ import annotations

import math
import os
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bayes_mdd.dims import MISSING
from bayes_mdd.errors import UnreadableFileError, some
from bayes_mdd.features.companions import describe_others, find_companion
from bayes_mdd.features.derivatives.text_tables import parse_numbers, read_cells
from bayes_mdd.features.file_names import FileName
from bayes_mdd.features.loading import require_file
from bayes_mdd.files.replace import write_error
from bayes_mdd.files.temporary import remove_leftovers, temporary_name
from bayes_mdd.specs.derivatives import DerivativesSpec

#: Smallest number of degrees of freedom for a usable correlation.
_MIN_DEGREES_OF_FREEDOM = 20
#: Suffixes of confounds tables in the versions of fMRIPrep.
_SUFFIXES = ("timeseries", "regressors", "confounds")
#: Prefix of temporary folders with copies of confounds.
_SCRATCH = "bayes-mdd-confounds-"
_FD = ("framewise_displacement", "FramewiseDisplacement")
_EXPECTED = (
    "Expected *_desc-confounds_timeseries.tsv and .json of fMRIPrep 1.2 or later in the same "
    "folder, with the entities of the image (task, acq, run, ...)"
)


@dataclass(frozen=True)
class Denoising:
    """Confounds of an image, and the volumes to keep.

    Parameters
    ----------
    confounds : pandas.DataFrame
        One column per confound.
    keep : numpy.ndarray of int or None
        Indices of the kept volumes; None for all.
    covariates : dict
        ``volumes_kept`` and, if the table states framewise displacement, ``mean_fd`` (mm).
    notes : tuple of str
        What is missing in the table.
    """

    confounds: Any
    keep: Any
    covariates: dict[str, float]
    notes: tuple[str, ...] = ()


def is_confounds_name(name: FileName) -> bool:
    """Test whether a file name is that of a confounds table of fMRIPrep.

    Parameters
    ----------
    name : FileName
        The file.

    Returns
    -------
    bool
        True for ``desc-confounds_timeseries.tsv``, ``desc-confounds_regressors.tsv`` and
        ``bold_confounds.tsv``.
    """
    if name.extension != ".tsv" or name.suffix not in _SUFFIXES:
        return False
    return name.suffix == "confounds" or name.entities.get("desc") == "confounds"


def load_denoising(
    name: FileName, files: Iterable[FileName], volumes: int, spec: DerivativesSpec
) -> Denoising:
    """Load the confounds of a BOLD image and determine which volumes are kept.

    Parameters
    ----------
    name : FileName
        The image.
    files : iterable of FileName
        Files among which its confounds table is searched, by entities.
    volumes : int
        Number of volumes of the image.
    spec : DerivativesSpec
        Confound strategy, thresholds and ``min_volumes``.

    Returns
    -------
    Denoising
        Confounds and kept volumes.

    Raises
    ------
    UnreadableFileError
        If there is no confounds table or several, the table is unusable, or too few volumes or
        degrees of freedom remain.
    """
    tables = [n for n in files if is_confounds_name(n)]
    own = find_companion(name, tables, "confounds table")
    if own is None:
        raise UnreadableFileError(
            f"{name.path.name}: its confounds cannot be used (there is no confounds table of this "
            f"image{describe_others(name, tables)}). {_EXPECTED}."
        )
    fd = read_mean_fd(own.path)
    _check_numbers(own.path)
    confounds, keep = _load(name, own, spec)
    if len(confounds) != volumes:
        raise UnreadableFileError(
            f"{name.path.name} has {volumes} volumes, its confounds {len(confounds)} rows: the two "
            "files do not belong together; give the confounds of this image."
        )
    kept = volumes if keep is None else len(keep)
    if kept < spec.min_volumes:
        raise UnreadableFileError(
            f"{name.path.name}: {kept} of {volumes} volumes remain after scrubbing, at least "
            f"{spec.min_volumes} required: exclude the participant, or change min_volumes or "
            "fd_threshold (DerivativesSpec; --set min_volumes=...)."
        )
    remaining = kept - confounds.shape[1] - 1
    if remaining < _MIN_DEGREES_OF_FREEDOM:
        raise UnreadableFileError(
            f"{name.path.name}: {kept} volumes and {confounds.shape[1]} confounds leave "
            f"{remaining} degrees of freedom, at least {_MIN_DEGREES_OF_FREEDOM} required: use "
            "fewer confounds."
        )
    if fd is None:
        note = f"the confounds table states no {_FD[0]}, so mean_fd is not known."
        return Denoising(confounds, keep, {"volumes_kept": float(kept)}, (note,))
    return Denoising(confounds, keep, {"volumes_kept": float(kept), "mean_fd": fd})


def _check_numbers(path: Path) -> None:
    """Refuse other text than numbers and n/a, of which nilearn does not say where it is."""
    cells = read_cells(path)
    bad = [
        f"{column} row {row} ({line[i]!r:.40})"
        for i, column in enumerate(cells.header)
        for row, line in enumerate(cells.body, start=1)
        if line[i] not in (MISSING, "") and not _is_float(line[i])
    ]
    if not cells.body:
        raise UnreadableFileError(f"{path.name} has a header and no rows: copy or create it again.")
    if bad:
        raise UnreadableFileError(
            f"{path.name} has other text where a number was expected: {some(bad)}. Correct these "
            f"cells, or write {MISSING} where the value is missing."
        )


def _is_float(cell: str) -> bool:
    try:
        return not math.isinf(float(cell))
    except ValueError:
        return False


def _load(name: FileName, own: FileName, spec: DerivativesSpec) -> tuple[Any, Any]:
    """Let nilearn read one confounds table.

    nilearn searches the folder of the image for all tables with some of its entities, and refuses
    a folder where other recordings lie beside it. It is given a folder with the right table only.
    """
    from nilearn.interfaces.fmriprep import load_confounds

    scrub = (
        {"fd_threshold": spec.fd_threshold, "std_dvars_threshold": spec.std_dvars_threshold}
        if "scrub" in spec.confounds
        else {}
    )
    sidecar = own.path.with_suffix(".json")
    with _alone(own.path, sidecar if sidecar.is_file() else None) as table:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about columns that are not needed
                # nilearn accepts names of compressed images only; it does not open the image.
                image = table.with_name(f"{name.stem}.nii.gz")
                confounds, keep = load_confounds(str(image), strategy=spec.confounds, **scrub)
        # nilearn and pandas do not promise which exceptions a damaged table raises.
        except Exception as error:
            text = " ".join(str(error).replace(f"{table.parent}/", "").split())[:200]
            raise UnreadableFileError(
                f"{name.path.name}: its confounds cannot be used ({text}). {_EXPECTED}; strategy "
                f"{', '.join(spec.confounds)}."
            ) from error
    rows = np.arange(len(confounds)) if keep is None else np.asarray(keep)
    gaps = [
        f"{column} row {row + 1}"
        for column in confounds
        for row in rows[~np.isfinite(confounds[column].to_numpy()[rows])]
    ]
    if gaps:
        raise UnreadableFileError(
            f"{own.path.name} has no value in {some(gaps)}: only derivatives may lack their first "
            "one. Correct these cells, or exclude the participant."
        )
    return confounds, keep


@contextmanager
def _alone(path: Path, sidecar: Path | None) -> Iterator[Path]:
    """Copy a confounds table, and its sidecar, into a temporary folder of their own."""
    contents = {}
    for source in filter(None, (path, sidecar)):
        require_file(source)
        try:
            contents[source.suffix] = source.read_bytes()
        except OSError as error:
            raise UnreadableFileError(f"{source.name} cannot be read: {error.strerror}.") from error
    with ExitStack() as stack:
        # A temporary folder that is full is no fault of the table.
        try:
            folder = Path(stack.enter_context(_scratch_folder()))
            table = folder / "desc-confounds_timeseries.tsv"
            table.write_bytes(contents.pop(path.suffix))
            for suffix, content in contents.items():
                table.with_suffix(suffix).write_bytes(content)
        except OSError as error:
            raise write_error(Path(tempfile.gettempdir()), error) from error
        yield table


class MotionTables:
    """Motion tables of XCP-D, from which the mean framewise displacement is read.

    Parameters
    ----------
    files : iterable of FileName
        All files of the folder.
    """

    def __init__(self, files: Iterable[FileName]) -> None:
        self._tables = [
            n
            for n in files
            if n.suffix == "motion"
            and n.extension == ".tsv"
            and n.entities.get("desc") != "filtered"
        ]
        self._values: dict[str, float | None] = {}

    def add(self, name: FileName) -> None:
        """Read the motion of the recording that a file comes from.

        Parameters
        ----------
        name : FileName
            Matrix, series or regional values of a subject.

        Raises
        ------
        UnreadableFileError
            If several tables belong to the file, or its table cannot be read.
        """
        own = find_companion(name, self._tables, "motion table")
        self._values[name.subject_id] = None if own is None else read_mean_fd(own.path)

    def covariates(self) -> dict[str, dict[str, float]]:
        """Return the mean framewise displacement of the subjects with a table.

        Returns
        -------
        dict
            ``mean_fd`` (mm) by subject; empty if there are no tables.
        """
        known = {s: v for s, v in self._values.items() if v is not None}
        return {"mean_fd": known} if known else {}

    def notes(self) -> list[str]:
        """Report the subjects whose motion is not known, where that of others is.

        Returns
        -------
        list of str
            At most one note.
        """
        without = [s for s, v in self._values.items() if v is None]
        if not without or len(without) == len(self._values):
            return []
        return [
            f"{some(without)}: no motion table with {_FD[0]} belongs to the file, so that mean_fd "
            "is not known."
        ]


def _scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """Make a temporary folder; nilearn replaces ``tsv`` anywhere in a path to find the .json."""
    _clear_scratch(Path(tempfile.gettempdir()), os.getpid())
    prefix = temporary_name(_SCRATCH, ".")
    made = tempfile.TemporaryDirectory(prefix=prefix)
    while "tsv" in Path(made.name).name:
        made.cleanup()
        made = tempfile.TemporaryDirectory(prefix=prefix)
    return made


@lru_cache(maxsize=1)
def _clear_scratch(folder: Path, _process: int) -> None:
    """Remove what killed processes left, once in each process."""
    remove_leftovers(folder, _SCRATCH)


def read_mean_fd(path: Path) -> float | None:
    """Read the mean framewise displacement; the first row has no value and does not count as 0.

    Parameters
    ----------
    path : Path
        A confounds table.

    Returns
    -------
    float or None
        In mm; None if the table has no such column or no value in it.

    Raises
    ------
    UnreadableFileError
        If the table cannot be read.
    """
    cells = read_cells(path)
    columns = [c for c in _FD if c in cells.header]
    if not columns:
        return None
    column = cells.header.index(columns[0])
    values = parse_numbers(path, [[row[column]] for row in cells.body])[:, 0]
    known = values[values == values]
    return float(known.mean()) if known.size else None
