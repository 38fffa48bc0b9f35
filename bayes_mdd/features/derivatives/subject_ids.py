"""Subject ids that a pattern finds in file paths or in the ids of a table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.features.derivatives.file_names import FileName

#: Name of the group with the id, in patterns with several groups.
_ID_GROUP = "id"


def compile_id_pattern(ids: str | None) -> re.Pattern[str] | None:
    """Compile the pattern that finds subject ids.

    Parameters
    ----------
    ids : str or None
        Regular expression with at most one group, or a group named ``id``.

    Returns
    -------
    re.Pattern or None
        None without a pattern.

    Raises
    ------
    SpecError
        If it is no regular expression, or has several groups and none is named ``id``.
    """
    if ids is None:
        return None
    if not isinstance(ids, str) or not ids:
        raise SpecError(rf"ids must be a regular expression, e.g. 'Sub_(\d+)'; got {ids!r}.")
    try:
        pattern = re.compile(ids)
    except re.error as error:
        raise SpecError(
            f"ids={ids!r} is not a regular expression ({error}). Expected a pattern in which a "
            r"group matches the id, e.g. 'Sub_(\d+)'."
        ) from error
    if pattern.groups > 1 and _ID_GROUP not in pattern.groupindex:
        raise SpecError(
            f"ids={ids!r} has {pattern.groups} groups: mark the id with a single group (others as "
            "(?:...)), or name its group: (?P<id>...)."
        )
    return pattern


def find_id(pattern: re.Pattern[str], text: str) -> str:
    r"""Find the subject id in a text.

    Parameters
    ----------
    pattern : re.Pattern
        From `compile_id_pattern`.
    text : str
        Path of a file, or the id of a table.

    Returns
    -------
    str
        What the group matches (or the pattern, without a group); empty if it does not match.

    Examples
    --------
    >>> find_id(re.compile(r"Sub_(\d+)"), "Results/ALFFMap_Sub_001.nii")
    '001'
    """
    match = pattern.search(text)
    if match is None:
        return ""
    if _ID_GROUP in pattern.groupindex:
        return match[_ID_GROUP] or ""
    return (match[1] if pattern.groups else match[0]) or ""


def assign_ids(
    files: Sequence[FileName], pattern: re.Pattern[str] | None, root: Path
) -> tuple[list[FileName] | None, list[str]]:
    """Give each file the subject id that the pattern finds in its path.

    Parameters
    ----------
    files : sequence of FileName
        Files of one format.
    pattern : re.Pattern or None
        The pattern.
    root : Path
        Folder to which the paths are relative.

    Returns
    -------
    tuple
        The files that match, and the names of the others. None if no file matches, as where a
        table or a stack holds several subjects, or without a pattern.
    """
    if pattern is None:
        return None, []
    found = {n: find_id(pattern, n.path.relative_to(root).as_posix()) for n in files}
    if not any(found.values()):
        return None, []
    matched = [replace(n, own_id=own_id) for n, own_id in found.items() if own_id]
    return matched, [n.path.name for n, own_id in found.items() if not own_id]


def rename_subjects[T](
    by_subject: Mapping[str, T], pattern: re.Pattern[str], folder: Path
) -> dict[str, T]:
    """Apply the pattern to ids that come from a table or a stack.

    Parameters
    ----------
    by_subject : mapping of str to anything
        Data by the id in the table.
    pattern : re.Pattern
        The pattern.
    folder : Path
        The source, for messages.

    Returns
    -------
    dict
        Data by the id that the pattern finds.

    Raises
    ------
    DataContractError
        If an id does not match, or two become the same.
    """
    found = {name: find_id(pattern, name) for name in by_subject}
    unmatched = [name for name, own_id in found.items() if not own_id]
    if unmatched:
        raise DataContractError(
            str(folder),
            [
                f"ids={pattern.pattern!r} matches neither the file paths nor the id(s) "
                f"{some(unmatched)}: correct the pattern."
            ],
        )
    sources: dict[str, list[str]] = {}
    for name, own_id in found.items():
        sources.setdefault(own_id, []).append(name)
    repeated = {own_id: names for own_id, names in sources.items() if len(names) > 1}
    if repeated:
        listed = "; ".join(f"{own_id}: {some(names, 3)}" for own_id, names in repeated.items())
        raise DataContractError(
            str(folder),
            [
                f"ids={pattern.pattern!r} finds the same id in several rows ({listed}): include "
                "what distinguishes them, or keep one row per participant."
            ],
        )
    return {own_id: by_subject[names[0]] for own_id, names in sources.items()}
