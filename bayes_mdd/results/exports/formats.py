"""The formats in which a run can be exported, listed once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

from bayes_mdd.files.marks import SHARE
from bayes_mdd.results.exports import (
    bids,
    brainnet,
    cifti,
    figures,
    gifti,
    graphml,
    h5ad,
    html,
    neurovault,
    nifti,
    share,
    summary,
    tables,
)
from bayes_mdd.results.exports.material import Material


@dataclass(frozen=True)
class Format:
    """One format.

    Parameters
    ----------
    why_not : callable
        ``(material) -> str or None``: why a run has no files of this format.
    write : callable
        ``(material, folder)``: writes them into an empty folder.
    """

    why_not: Callable[[Material], str | None]
    write: Callable[[Material, Path], None]


def _of(module: ModuleType) -> Format:
    return Format(module.why_not, module.write)


FORMATS: Final[Mapping[str, Format]] = {
    "nifti": _of(nifti),
    "bids": _of(bids),
    "brainnet": _of(brainnet),
    "graphml": _of(graphml),
    "cifti": _of(cifti),
    "gifti": _of(gifti),
    "tables": _of(tables),
    "neurovault": _of(neurovault),
    "figures": _of(figures),
    "html": _of(html),
    "anndata": _of(h5ad),
    SHARE: _of(share),
    "summary": _of(summary),
}
#: Formats that "all" does not write: one holds what the others do, one is for other sites.
ON_REQUEST: Final = (SHARE, "summary")
