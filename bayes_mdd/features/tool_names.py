"""File names of tools that do not follow BIDS: what a file is and whose, by its name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

DPABI, CONN, HALFPIPE, CAT12 = "DPABI", "CONN", "HALFpipe", "CAT12"

#: What is read of each tool, for messages about its other files.
READ_FILES: Mapping[str, str] = {
    DPABI: "ROICorrelation_<id>, ROICorrelation_FisherZ_<id> and ROISignals_<id> (.mat or .txt), "
    "and maps as NIfTI (ALFFMap_<id>.nii, mReHoMap_<id>.nii, ...)",
    CONN: "resultsROI_Subject<n>_Condition<n>.mat and resultsROI_Condition<n>.mat "
    "(results/firstlevel)",
    HALFPIPE: "*_desc-correlation_matrix.tsv, *_timeseries.tsv and maps as NIfTI",
    CAT12: "catROI_*.xml and catROIs_*.xml (folder label), and the tables *catROI_<atlas>_"
    "<measure>.csv",
}

#: Key of the scaling of DPABI maps: raw, m (divided by the global mean), z (over the brain).
SCALING = "scaling"
#: Key of the condition of CONN results.
CONDITION = "condition"


@dataclass(frozen=True, kw_only=True)
class ToolName:
    """A file name in the naming scheme of a tool.

    Parameters
    ----------
    tool : str
        The tool whose formats read the file; empty where the formats for any tool do.
    subject : str
        Subject id; empty if the name has none or states it as ``sub-``.
    entities : mapping of str to str
        Parts of the name as key-value pairs.
    suffix : str
        What the file holds.
    """

    tool: str
    subject: str = ""
    entities: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ""


@dataclass(frozen=True)
class NameParts:
    """A file name before its scheme is known.

    Parameters
    ----------
    stem : str
        The name without its extension.
    extension : str
        The extension.
    folders : sequence of str
        Folders above the file, outermost first.
    entities : mapping of str to str
        BIDS entities of the name.
    suffix : str
        Last part of the name.
    """

    stem: str
    extension: str
    folders: Sequence[str]
    entities: Mapping[str, str]
    suffix: str


# DPABI and DPARSF: <prefix><measure>_<id>

_DPABI_ROI = re.compile(
    r"(?:S(?P<ses>\d+)_)?(?P<what>ROISignals|ROICorrelation_FisherZ|ROICorrelation(?!_FisherZ$)"
    r"|ROI_OrderKey)_(?P<id>.+)"
)
_DPABI_MAP = re.compile(
    r"(?P<prefix>[sw]*)(?P<scaling>[mz]?)"
    r"(?P<measure>f?ALFF|ReHo|VMHC|PerAF|DegreeCentrality_[A-Za-z]+?(?:Brain)?|(?:ROI\d+)?FC)"
    r"Map_(?P<id>.+)"
)
_DPABI_OTHER = re.compile(r"(?:FD_(?:Jenkinson|Power|VanDijk)_|ROI_FCMap_|zROI_FCMap_|HeadMotion)")
#: Folders of the second and later sessions: S2_Results, S2_ROISignals_FunImgARCWF.
_DPABI_SESSION = re.compile(r"S(\d+)_(?:Results|ROISignals|Fun(?:Img|Surf|Volu))")
_DPABI_EXTENSIONS = (".mat", ".txt", ".tsv", ".csv")


def _dpabi(name: NameParts) -> ToolName | None:
    sessions = [m[1] for part in name.folders if (m := _DPABI_SESSION.match(part))]
    if (match := _DPABI_ROI.fullmatch(name.stem)) and name.extension in _DPABI_EXTENSIONS:
        what, entities = match["what"], {}
        sessions += [match["ses"]] if match["ses"] else []
    elif match := _DPABI_MAP.fullmatch(name.stem):
        what = match["measure"]
        entities = {SCALING: match["scaling"] or "raw"}
        if match["prefix"]:
            entities["prefix"] = match["prefix"]
    elif _DPABI_OTHER.match(name.stem):
        return ToolName(tool=DPABI, suffix=name.suffix)
    else:
        return None
    if sessions:
        entities["ses"] = sessions[-1]
    return ToolName(tool=DPABI, subject=match["id"], entities=entities, suffix=what)


# CONN: <what>_Subject<n>_Condition<n>; the number is the position in the project

_CONN_MAT = re.compile(
    r"(?P<what>resultsROI|ResultsROI|ROI)(?:_(?P<subject>Subject\d+))?"
    r"_(?P<key>Condition|Session)(?P<value>\d+)"
)
_CONN_MAP = re.compile(
    r"(?P<what>[A-Za-z]+)_(?P<subject>Subject\d+)_(?P<key>Condition|Session)(?P<value>\d+)"
    r"(?:_(?P<key2>Source|Component|Measure)(?P<value2>\d+)\w*)?"
)


def _conn(name: NameParts) -> ToolName | None:
    if name.extension == ".mat" and (match := _CONN_MAT.fullmatch(name.stem)):
        return ToolName(
            tool=CONN,
            subject=match["subject"] or "",
            entities={match["key"].lower(): match["value"]},
            suffix="resultsROI" if match["what"] != "ROI" else "ROI",
        )
    # Seed maps (BETA_Subject001_Condition001_Source001.nii) are images as of any tool.
    if match := _CONN_MAP.fullmatch(name.stem):
        entities = {match["key"].lower(): match["value"]}
        if match["key2"]:
            entities[match["key2"].lower()] = match["value2"]
        return ToolName(tool="", subject=match["subject"], entities=entities, suffix=match["what"])
    return None


# HALFpipe: BIDS names with the entity feature

_HALFPIPE_MEASURES = ("correlation", "covariance", "precision", "partial")


def _halfpipe(name: NameParts) -> ToolName | None:
    if name.extension not in (".tsv", ".txt", ".csv") or "sub" not in name.entities:
        return None
    desc = name.entities.get("desc", name.entities.get("stat", "")).lower()
    is_matrix = name.suffix == "matrix" and (
        "feature" in name.entities or any(m in desc for m in _HALFPIPE_MEASURES)
    )
    is_series = name.suffix == "timeseries" and "feature" in name.entities
    if not (is_matrix or is_series):
        return None
    return ToolName(tool=HALFPIPE, suffix=name.suffix)


# CAT12: catROI_<id>.xml, <name>_catROI_<atlas>_<measure>.csv

_CAT = re.compile(r"(?:.*_)?catROI(?P<surface>s?)_(?P<rest>.+)")
#: Measures of CAT12 regions, by the kind of data they are.
CAT_MEASURES: Mapping[str, str] = {
    "Vgm": "volume",
    "Vwm": "white_matter_volume",
    "Vcsf": "csf_volume",
    "Vwmh": "white_matter_hyperintensity_volume",
    "thickness": "thickness",
    "pbt": "thickness",
    "gyrification": "gyrification",
    "depth": "sulcal_depth",
    "sqrtsulc": "sulcal_depth",
    "fractaldimension": "fractal_dimension",
    "area": "area",
}
_CAT_TABLE = re.compile(rf"(?P<atlas>.+)_(?:mean_)?(?P<measure>{'|'.join(CAT_MEASURES)})")


def _cat12(name: NameParts) -> ToolName | None:
    match = _CAT.fullmatch(name.stem)
    if match is None or name.extension not in (".xml", ".csv", ".tsv", ".txt", ".mat"):
        return None
    what, rest = f"catROI{match['surface']}", match["rest"]
    table = None if name.extension in (".xml", ".mat") else _CAT_TABLE.fullmatch(rest)
    if table is None:
        return ToolName(tool=CAT12, subject=rest, suffix=what)
    return ToolName(
        tool=CAT12, entities={"atlas": table["atlas"], "stat": table["measure"]}, suffix=what
    )


# ABIDE Preprocessed: <site>_<id>_rois_<atlas>.1D; AFNI: <prefix>_<network>.netcc

_ABIDE = re.compile(r"(?P<id>.+)_(?P<what>rois)_(?P<atlas>[A-Za-z0-9]+)")
_NETCC = re.compile(r"(?P<id>.+)_(?P<network>\d{3})")


def _one_d(name: NameParts) -> ToolName | None:
    if name.extension.lower() == ".1d" and (match := _ABIDE.fullmatch(name.stem)):
        entities = {"atlas": match["atlas"]}
        return ToolName(tool="", subject=match["id"], entities=entities, suffix="rois")
    if name.extension in (".netcc", ".grid") and (match := _NETCC.fullmatch(name.stem)):
        entities = {"network": match["network"]}
        return ToolName(tool="", subject=match["id"], entities=entities, suffix=name.extension[1:])
    return None


_SCHEMES: tuple[Callable[[NameParts], ToolName | None], ...] = (
    *(_dpabi, _conn, _halfpipe, _cat12, _one_d),
)


def recognise_tool_name(name: NameParts) -> ToolName | None:
    """Find the naming scheme of a file.

    Parameters
    ----------
    name : NameParts
        The name.

    Returns
    -------
    ToolName or None
        None if the name follows no scheme listed here.

    Examples
    --------
    >>> name = NameParts("mALFFMap_Sub_001", ".nii", (), {}, "001")
    >>> found = recognise_tool_name(name)
    >>> found.tool, found.subject, found.suffix, found.entities
    ('DPABI', 'Sub_001', 'ALFF', {'scaling': 'm'})
    """
    return next((found for scheme in _SCHEMES if (found := scheme(name)) is not None), None)
