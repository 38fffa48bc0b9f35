"""Option --hash-ids: keyed hashes in place of the ids of participants."""

from __future__ import annotations

from pathlib import Path

from bayes_mdd.cli.messages import log
from bayes_mdd.errors import SpecError
from bayes_mdd.files.id_key import make_key, read_key


def prepare_key(path: Path | None, *folders: Path) -> Path | None:
    """Check the key file of ``--hash-ids``, and make it if it does not exist.

    Parameters
    ----------
    path : Path or None
        The file, where the option is given.
    *folders : Path
        Folders that may be passed on, in which the key must not lie.

    Returns
    -------
    Path or None
        `path`.

    Raises
    ------
    SpecError
        If it lies in one of the folders, or holds no key.
    """
    if path is None:
        return None
    inside = [f for f in folders if path.resolve().is_relative_to(f.resolve())]
    if inside:
        raise SpecError(
            f"--hash-ids {path} lies in {inside[0]}, which may be passed on: keep the key "
            "elsewhere."
        )
    if make_key(path):
        log.warning(
            "%s holds a new random key. Keep it secret and for as long as hashed ids are to be "
            "linked with participants.",
            path,
        )
    read_key(path)
    return path
