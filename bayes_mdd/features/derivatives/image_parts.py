"""Files in which the regional values of images are kept until all images are read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from bayes_mdd.features.atlas.atlases import Atlas
from bayes_mdd.features.companions import list_sidecars
from bayes_mdd.features.derivatives.file_names import FileName
from bayes_mdd.features.derivatives.interface import FormatRequest
from bayes_mdd.parallel.keep import part_files

#: Settings of what is computed from the values later.
_LATER: Final = (
    *("measure", "estimator", "missing", "missing_regions", "missing_features"),
    *("constant_features", "absent_subjects"),
)


def image_parts(
    request: FormatRequest, files: Mapping[str, FileName], atlas: Atlas
) -> list[Path] | None:
    """Name the file in which the values of each subject are kept.

    The name depends on the kind of data, the settings, the atlas, and on name, size and time of
    change of all files of the subject and of files that state no subject, so that values are read
    again where any of these has changed.

    Parameters
    ----------
    request : FormatRequest
        Its `keep` is the folder.
    files : mapping of str to FileName
        Image by subject.
    atlas : Atlas
        Where the images are averaged.

    Returns
    -------
    list of Path or None
        In the order of `files`; None where nothing is kept.
    """
    if request.keep is None:
        return None
    settings = {k: v for k, v in request.spec.to_mapping().items() if k not in _LATER}
    common = [
        request.kind,
        settings,
        atlas.regions.to_csv(),
        *_states([] if atlas.image is None else [atlas.image]),
    ]
    beside: dict[str, list[Path]] = {}
    for name in request.all_files:
        beside.setdefault(name.entities.get("sub", ""), []).append(name.path)
    names = []
    for image in files.values():
        own = {image.path, *list_sidecars(image), *beside.get("", ())}
        own |= set(beside.get(image.entities.get("sub", ""), ()))
        text = json.dumps([str(image.path), *common, *_states(sorted(own))], default=str)
        names.append(hashlib.sha256(text.encode()).hexdigest()[:24])
    return part_files(request.keep, names)


def _states(paths: Iterable[Path]) -> list[Any]:
    """Name, size and time of change of files."""
    found: list[Any] = []
    for path in paths:
        try:
            state = path.stat()
        except OSError:
            found.append([str(path)])
        else:
            found.append([str(path), state.st_size, state.st_mtime_ns])
    return found
