"""Commands of the study of stops, and small inputs for them."""

from __future__ import annotations

import importlib
import pkgutil
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import bayes_mdd as bm

#: Few draws: what is tested is not their number.
DRAWS = (
    *("--set", "sampler.draws=60", "--set", "sampler.tune=100"),
    *("--set", "sampler.chains=4", "--set", "sampler.cores=1"),
)
COHORT, TRIAL, BOLD = "../../inputs/cohort", "../../inputs/trial", "../../inputs/bold"
FIT = ("fit", "shared_specific", COHORT, "-o", "run", "--set", "model.n_factors=2", *DRAWS)


@dataclass(frozen=True)
class Job:
    """A command, the number of kills, and the folders of the inputs that it changes."""

    name: str
    command: tuple[str, ...]
    kills: int = 5
    found: tuple[str, ...] = ()


JOBS = (
    Job("fit", FIT, 20),
    Job("check --permutations", ("check", "run", "--permutations", "9"), found=("run",)),
    Job(
        "compare",
        (
            *("compare", "shared_specific", COHORT, "-o", "compared", "--n-factors", "1,2"),
            *("--folds", "2", *DRAWS),
        ),
    ),
    Job(
        "features",
        (
            *("features", BOLD, "-o", "converted", "--set", "min_volumes=50"),
            *("--atlas", "../../inputs/atlas/atlas-S_dseg.nii.gz"),
            *("--participants", f"{BOLD}/participants.tsv", "--set", "confounds=[motion]"),
        ),
    ),
    Job(
        "response",
        (
            *("response", "treatment_response", TRIAL, "-o", "run", "--fast"),
            *("--set", "stage_one.model.n_factors=3", "--set", "evaluation.folds=3"),
            *("--set", "evaluation.refit_repeats=1"),
        ),
    ),
    Job("report", ("report", "run"), found=("run",)),
    Job("signatures", ("signatures", "run"), found=("run",)),
    Job("export", ("export", "run", "-f", "tables", "-f", "html"), found=("run",)),
    Job("simulate", ("simulate", "-o", "simulated", "--seed", "3")),
)


def import_all() -> None:
    """Import what the commands need, so that forked processes have it."""
    for module in pkgutil.walk_packages(bm.__path__, "bayes_mdd."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def make_inputs(folder: Path) -> None:
    """Make the inputs of all commands, where they are not there."""
    if (folder / "run" / "report.html").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    bm.write_cohort(bm.simulate_cohort(seed=2, n_regions=14), folder / "cohort")
    trial = bm.simulate_trial(
        seed=1, n=80, whole_points=True, features=True, n_controls=30, n_regions=28
    )
    bm.write_trial(trial, folder / "trial")
    write_bold(folder / "bold", folder / "atlas")
    work = folder.parent / "making" / "work"
    work.mkdir(parents=True, exist_ok=True)
    # As a process of its own: this one will be forked and must not have threads.
    subprocess.run(
        [sys.executable, "-m", "bayes_mdd", *FIT], cwd=work, stdout=subprocess.DEVNULL, check=False
    )
    shutil.move(work / "run", folder / "run")


def write_bold(folder: Path, atlas: Path, people: int = 24, volumes: int = 150) -> None:
    """Write BOLD images with confounds as fMRIPrep does, and a label image."""
    import nibabel as nib

    shape, affine, n = (24, 24, 16), np.diag([4.0, 4, 4, 1]), 8
    rng = np.random.default_rng(4)
    labels = np.repeat(np.arange(1, n + 1), shape[0] // n)[:, None, None] * np.ones(shape)
    atlas.mkdir(parents=True)
    nib.save(nib.Nifti1Image(labels.astype(np.int16), affine), atlas / "atlas-S_dseg.nii.gz")
    pd.DataFrame(
        {
            "index": range(1, n + 1),
            "name": [f"R{i}" for i in range(n)],
            "network": ["A", "B"] * (n // 2),
        }
    ).to_csv(atlas / "atlas-S_dseg.tsv", sep="\t", index=False)
    ids = [f"sub-{i:02d}" for i in range(people)]
    for name in ids:
        head = folder / name / "func" / f"{name}_task-rest"
        head.parent.mkdir(parents=True)
        series = rng.normal(size=(n, volumes)) + rng.normal(size=volumes)
        data = (100 + series[labels.astype(int) - 1]).astype(np.float32)
        data += rng.normal(0, 0.1, data.shape).astype(np.float32)
        image = nib.Nifti1Image(data, affine)
        image.header.set_zooms((4, 4, 4, 2))
        nib.save(image, f"{head}_desc-preproc_bold.nii.gz")
        motion = {}
        for axis in (f"{kind}_{a}" for kind in ("trans", "rot") for a in "xyz"):
            x = rng.normal(0, 0.1, volumes)
            step = np.r_[np.nan, np.diff(x)]
            motion |= {axis: x, f"{axis}_derivative1": step, f"{axis}_power2": x**2}
            motion |= {f"{axis}_derivative1_power2": step**2}
        motion["framewise_displacement"] = np.r_[np.nan, rng.uniform(0, 0.2, volumes - 1)]
        table = pd.DataFrame(motion)
        table.to_csv(f"{head}_desc-confounds_timeseries.tsv", sep="\t", index=False, na_rep="n/a")
        Path(f"{head}_desc-confounds_timeseries.json").write_text("{}", encoding="utf-8")
    arms = ["n/a" if i % 4 == 0 else ("SSRI", "SNRI")[i % 2] for i in range(people)]
    pd.DataFrame(
        {
            "participant_id": ids,
            "diagnosis": ["HC" if a == "n/a" else "MDD" for a in arms],
            "arm": arms,
        }
    ).to_csv(folder / "participants.tsv", sep="\t", index=False)
