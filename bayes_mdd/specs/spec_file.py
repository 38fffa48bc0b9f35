"""Specs in YAML files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from bayes_mdd.errors import SpecError, UnreadableFileError
from bayes_mdd.files.replace import write_text
from bayes_mdd.files.structured import read_yaml
from bayes_mdd.specs.base import Spec


def read_values(path: Path) -> Any:
    """Read what a spec file holds, unchecked.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    object
        Its content, a mapping in a valid spec; empty if the file is.

    Raises
    ------
    SpecError
        If the file is missing or not YAML.
    """
    try:
        raw = read_yaml(path)
    except UnreadableFileError as error:
        advice = (
            "" if path.is_file() else " Give a spec file (.yaml), or the name of a shipped model."
        )
        raise SpecError(f"Cannot read the spec file {path}: {error}{advice}") from error
    return {} if raw is None else raw


def parse_values[S: Spec](spec_class: type[S], raw: Any, path: Path) -> S:
    """Build a spec from the content of a file.

    Parameters
    ----------
    spec_class : type
        Class of the spec.
    raw : object
        From `read_values`.
    path : Path
        The file, for messages.

    Returns
    -------
    Spec
        The validated spec.

    Raises
    ------
    SpecError
        If a key is unknown or a value out of range.
    """
    try:
        return spec_class.from_mapping(raw)
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from error


def write_values(spec: Spec, path: str | Path) -> Path:
    """Write a spec as YAML.

    Parameters
    ----------
    spec : Spec
        The spec.
    path : str or Path
        The file to write.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    WriteError
        If the file cannot be written.
    """
    return write_text(Path(path), yaml.safe_dump(spec.to_mapping(), sort_keys=False))
