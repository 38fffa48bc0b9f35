"""Metadata that depends on the address of the repository: long description and links.

Links between files of the repository lead nowhere on the page of a package index. They become
links to the files of the released version where ``BAYES_MDD_REPOSITORY`` names the repository (the
workflow of releases sets it), and plain text otherwise.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_IMAGE = re.compile(r"!\[([^\]]*)\]\((?!https?://)([^)\s]+)\)\n*")
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?!https?://|mailto:)([^)\s]+)\)")
_COMMENT = re.compile(r"<!--.*?-->\n?", re.S)


class LongDescription(MetadataHookInterface):
    """Sets ``readme`` and ``urls``."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Fill in the two fields.

        Parameters
        ----------
        metadata : dict
            The table ``project``; changed in place.
        """
        repository = os.environ.get("BAYES_MDD_REPOSITORY", "").rstrip("/")
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": describe(text, repository, metadata["version"]),
        }
        metadata["urls"] = links(repository, metadata["version"])


def describe(text: str, repository: str, version: str) -> str:
    """Make the long description from the README.

    Parameters
    ----------
    text : str
        The README.
    repository : str
        Address of the repository; empty if it is not known.
    version : str
        The version, whose tag is ``v<version>``.

    Returns
    -------
    str
        Without comments; relative links are absolute, or plain text without an address.
    """
    text = _COMMENT.sub("", text)
    if not repository:
        return _LINK.sub(r"\1", _IMAGE.sub("", text))
    text = _IMAGE.sub(rf"![\1]({repository}/raw/v{version}/\2)\n\n", text)
    return _LINK.sub(lambda m: m[0] if m[2][0] == "#" else _absolute(m, repository, version), text)


def links(repository: str, version: str) -> dict[str, str]:
    """List the links of the page of the package.

    Parameters
    ----------
    repository : str
        Address of the repository; empty if it is not known.
    version : str
        The version.

    Returns
    -------
    dict of str to str
        Empty without an address.
    """
    if not repository:
        return {}
    return {
        "Source": repository,
        "Documentation": f"{repository}/blob/v{version}/docs/index.md",
        "Changelog": f"{repository}/blob/v{version}/CHANGELOG.md",
        "Issues": f"{repository}/issues",
    }


def _absolute(link: re.Match[str], repository: str, version: str) -> str:
    return f"[{link[1]}]({repository}/blob/v{version}/{link[2]})"
