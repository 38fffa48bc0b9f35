"""Draw the picture of README and documentation from a finished run: ``make picture``.

python docs/draw_picture.py RUN FILE.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure
from nilearn.plotting import plot_connectome

import bayes_mdd as bm

#: Marker and colour of the two arms.
STYLES = (("o", "#0072B2"), ("s", "#D55E00"))
#: Edges of each brain.
EDGES = 40


def draw(run: Path, path: Path) -> None:
    """Draw variance explained by arm, and one brain for each kind of factor.

    Parameters
    ----------
    run : Path
        The run folder.
    path : Path
        The PNG file.
    """
    matplotlib.use("Agg")
    idata = bm.read_run(run)
    table = bm.classify_factors(idata)
    table = table[table["active"]].reset_index(drop=True)
    sig = bm.signatures(idata)
    figure = matplotlib.pyplot.figure(figsize=(11, 3.4))
    _draw_arms(figure, table)
    kinds = table.drop_duplicates("label")
    width = 0.61 / len(kinds)
    for i, row in enumerate(kinds.itertuples()):
        _draw_brain(figure, sig, row.factor, (0.385 + i * width, 0.1, width, 0.73))
        figure.text(
            0.385 + (i + 0.5) * width, 0.9, f"{row.factor}: {row.label}", ha="center", size=11
        )
    figure.text(
        0.69,
        0.02,
        f"the {EDGES} strongest edges, seen from above; red and blue: opposite signs",
        ha="center",
        size=9,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100, pil_kwargs={"optimize": True})


def _draw_arms(figure: Figure, table: pd.DataFrame) -> None:
    ax = figure.add_axes((0.05, 0.17, 0.31, 0.68))
    names = [
        c.removeprefix("explained_")
        for c in table.columns
        if c.startswith("explained_") and not c.endswith(("_lower", "_upper"))
    ]
    rows = np.arange(len(table))
    for k, (name, (marker, colour)) in enumerate(zip(names, STYLES, strict=True)):
        mean, lower, upper = (
            100 * table[f"explained_{name}{end}"].to_numpy() for end in ("", "_lower", "_upper")
        )
        ax.errorbar(
            mean,
            rows + 0.2 * (k - 0.5),
            xerr=[mean - lower, upper - mean],
            fmt=marker,
            color=colour,
            label=name,
            capsize=2,
        )
    ax.set_yticks(rows, table["factor"])
    ax.invert_yaxis()
    ax.set_xlim(left=-0.4)
    ax.set_xlabel("variance explained (%), 90% intervals")
    ax.set_title("Which arm varies along which pattern", size=11, loc="left", pad=10)
    ax.legend(frameon=False, loc="lower right", title="arm")
    ax.spines[["top", "right"]].set_visible(False)


def _draw_brain(figure: Figure, sig: xr.Dataset, factor: str, place: tuple[float, ...]) -> None:
    one = sig.sel(factor=factor)
    names = [str(r) for r in sig["region"].values]
    where = {name: i for i, name in enumerate(names)}
    mean = one["mean"].values
    matrix = np.zeros((len(names), len(names)))
    for k in np.argsort(-np.abs(mean))[:EDGES]:
        i, j = (where[name] for name in str(sig["feature"].values[k]).split("--"))
        matrix[i, j] = matrix[j, i] = mean[k]
    at = np.column_stack([sig[f"region_{axis}"].values for axis in "xyz"])
    plot_connectome(
        matrix,
        at,
        display_mode="z",
        node_size=6,
        node_color="#555555",
        edge_kwargs={"linewidth": 1.2},
        figure=figure,
        axes=place,
        annotate=False,
        colorbar=False,
    )


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
