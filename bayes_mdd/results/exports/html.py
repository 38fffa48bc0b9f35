"""HTML: a rotatable brain per factor, its regions on the cortex, and a page that lists them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from bayes_mdd import __version__
from bayes_mdd.dims import FACTOR, MISSING
from bayes_mdd.errors import DataContractError
from bayes_mdd.files.replace import write_text
from bayes_mdd.results.export_notes import factor_notes
from bayes_mdd.results.exports.material import Material
from bayes_mdd.results.interactive.fragment import (
    NO_LIBRARY,
    interactive_connectome,
    why_no_viewer,
)
from bayes_mdd.results.interactive.library import pack_library, pack_mesh
from bayes_mdd.results.interactive.parts import render
from bayes_mdd.results.interactive.surface import make_surface
from bayes_mdd.results.region_surface import RegionSurface, place_on_surface
from bayes_mdd.results.strongest import is_clear

_READ: Final = (
    "Loadings say how much an edge or region changes with the score of the factor. They are "
    "results of the whole group; they are not effects of a drug, and the sign of a whole factor "
    "is arbitrary."
)


def why_not(material: Material) -> str | None:
    """Say why a run has no interactive pages.

    Parameters
    ----------
    material : Material
        The run.

    Returns
    -------
    str or None
        None where it has them.
    """
    if reason := material.why_no_regions():
        return reason
    if pack_library() is None:
        return NO_LIBRARY
    if not why_no_viewer(material.sig) or material.surface_atlas is not None:
        return None
    return material.why_no_volume()


def write(material: Material, folder: Path) -> None:
    """Write one page per factor and kind of view, and ``index.html``.

    Parameters
    ----------
    material : Material
        The run.
    folder : Path
        An empty folder.
    """
    sig = material.sig
    surface, why_no_surface = _find_surface(material)
    why_no_edges = why_no_viewer(sig)
    library = pack_library() or ""
    brain = "" if surface is None else pack_mesh(surface.mesh)
    rows = []
    for factor, one, note in factor_notes(sig):
        links = {}
        if not why_no_edges:
            body = interactive_connectome(sig.sel({FACTOR: [factor]}))
            links["connectome"] = _write_page(folder, note, "connectome", body)
        if surface is not None:
            first = "strength" if material.edges else "mean"
            body = make_surface(sig, factor, surface, library=library, brain=brain, first=first)
            links["surface"] = _write_page(folder, note, "surface", body)
        rows.append(
            {
                "name": _name(note),
                "count": int(is_clear(one).sum()),
                "label": note.get("Label", MISSING),
                "stability": note.get("Stability", MISSING),
                "links": links,
            }
        )
    page = render(
        "page.html.j2",
        title="Factors of brain connectivity",
        paragraphs=[_READ, *filter(None, (why_no_edges, why_no_surface))],
        body=render(
            "index.html.j2",
            rows=rows,
            what="edges" if material.edges else "regions",
            ci=f"{float(sig.attrs.get('ci_prob', 0.9)):.0%}",
        ),
        note=_written(material.model, material.n_participants),
        begin=False,
        back="",
    )
    write_text(folder / "index.html", page)


def _find_surface(material: Material) -> tuple[RegionSurface | None, str]:
    """Place regions on the cortex, or say why this cannot be done."""
    atlases = {"atlas": material.atlas, "surface_atlas": material.surface_atlas}
    if material.surface_atlas is not None:
        del atlases["atlas"]
    try:
        return place_on_surface(material.regions, **atlases), ""  # type: ignore[arg-type]
    except DataContractError as error:
        return None, f"There are no pages of the cortex. {error}"


def _write_page(folder: Path, note: dict[str, Any], kind: str, body: str) -> str:
    """Write the page of a factor, and return its name."""
    page = render(
        "page.html.j2",
        title=_name(note),
        paragraphs=[],
        body=body,
        note=f"Written by bayes-mdd {__version__}.",
        begin=True,
        back="index.html",
    )
    name = f"factor-{note['Factor']}_{kind}.html"
    write_text(folder / name, page)
    return name


def _name(note: dict[str, Any]) -> str:
    return str(note.get("Name", note["Factor"]))


def _written(model: str, n_participants: int) -> str:
    return f"Model {model}, {n_participants} participants. Written by bayes-mdd {__version__}."
