"""Export of a run into the formats of other programs, for every model family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import xarray as xr

from bayes_mdd.errors import DataContractError, RunFolderError, SpecError
from bayes_mdd.files.marks import ARCHIVE, SHARE
from bayes_mdd.results.exports.folders import check_export, write_exports
from bayes_mdd.results.exports.formats import FORMATS, ON_REQUEST
from bayes_mdd.results.exports.material import Material
from bayes_mdd.results.hashed_ids import hash_ids
from bayes_mdd.results.manifest import write_archive
from bayes_mdd.results.result import read_result
from bayes_mdd.sampling.run_folder import read_run
from bayes_mdd.workflow.material import gather_material
from bayes_mdd.workflow.response_drawings import read_response_drawings
from bayes_mdd.workflow.share import gather_shared

ALL = "all"


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Parameters
    ----------
    files : mapping of str to tuple of Path
        Files by format.
    left_out : mapping of str to str
        Formats of ``"all"`` that do not apply to the run, with the reason.
    """

    files: Mapping[str, tuple[Path, ...]]
    left_out: Mapping[str, str] = field(default_factory=dict)


def export_run(
    run: str | Path | xr.DataTree,
    folder: str | Path,
    *,
    formats: Sequence[str] = (ALL,),
    atlas: str | Path | None = None,
    surface_atlas: str | Path | None = None,
    view: str | None = None,
    radius: float = 5.0,
    with_participants: bool = False,
    archive: bool = False,
    id_key: str | Path | bytes | None = None,
    overwrite: bool = False,
) -> Exported:
    """Write a run in the formats of other programs, one folder a format.

    Parameters
    ----------
    run : str, Path or xarray.DataTree
        A run folder, or what `fit` or `read_run` returned.
    folder : str or Path
        Gets one folder per format; created when it does not exist.
    formats : sequence of str, default ("all",)
        Of "nifti", "bids", "brainnet", "graphml", "cifti", "gifti", "tables", "neurovault",
        "html", "anndata" and "figures"; "all" writes those that apply to the run. "share", alone,
        is one folder with all that may leave the site: report, signatures, tables, settings,
        checks, and draws of the population without any participant. "summary" is what other sites
        need to combine cohorts (`combine_cohorts`); "all" does not write it.
    atlas : str or Path, optional
        Label image of the regions (NIfTI). Without it, images show spheres at the MNI coordinates
        of the regions.
    surface_atlas : str or Path, optional
        Surface atlas of the regions (``.dlabel.nii``), for "cifti" and "gifti".
    view : str, optional
        View to export, where the features have several.
    radius : float, default 5.0
        Of the spheres, in mm.
    with_participants : bool, default False
        Whether "tables" holds the scores, one row per participant and factor, and "figures"
        those with one mark per participant.
    archive : bool, default False
        Whether the folder of "share" is also written as ``share.zip``.
    id_key : str, Path or bytes, optional
        Key, or file with the key, of hashes that take the place of ids in files with
        participants; see `hash_ids`.
    overwrite : bool, default False
        Whether earlier exports of the same formats may be replaced, each as a whole.

    Returns
    -------
    Exported
        ``files`` by format, and ``left_out`` with the reason.

    Raises
    ------
    SpecError
        If a format is unknown, or "share" is asked for together with `with_participants`.
    DataContractError
        If a format that is named does not apply to the run (all are listed), an atlas does not fit,
        there is no such view, or a file of "share" or "summary" would hold a participant.
    RunFolderError
        If an export is there already and `overwrite` is False, or its folder holds other files.
        Nothing is written then.
    WriteError
        If a folder cannot be written; earlier exports of all formats are kept then.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> done = bm.export_run("runs/demo", "maps", formats=["nifti", "graphml"])  # doctest: +SKIP
    >>> [path.name for path in done.files["graphml"]]  # doctest: +SKIP
    ['factor-F1.graphml', 'factor-F1.json', 'export.json']
    """
    chosen, asked = choose_formats(formats), ALL not in formats
    _check_share(chosen, with_participants=with_participants, archive=archive)
    folder = Path(folder)
    # Before anything is read.
    if asked:
        _check_targets(folder, chosen, archive=archive, overwrite=overwrite)
    tree = run if isinstance(run, xr.DataTree) else read_run(run)
    material = gather_material(
        read_result(tree if id_key is None else hash_ids(tree, id_key)),
        atlas=None if atlas is None else Path(atlas),
        surface_atlas=None if surface_atlas is None else Path(surface_atlas),
        view=view,
        radius=radius,
        with_participants=with_participants,
    )
    if "figures" in chosen and not isinstance(run, xr.DataTree):
        more = read_response_drawings(Path(run), with_participants=with_participants)
        material = replace(material, drawings=(*material.drawings, *more))
    if SHARE in chosen:
        material = replace(material, shared=gather_shared(tree, run))
    reasons = {name: FORMATS[name].why_not(material) for name in chosen}
    left_out = {name: reason for name, reason in reasons.items() if reason}
    if asked and left_out:
        raise DataContractError("export", [f"format '{n}': {r}" for n, r in left_out.items()])
    applies = [name for name in chosen if name not in left_out]
    _check_targets(folder, applies, archive=archive, overwrite=overwrite)
    _check_atlases(material, applies)
    files = write_exports(folder, {n: partial(FORMATS[n].write, material) for n in applies})
    if archive:
        files[SHARE] += (write_archive(folder / SHARE, folder / ARCHIVE),)
    return Exported(files, left_out)


def _check_targets(folder: Path, names: Sequence[str], *, archive: bool, overwrite: bool) -> None:
    for name in names:
        check_export(folder / name, overwrite=overwrite)
    if archive and (folder / ARCHIVE).exists() and not overwrite:
        raise RunFolderError(
            f"{folder / ARCHIVE} exists: choose another folder, or replace it with --force."
        )


def _check_atlases(material: Material, formats: Sequence[str]) -> None:
    """Read the atlases, so that one that does not fit is refused before a folder is made."""
    if material.atlas is not None and material.regional:
        _ = material.canvas
    if material.surface_atlas is not None and {"cifti", "gifti"} & {*formats}:
        _ = material.surface


def _check_share(chosen: Sequence[str], *, with_participants: bool, archive: bool) -> None:
    if SHARE in chosen and with_participants:
        raise SpecError(
            "the format 'share' holds no participants: leave with_participants (on the command "
            "line: --with-participants) out, or export other formats with a call of their own."
        )
    if archive and SHARE not in chosen:
        raise SpecError("archive (on the command line: --zip) concerns the format 'share'.")


def choose_formats(formats: Sequence[str]) -> tuple[str, ...]:
    """Check names of formats.

    Parameters
    ----------
    formats : sequence of str
        Names, or "all".

    Returns
    -------
    tuple of str
        Each once, in the order of the documentation.

    Raises
    ------
    SpecError
        If there is none, or one is unknown.
    """
    unknown = [f for f in formats if f != ALL and f not in FORMATS]
    if isinstance(formats, str) or unknown or not formats:
        raise SpecError(
            f"formats must be a list of names from {', '.join([*FORMATS, ALL])}; got {formats!r}."
        )
    everything = ALL in formats
    return tuple(n for n in FORMATS if n in formats or (everything and n not in ON_REQUEST))
