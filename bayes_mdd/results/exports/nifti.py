"""NIfTI: one image per factor and statistic of the regions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bayes_mdd.dims import FACTOR
from bayes_mdd.results.export_notes import common_note, factor_notes
from bayes_mdd.results.exports.material import Material, save_image, write_json


def why_not(material: Material) -> str | None:
    """Say why a run has no NIfTI maps.

    Parameters
    ----------
    material : Material
        The run.

    Returns
    -------
    str or None
        None where it has them.
    """
    return material.why_no_volume()


def write(material: Material, folder: Path) -> None:
    """Write the maps, each with a JSON sidecar.

    Parameters
    ----------
    material : Material
        The run.
    folder : Path
        An empty folder.
    """
    for stem, note in write_images(material, folder):
        write_json(folder / f"{stem}.json", note)


def write_images(
    material: Material, folder: Path, statistics: tuple[str, ...] | None = None
) -> Iterator[tuple[str, dict[str, object]]]:
    """Write the maps.

    Parameters
    ----------
    material : Material
        The run.
    folder : Path
        Where to write.
    statistics : tuple of str, optional
        Which; default all that the fit has.

    Yields
    ------
    tuple of str and dict
        Name of the image without ``.nii.gz``, and what a sidecar says of it.
    """
    maps, canvas = material.region_maps, material.canvas
    common = common_note(material.sig)
    common["MissingValue"] = "NaN (outside the regions, or not analysed)"
    if maps.note:
        common["Limitation"] = maps.note
    for factor, _, note in factor_notes(material.sig):
        for short, values in maps.values.items():
            if statistics is not None and short not in statistics:
                continue
            stem = f"factor-{factor}_stat-{short}_statmap"
            image = canvas.paint(values.sel({FACTOR: factor}).values, name=f"{factor} {short}")
            save_image(folder / f"{stem}.nii.gz", image)
            units = {"Units": "probability"} if short == "ppositive" else {}
            what = {"Statistic": maps.meaning[short]}
            yield stem, {**common, **note, **what, **units, **canvas.how}
