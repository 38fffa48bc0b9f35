"""Real scans (STAGES) as cohorts: random arms, and traits that are added to the series.

The data are not part of the repository: `BAYES_MDD_STAGES` names the folder that holds
``timeseries_ses-1_demeaned_f16.npz`` and ``rois_419.tsv``, and ``fc_fisherz_ses-2.npz`` if there is
a second session (Pope et al. 2025, doi:10.1016/j.bpsgos.2025.100589;
github.com/izachp/psychosis-FC-prediction).
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from series_cohorts import ARMS, SeriesCohort, variance_within
from series_covariance import Group, fisher_z, group_of, root_of
from series_plan import Kind, make_plan
from series_scans import edges_of

#: Cohorts of real scans, with the number of regions and the traits that are added.
STAGES = {
    "stages": (100, Kind()),
    "stages-400": (400, Kind()),
    "stages-traits": (100, Kind(shared=(0.10,) * 3, specific=(0.10,) * 2)),
}
#: Cortical parcels of the atlas; the others are subcortical.
CORTEX, ALL = 400, 419
#: Rounds that set the size of added traits.
ROUNDS = 3


def draw_stages(kind: str, seed: int) -> SeriesCohort:
    """Real scans with random arms, and the traits of the kind; `seed` sets arms and traits."""
    n_regions, traits = STAGES[kind]
    series, regions, other = load_scans(n_regions)
    rng = np.random.default_rng([21, seed])
    arm = rng.permutation(np.arange(len(series)) % 2)
    group = _group(series, regions)
    plan = make_plan(traits, group, np.random.default_rng([22, seed]))
    scores = plan.draw_scores(rng, arm)
    z = edges_of(series)
    loadings = np.zeros((0, z.shape[1]))
    if plan.share.size:
        target = plan.share * plan.total(variance_within(z, arm))
        size = np.sqrt(target / (plan.small_change() ** 2).mean(axis=1))
        for k in range(ROUNDS + 1):
            mixed = _mix(series, group, np.tensordot(scores * size, plan.patterns, 1))
            change = edges_of(mixed) - z
            loadings = np.linalg.lstsq(
                np.column_stack([np.ones(arm.size), scores]), change, rcond=None
            )[0][1:]
            if k < ROUNDS:
                size = size * np.sqrt(target / (loadings**2).mean(axis=1))
        series = mixed
        z = edges_of(series)
    nothing = pd.DataFrame(index=[f"sub-{i + 1:03d}" for i in range(arm.size)])
    return SeriesCohort(
        kind=kind,
        seed=seed,
        series=list(series),
        z=z,
        regions=regions,
        arm=np.array(ARMS)[arm],
        scores=scores,
        variance=plan.variance,
        loadings=loadings,
        explained=plan.explained(loadings, variance_within(z, arm, scores)),
        mean_gap=plan.mean[:, 1] - plan.mean[:, 0],
        symptoms=nothing,
        symptom_weights=nothing.iloc[:0],
        other_session=None if plan.share.size else other,
    )


@cache
def load_scans(n_regions: int) -> tuple[np.ndarray, pd.DataFrame, np.ndarray | None]:
    """Series (subject, time, region), regions, and Fisher z of session 2 where the folder has it.

    With fewer regions than parcels, neighbouring parcels are averaged, each with unit variance.
    """
    folder = Path(os.environ.get("BAYES_MDD_STAGES", ""))
    path = folder / "timeseries_ses-1_demeaned_f16.npz"
    if not path.exists():
        raise SystemExit(f"{path} does not exist: set BAYES_MDD_STAGES to the folder of the scans.")
    with np.load(path) as stored:
        subjects, raw = stored["subject"].astype(str), stored["ts"][:, :CORTEX].astype(float)
    x = raw / raw.std(axis=2, keepdims=True)
    size = CORTEX // n_regions
    x = x.reshape(len(x), n_regions, size, -1).mean(axis=2)
    parcels = pd.read_csv(folder / "rois_419.tsv", sep="\t").iloc[:CORTEX]
    middle = parcels.iloc[size // 2 :: size].reset_index(drop=True)
    places = parcels[["x", "y", "z"]].to_numpy().reshape(n_regions, size, 3).mean(axis=1)
    regions = middle[["region", "network"]].assign(**dict(zip("xyz", places.T, strict=True)))
    other = _second_session(folder / "fc_fisherz_ses-2.npz", subjects, n_regions)
    return np.swapaxes(x, 1, 2), regions, other


def _second_session(path: Path, subjects: np.ndarray, n_regions: int) -> np.ndarray | None:
    """Edges of session 2 between the same averages, exactly, as parcels have unit variance."""
    if not path.exists():
        return None
    with np.load(path) as stored:
        rescanned, edges = stored["subject"].astype(str), stored["fisher_z"].astype(float)
    out = np.full((len(subjects), n_regions * (n_regions - 1) // 2), np.nan)
    size = CORTEX // n_regions
    for name, row in zip(rescanned, edges, strict=True):
        upper = np.zeros((ALL, ALL))
        upper[np.triu_indices(ALL, 1)] = np.tanh(row)
        parcels = (upper + upper.T + np.eye(ALL))[:CORTEX, :CORTEX]
        blocks = parcels.reshape(n_regions, size, n_regions, size).mean(axis=(1, 3))
        out[subjects == name] = fisher_z(blocks)
    return out


def _group(series: np.ndarray, regions: pd.DataFrame) -> Group:
    mean = np.tanh(edges_of(series).mean(axis=0))
    n = len(regions)
    c = np.eye(n)
    i, j = np.triu_indices(n, 1)
    c[i, j] = c[j, i] = mean
    return group_of(regions, c, np.ones(n))


def _mix(series: np.ndarray, group: Group, deviation: np.ndarray) -> np.ndarray:
    """Series whose covariance has C^(1/2) (I + deviation) C^(1/2) in the place of C."""
    middle = group.root @ root_of(deviation)
    change = middle @ np.swapaxes(middle, 1, 2)
    values, vectors = np.linalg.eigh(change)
    root = (vectors * np.sqrt(np.maximum(values, 1e-8))[:, None, :]) @ np.swapaxes(vectors, 1, 2)
    return series @ np.swapaxes(root @ group.inverse_root, 1, 2)
