"""What the writers of all formats need of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import nibabel as nib
import pandas as pd
import xarray as xr

from bayes_mdd.files.replace import write_text, write_with
from bayes_mdd.results.drawings import Drawing
from bayes_mdd.results.exports.shared_run import SharedRun
from bayes_mdd.results.exports.summary_run import SummaryRun
from bayes_mdd.results.images import (
    Canvas,
    build_label_canvas,
    build_sphere_canvas,
    place_regions,
)
from bayes_mdd.results.region_maps import RegionMaps, summarise_regions
from bayes_mdd.results.regions import is_edges, region_table
from bayes_mdd.results.surface_atlas import SurfaceAtlas, read_surface_atlas

NO_REGIONS = "the features name no regions."
NO_EDGES = "the features are no edges between regions."
SEVERAL_VIEWS = "the run has several views of the brain: choose one with view=NAME (--view NAME)."


@dataclass(frozen=True, eq=False, kw_only=True)
class Material:
    """A run as the writers of all formats see it.

    Parameters
    ----------
    sig : xarray.Dataset
        What `signatures` returned.
    draws : xarray.DataArray, optional
        Draws of whole maps, dims ``(loading_draw, factor, feature)`` in the order of `sig`; None
        where the fit stores none.
    n_participants : int
        Number of participants of the fit.
    model : str
        Model family.
    tables : mapping of str to DataFrame
        Result tables by name: ``factors``, and where the fit has them ``arms``, ``links``,
        ``links_by_arm`` and ``scores`` (one row per participant and factor).
    drawings : sequence of Drawing
        Figures that the fit supports, drawn when they are written.
    atlas : Path, optional
        Label image of the regions.
    surface_atlas : Path, optional
        Surface atlas of the regions, ``.dlabel.nii``.
    radius : float, default 5.0
        Of the spheres without `atlas`, in mm.
    shared : SharedRun, optional
        What the format "share" needs; None where it is not asked for.
    summary : SummaryRun, optional
        What the format "summary" needs; None for families without one.
    """

    sig: xr.Dataset
    draws: xr.DataArray | None
    n_participants: int
    model: str
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    drawings: Sequence[Drawing] = ()
    atlas: Path | None = None
    surface_atlas: Path | None = None
    radius: float = 5.0
    shared: SharedRun | None = None
    summary: SummaryRun | None = None

    @property
    def edges(self) -> bool:
        """Whether the features are edges."""
        return is_edges(self.sig)

    @property
    def regional(self) -> bool:
        """Whether the features name regions."""
        return self.edges or "region_name" in self.sig.coords

    @property
    def several_views(self) -> bool:
        """Whether one cell of a map would hold the features of several views."""
        return "view" in self.sig.coords and len(set(map(str, self.sig["view"].values))) > 1

    @cached_property
    def regions(self) -> pd.DataFrame:
        """Table of the regions; see `bayes_mdd.results.regions.region_table`."""
        return region_table(self.sig)

    @property
    def placed(self) -> bool:
        """Whether regions have MNI coordinates."""
        return self.regional and bool(place_regions(self.regions).any())

    @cached_property
    def canvas(self) -> Canvas:
        """Voxels of the regions: those of the atlas, or spheres."""
        if self.atlas is not None:
            return build_label_canvas(self.regions, self.atlas)
        return build_sphere_canvas(self.regions, radius=self.radius)

    @cached_property
    def surface(self) -> SurfaceAtlas:
        """Grayordinates of the regions; only where there is a surface atlas."""
        assert self.surface_atlas is not None
        return read_surface_atlas(self.surface_atlas, self.regions)

    @cached_property
    def region_maps(self) -> RegionMaps:
        """One number per factor and region, with intervals."""
        return summarise_regions(self.sig, self.draws)

    def why_no_regions(self) -> str | None:
        """Say why there can be no map of the regions.

        Returns
        -------
        str or None
            None where there can be one.
        """
        if self.several_views:
            return SEVERAL_VIEWS
        return None if self.regional else NO_REGIONS

    def why_no_edges(self) -> str | None:
        """Say why there can be no matrix or graph.

        Returns
        -------
        str or None
            None where there can be one.
        """
        if self.several_views:
            return SEVERAL_VIEWS
        return None if self.edges else NO_EDGES

    def why_no_volume(self) -> str | None:
        """Say why there can be no image.

        Returns
        -------
        str or None
            None where there can be one.
        """
        if reason := self.why_no_regions():
            return reason
        if self.placed or self.atlas is not None:
            return None
        return (
            "the regions have no MNI coordinates: give the label image of the atlas with "
            "atlas=FILE (--atlas FILE), or columns x, y, z in regions.tsv before the fit."
        )


def save_image(path: Path, image: Any) -> None:
    """Write an image of nibabel.

    Parameters
    ----------
    path : Path
        The file; its name decides about compression.
    image : nibabel image
        The image.
    """
    write_with(path, partial(nib.save, image))


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a sidecar.

    Parameters
    ----------
    path : Path
        The file.
    content : mapping
        Values that JSON can represent.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")
