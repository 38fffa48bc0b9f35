"""The main job with 300 000 edges, in a process of its own: prints seconds and peak memory."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

import bayes_mdd as bm

#: 775 regions have 299 925 edges.
REGIONS, PER_ARM, CONTROLS, VOLUMES = 775, 20, 22, 150
NETWORKS = ("DMN", "CCN", "SN", "SMN", "VIS", "LIM", "SUB")


def draw(rng: np.random.Generator) -> tuple[dict[str, np.ndarray], pd.DataFrame, pd.DataFrame]:
    """Series in which patients differ in how strongly the regions of one network fluctuate."""
    network = np.arange(REGIONS) * len(NETWORKS) // REGIONS
    n = 2 * PER_ARM + CONTROLS
    scores = np.where(np.arange(n) < 2 * PER_ARM, rng.standard_normal(n), 0.0)
    series = {}
    for i in range(n):
        common = rng.standard_normal((VOLUMES, 1 + len(NETWORKS)))
        own = np.where(network == 0, 0.7 * np.exp(0.5 * scores[i]), 0.7)
        x = rng.standard_normal((VOLUMES, REGIONS))
        series[f"sub-{i + 1:03d}"] = x + 0.4 * common[:, :1] + own * common[:, 1 + network]
    people = pd.DataFrame(
        {
            "arm": ["A", "B"] * PER_ARM + ["n/a"] * CONTROLS,
            "diagnosis": ["MDD"] * (2 * PER_ARM) + ["HC"] * CONTROLS,
            "score": scores,
        },
        index=pd.Index(list(series), name="participant_id"),
    )
    regions = pd.DataFrame(
        {"region": [f"r{i + 1}" for i in range(REGIONS)], "network": np.array(NETWORKS)[network]}
    ).assign(**dict(zip("xyz", rng.uniform(-60, 60, (3, REGIONS)), strict=True)))
    return series, people, regions


def peak() -> float:
    """Peak memory of this process in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def main(folder: Path) -> None:
    """Run the job and write the facts as JSON."""
    facts: dict[str, object] = {}
    began = time.process_time()

    def note(stage: str) -> None:
        nonlocal began
        facts[stage] = {"cpu_s": round(time.process_time() - began, 1), "peak_gb": round(peak(), 2)}
        sys.stderr.write(f"{stage}: {facts[stage]}\n")
        began = time.process_time()

    series, people, regions = draw(np.random.default_rng(1))
    note("series")
    raw = bm.connectivity_from_timeseries(
        series, regions, participants=people[["arm", "diagnosis"]], pieces=None
    )
    features = bm.reference_to_controls(raw)
    quality = bm.check_quality(features, before=raw)
    features = bm.record_quality(features, quality)
    del raw, series
    note("features")
    idata = bm.fit(
        bm.SharedSpecificSpec(n_factors=3), features, method="fast", run_dir=folder / "run",
        progressbar=False,
    )  # fmt: skip
    facts["edges"] = features.sizes["feature"]
    del features
    note("fit")
    table = bm.classify_factors(idata)
    bm.export_signatures(bm.signatures(idata, factors=table), folder / "run" / "signatures")
    note("signatures")
    bm.write_report(idata, folder / "run" / "report.html", factors=table)
    note("report")
    mean = idata["posterior"]["scores"].mean(("chain", "draw"))
    true = people.loc[mean["subject"].values.astype(str), "score"]
    found = np.corrcoef(true, mean.transpose("factor", "subject").values)[0, 1:]
    facts["correlation"] = float(np.nanmax(np.abs(found)))
    facts["labels"] = table["label"].tolist()
    facts["report_mb"] = (folder / "run" / "report.html").stat().st_size / 1e6
    sys.stdout.write(json.dumps(facts) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
