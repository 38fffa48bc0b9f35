"""Draw processor time and memory by number of participants from the stored results.

python benchmarks/draw_growth.py
"""

from __future__ import annotations

import json
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

ROOT = Path(__file__).resolve().parents[1]
#: Method: name, colour, marker.
STYLES = {"mcmc": ("full posterior", "#0072B2", "o"), "fast": ("fast path", "#D55E00", "s")}


def draw(rows: list[dict[str, float]]) -> Figure:
    """Draw two panels with logarithmic axes."""
    figure = Figure(figsize=(7, 3), layout="constrained")
    panels = figure.subplots(1, 2)
    for axis, key, unit, label in (
        (panels[0], "cpu", 60.0, "processor time, minutes"),
        (panels[1], "peak MB", 1000.0, "peak memory, GB"),
    ):
        for method, (name, colour, marker) in STYLES.items():
            own = [r for r in rows if r["method"] == method]
            people = [r["people"] for r in own]
            values = [r[key] / unit for r in own]
            axis.loglog(people, values, color=colour, marker=marker, label=name)
        axis.set_xlabel("participants")
        axis.set_ylabel(label)
        ticks = sorted({int(r["people"]) for r in rows})
        axis.set_xticks(ticks, [f"{t:,}" for t in ticks])
        axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    panels[0].legend(frameon=False)
    return figure


if __name__ == "__main__":
    source = ROOT / "benchmarks" / "results" / "participants.json"
    target = ROOT / "docs" / "images" / "growth.png"
    draw(json.loads(source.read_text(encoding="utf-8"))).savefig(target, dpi=150)
