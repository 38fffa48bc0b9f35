"""DPABI and DPARSF: maps of ALFF, fALFF, ReHo and others, in one of three scalings.

References
----------
Yan et al. (2016), DPABI: Data processing and analysis for (resting-state) brain imaging.
Neuroinformatics 14.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bayes_mdd.features.derivatives.file_names import FileName
from bayes_mdd.features.derivatives.formats.maps import read_maps
from bayes_mdd.features.derivatives.images import NIFTI
from bayes_mdd.features.derivatives.interface import Format, FormatRequest, Reading
from bayes_mdd.features.tool_names import DPABI, SCALING

#: Measures whose prefix z is Fisher's z transform, not a z score over the brain.
_FISHER_Z = ("vmhc", "seed_connectivity")
_SCALINGS = {
    "raw": "{}",
    "m": "m{} (divided by the mean over the brain)",
    "z": "z{} (z score over the brain)",
}


def _kind(name: FileName) -> str:
    measure = name.suffix
    if measure.endswith("FC"):
        return "seed_connectivity"
    if measure.startswith("DegreeCentrality"):
        return "degree_centrality"
    return measure.lower()


def _find(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    found: dict[str, list[FileName]] = {}
    for name in files:
        if name.tool == DPABI and SCALING in name.entities and name.extension in NIFTI:
            found.setdefault(_kind(name), []).append(_with_measure(name))
    return found


def _with_measure(name: FileName) -> FileName:
    """Make the seed or the weighting an entity, of which one has to be chosen."""
    if _kind(name) in ("seed_connectivity", "degree_centrality"):
        return replace(name, entities={**name.entities, "stat": name.suffix})
    return name


def _read(request: FormatRequest) -> Reading:
    reading = read_maps(request)
    read = set(reading.files)
    name = next(n for n in request.files if n.path in read)
    scaling = name.entities[SCALING]
    text = "{} (Fisher z)" if scaling == "z" and request.kind in _FISHER_Z else _SCALINGS[scaling]
    return replace(
        reading,
        units=text.format(name.suffix),
        facts={**reading.facts, SCALING: scaling},
    )


FORMATS = (
    Format(
        name="dpabi_maps",
        handles_atlas=True,
        title="maps of DPABI or DPARSF (ALFFMap_*, mReHoMap_*, zfALFFMap_*, ...), in an atlas",
        find=_find,
        read=_read,
        tools=(DPABI,),
    ),
)
