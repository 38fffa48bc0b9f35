"""Every figure that a run supports, as SVG and PNG files with captions."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure

from bayes_mdd.errors import DataContractError
from bayes_mdd.files.replace import write_text, write_with
from bayes_mdd.results.drawings import Drawing
from bayes_mdd.results.exports.material import Material, write_json

#: Resolution of PNG files: enough for a column of print.
DPI: Final = 200
SUFFIXES: Final = ("svg", "png")


def why_not(material: Material) -> str | None:
    """Say why a run has no figures.

    Parameters
    ----------
    material : Material
        The run.

    Returns
    -------
    str or None
        None where it has some.
    """
    return None if material.drawings else "the model family offers no figures."


def write(material: Material, folder: Path) -> None:
    """Write the figures.

    Parameters
    ----------
    material : Material
        The run.
    folder : Path
        Gets one SVG and one PNG file per figure, ``figures.json`` with their captions, and
        ``README.md`` with the same for reading. Figures that the run does not support are listed
        with the reason.

    Raises
    ------
    DataContractError
        If the run supports none of them.
    """
    notes: list[dict[str, Any]] = []
    left_out: dict[str, str] = {}
    for drawing in material.drawings:
        try:
            figure = drawing.draw()
        except DataContractError as error:
            left_out[drawing.name] = " ".join(str(error).split())
            continue
        stem = clean_name(drawing.name)
        for suffix in SUFFIXES:
            write_with(folder / f"{stem}.{suffix}", partial(_save, figure, suffix))
        notes.append(_note(drawing, stem, material))
    if not notes:
        raise DataContractError("figures", [f"{n}: {r}" for n, r in left_out.items()])
    write_json(folder / "figures.json", {"Figures": notes, "LeftOut": left_out})
    write_text(folder / "README.md", _readme(notes, left_out))


def clean_name(name: str) -> str:
    """Make a name that every file system takes.

    Parameters
    ----------
    name : str
        Any text.

    Returns
    -------
    str
        Letters, digits, ``_``, ``-`` and ``.`` only.

    Examples
    --------
    >>> clean_name("factor-F1_symptom-sleep / appetite")
    'factor-F1_symptom-sleep-appetite'
    """
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.")


def _save(figure: Figure, suffix: str, path: Path) -> None:
    # Without a date, so that the same run gives the same file.
    metadata = {"Date": None} if suffix == "svg" else None
    figure.savefig(path, format=suffix, dpi=DPI, facecolor="white", metadata=metadata)


def _note(drawing: Drawing, stem: str, material: Material) -> dict[str, Any]:
    note: dict[str, Any] = {
        "Name": stem,
        "Files": [f"{stem}.{suffix}" for suffix in SUFFIXES],
        "Caption": drawing.caption,
        "Participants": drawing.n if drawing.n is not None else material.n_participants,
        "Interval": drawing.interval or "none",
    }
    return note | ({"Factor": drawing.factor} if drawing.factor else {})


def _readme(notes: list[dict[str, Any]], left_out: dict[str, str]) -> str:
    lines = ["# Figures", "", "| figure | shows | n | interval |", "|---|---|---|---|"]
    for note in notes:
        caption = str(note["Caption"]).replace("|", "\\|")
        lines.append(
            f"| [{note['Name']}]({note['Files'][-1]}) | {caption} | {note['Participants']} | "
            f"{note['Interval']} |"
        )
    if left_out:
        lines += ["", "Left out:", ""]
        lines += [f"- {name}: {reason}" for name, reason in left_out.items()]
    return "\n".join(lines) + "\n"
