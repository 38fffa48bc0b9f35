"""All valid inputs, in one folder; made once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from badinput import valid
from fakes import make_fake_idata
from made_fit import BLOCKS, Made, make_fit

import bayes_mdd as bm
from bayes_mdd.files.netcdf import write_netcdf

#: Features of the run: cortical thickness of twelve regions in three networks.
THICK = tuple(f"e{i}" for i in range(12))


def make_all(folder: Path) -> None:
    for name, write in (
        ("cohort", valid.write_cohort), ("matrices", valid.write_matrices),
        ("series", valid.write_series), ("rated", valid.write_cohort),
        ("trial", valid.write_cohort), ("maps", valid.write_maps), ("bold", valid.write_bold),
    ):  # fmt: skip
        write(folder / name)
    valid.write_items(folder / "rated")
    valid.write_totals(folder / "trial")
    valid.write_specs(folder)
    valid.write_findings(folder / "findings")
    bm.save_run(make_fake_idata(draws=20, per_arm=6), folder / "run")
    made = made_run()
    bm.save_run(made.idata, folder / "made")
    bm.save_run(made.idata, folder / "treated")
    (folder / "treated" / "response").mkdir()
    write_netcdf(made_response(made), folder / "treated" / "response" / "posterior.nc")
    write_newcomers(folder / "newcomers", made)


def made_run() -> Made:
    """A finished run whose draws are known, of 16 patients."""
    made = make_fit(n=16, n_new=8, p=len(THICK), draws=8)
    spec = json.loads(made.idata.attrs["spec"])
    made.idata.attrs.update(
        sampler=json.dumps(bm.SamplerSpec().to_mapping()),
        provenance=json.dumps({
            "model": "a", "sampler": bm.SamplerSpec().fingerprint, "inputs": "b", "method": "mcmc",
            "fingerprint": "c", "inputs_sha256": "d", "seed": 1, "versions": {},
        }),
        spec=json.dumps(spec),
    )  # fmt: skip
    y = made.training["y"].drop_vars(["arm", "site", "age", "block"])
    made.idata["observed_data"] = xr.DataTree(made.idata["observed_data"].to_dataset().assign(y=y))
    return made


def made_response(made: Made) -> xr.DataTree:
    """Outcomes of the patients of the run, analysed by the fast method."""
    drawn = made.idata["posterior"]["scores"].isel(chain=0, draw=0)
    scores = pd.DataFrame(drawn.values, index=drawn["subject"].values, columns=["F1", "F2", "F3"])
    n = len(scores)
    outcomes = pd.DataFrame(
        {"arm": made.training["arm"].values, "rating": np.arange(n) * 7 % 17.0},
        index=made.training["subject"].values,
    )
    spec = bm.ResponseSpec(outcome="rating", default_arm="SSRI", assignment="randomised")
    return bm.fit_response(spec, scores, outcomes, method="fast")


def write_newcomers(folder: Path, made: Made) -> None:
    """A cohort of eight patients who are not in the run, and six controls."""
    new = made.new
    names = [*new["subject"].values.astype(str), *(f"hc-{i}" for i in range(6))]
    rows: list[list[object]] = [
        [n, "MDD", a, s, round(float(g), 1)]
        for n, a, s, g in zip(
            names[:8], new["arm"].values, new["site"].values, new["age"].values, strict=True
        )
    ]
    rows += [[n, "HC", "n/a", "ab"[i % 2], 30 + i] for i, n in enumerate(names[8:])]
    valid.write_tsv(
        folder / "participants.tsv", ("participant_id", "diagnosis", "arm", "site", "age"), rows
    )
    valid.write_tsv(folder / "features" / "regions.tsv", ("region", "network"),
                    [[e, BLOCKS[i % 3]] for i, e in enumerate(THICK)])  # fmt: skip
    facts = {"kind": "thickness", "measure": "thickness", "units": "z", "source": "table"}
    valid.write_json(folder / "features" / "features.json", facts)
    rng = np.random.default_rng(1)
    y = np.concatenate([new["y"].values, rng.normal(size=(6, len(THICK)))])
    cells = [[n, *(f"{v:.4f}" for v in row)] for n, row in zip(names, y, strict=True)]
    valid.write_tsv(folder / "features" / "features.tsv", ("participant_id", *THICK), cells)
