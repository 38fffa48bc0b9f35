"""Valid inputs, small and the same each time; every bad input is one of these, changed."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np

#: Participants: six controls, eight patients of each arm.
CONTROLS = tuple(f"sub-{i:02d}" for i in range(1, 7))
SNRI = tuple(f"sub-{i:02d}" for i in range(7, 15))
SSRI = tuple(f"sub-{i:02d}" for i in range(15, 23))
PEOPLE = (*CONTROLS, *SNRI, *SSRI)

#: Region, network, x, y, z, hemisphere and label.
REGIONS = (
    ("DMN_L", "DMN", -10, 50, 10, "L", 1),
    ("DMN_R", "DMN", 10, 50, 10, "R", 2),
    ("CCN_L", "CCN", -40, 30, 20, "L", 3),
    ("CCN_R", "CCN", 40, 30, 20, "R", 4),
    ("THR_L", "THR", -30, -10, -20, "L", 5),
    ("THR_R", "THR", 30, -10, -20, "R", 6),
)
NAMES = tuple(r[0] for r in REGIONS)
EDGES = tuple(f"{a}--{b}" for i, a in enumerate(NAMES) for b in NAMES[i + 1 :])

SPEC = """\
kind: shared_specific
model: {n_factors: 2, covariates: [age], feature_dependence: independent}
reference: {covariates: [age]}
"""
RESPONSE_SPEC = """\
kind: treatment_response
outcome: {scale: hamd17}
stage_one:
  model: {n_factors: 2, covariates: [age], feature_dependence: independent}
evaluation: {permutations: 99, policy_permutations: 19, folds: 2, repeats: 1}
"""
POLAR_SPEC = """\
kind: polar_lda
model: {n_factors: 2}
"""

SIDECAR = {
    "diagnosis": {"Levels": {"HC": "Healthy control", "MDD": "Major depressive disorder"}},
    "arm": {
        "Levels": {"SNRI": "Venlafaxine", "SSRI": "Escitalopram"},
        "Assignment": "randomised",
        "Default": "SSRI",
        "AllocationProbability": 0.5,
    },
    "site": {"Levels": {"north": "Site N", "south": "Site S"}},
    "age": {"Units": "year"},
    "sex": {"Levels": {"F": "Female", "M": "Male"}},
    "mean_fd": {"Units": "mm"},
}
FEATURES_SIDECAR = {
    "kind": "functional_connectivity",
    "measure": "correlation",
    "units": "r",
    "estimator": "empirical",
    "source": "matrices",
}


def write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")


def write_tsv(path: Path, header: tuple[str, ...], rows: list[list[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join(header), *("\t".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def arm_of(person: str) -> str:
    return "SNRI" if person in SNRI else "SSRI" if person in SSRI else "n/a"


def correlations(person: str) -> np.ndarray:
    """Correlations of one participant, shape (region, region)."""
    rng = np.random.default_rng(PEOPLE.index(person))
    return np.corrcoef(rng.normal(size=(len(NAMES), 20)))


def write_people(folder: Path) -> None:
    rows: list[list[object]] = []
    for i, person in enumerate(PEOPLE):
        arm = arm_of(person)
        diagnosis = "HC" if arm == "n/a" else "MDD"
        rows.append([person, diagnosis, arm, ("north", "south")[i // 2 % 2], 20 + (7 * i) % 40,
                     "FM"[i % 2], f"{0.1 + (i % 5) / 50:.3f}"])  # fmt: skip
    header = ("participant_id", "diagnosis", "arm", "site", "age", "sex", "mean_fd")
    write_tsv(folder / "participants.tsv", header, rows)
    write_json(folder / "participants.json", SIDECAR)


def write_regions(path: Path) -> None:
    header = ("region", "network", "x", "y", "z", "hemisphere", "label")
    write_tsv(path, header, [list(r) for r in REGIONS])


def write_cohort(folder: Path) -> None:
    """A cohort with one table of features and without symptoms."""
    write_people(folder)
    write_regions(folder / "features" / "regions.tsv")
    write_json(folder / "features" / "features.json", FEATURES_SIDECAR | {"source": "table"})
    upper = np.triu_indices(len(NAMES), 1)
    rows = [[p, *(f"{v:.4f}" for v in correlations(p)[upper])] for p in PEOPLE]
    write_tsv(folder / "features" / "features.tsv", ("participant_id", *EDGES), rows)


def write_matrices(folder: Path) -> None:
    """The same cohort with one matrix for each participant."""
    write_people(folder)
    write_regions(folder / "features" / "regions.tsv")
    write_json(folder / "features" / "features.json", FEATURES_SIDECAR)
    for p in PEOPLE:
        rows = [
            [n, *(f"{v:.4f}" for v in row)] for n, row in zip(NAMES, correlations(p), strict=True)
        ]
        write_tsv(folder / "features" / f"{p}_relmat.tsv", ("Node", *NAMES), rows)


def write_series(folder: Path, volumes: int = 30) -> None:
    """The same cohort with one time series for each participant."""
    write_people(folder)
    write_regions(folder / "features" / "regions.tsv")
    write_json(folder / "features" / "features.json",
               {"kind": "functional_connectivity", "source": "timeseries"})  # fmt: skip
    for p in PEOPLE:
        values = np.random.default_rng(PEOPLE.index(p)).normal(size=(volumes, len(NAMES)))
        write_tsv(folder / "features" / f"{p}_timeseries.tsv", NAMES,
                  [[f"{v:.4f}" for v in row] for row in values])  # fmt: skip


def write_items(folder: Path) -> None:
    """Ratings of the items of the HAM-D-17 at two visits, of all patients."""
    items = tuple(f"hamd17_{i}" for i in range(1, 18))
    rows: list[list[object]] = []
    for i, person in enumerate((*SNRI, *SSRI)):
        for visit, session in enumerate(("ses-baseline", "ses-week8")):
            rows.append([person, session, *((i + j + visit) % 3 for j in range(17))])
    write_tsv(folder / "phenotype" / "hamd17.tsv", ("participant_id", "session_id", *items), rows)
    write_json(folder / "phenotype" / "hamd17.json", {
        "MeasurementToolMetadata": {"Scale": "hamd17"},
        "session_id": {"Levels": {"ses-baseline": "before", "ses-week8": "after"}},
    })  # fmt: skip


def write_totals(folder: Path) -> None:
    """Totals of the HAM-D-17 at two visits, and who left the trial."""
    rows: list[list[object]] = []
    for i, person in enumerate((*SNRI, *SSRI)):
        rows += [[person, "ses-baseline", 18 + i % 7],
                 [person, "ses-week8", 4 + (5 * i) % 17]]  # fmt: skip
    header = ("participant_id", "session_id", "hamd17_total")
    write_tsv(folder / "phenotype" / "hamd17.tsv", header, rows)
    write_json(folder / "phenotype" / "hamd17.json", {
        "MeasurementToolMetadata": {"Scale": "hamd17", "Items": "total only"},
        "session_id": {"Levels": {"ses-baseline": "before", "ses-week8": "after"}},
    })  # fmt: skip
    write_tsv(folder / "phenotype" / "disposition.tsv",
              ("participant_id", "last_session", "reason"),
              [[SNRI[0], "ses-baseline", "withdrew"]])  # fmt: skip


AFFINE = np.diag([-10.0, 10.0, 10.0, 1.0])
AFFINE[:3, 3] = (50, -50, -50)
SHAPE = (11, 11, 11)


def save_image(
    path: Path, values: np.ndarray, affine: np.ndarray = AFFINE, *, tr: float = 2.0
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(values, affine)
    image.set_sform(affine, code=4)
    image.set_qform(affine, code=4)
    image.header.set_xyzt_units("mm", "sec")
    if values.ndim == 4:
        image.header.set_zooms((*image.header.get_zooms()[:3], tr))
    nib.save(image, path)


def label_values() -> np.ndarray:
    """A label image: two voxels for each region, at its coordinates."""
    values = np.zeros(SHAPE, dtype=np.int16)
    for _, _, x, y, z, _, label in REGIONS:
        i, j, k = np.rint(np.linalg.solve(AFFINE, [x, y, z, 1.0])[:3]).astype(int)
        values[i, j, k] = values[i, j, k - 1] = label
    return values


def write_atlas(folder: Path) -> None:
    """A label image and its table."""
    save_image(folder / "atlas.nii.gz", label_values())
    write_regions(folder / "atlas.tsv")


IMAGED = (CONTROLS[0], SNRI[0], SSRI[0])


def write_maps(folder: Path) -> None:
    """Maps of grey matter of three participants, with participants and atlas beside them."""
    few_people(folder.parent / "people.tsv")
    write_atlas(folder.parent)
    for i, person in enumerate(IMAGED):
        values = np.random.default_rng(i).uniform(0.2, 0.9, SHAPE).astype(np.float32)
        save_image(folder / f"{person}_space-MNI152NLin6Asym_desc-fa_map.nii.gz", values)


def few_people(path: Path) -> None:
    """The participants with images."""
    rows: list[list[object]] = [
        [p, "HC" if arm_of(p) == "n/a" else "MDD", arm_of(p), 30 + i] for i, p in enumerate(IMAGED)
    ]
    write_tsv(path, ("participant_id", "diagnosis", "arm", "age"), rows)


def write_bold(folder: Path, volumes: int = 50) -> None:
    """BOLD images and confounds of three participants as fMRIPrep writes them."""
    few_people(folder.parent / "people.tsv")
    write_atlas(folder.parent)
    write_json(folder / "dataset_description.json", {
        "Name": "fMRIPrep", "BIDSVersion": "1.4.0", "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "fMRIPrep", "Version": "23.1.0"}],
    })  # fmt: skip
    inside = label_values() > 0
    for i, person in enumerate(IMAGED):
        rng = np.random.default_rng(i)
        values = np.zeros((*SHAPE, volumes), dtype=np.float32)
        values[inside] = 1000 + 10 * rng.normal(size=(int(inside.sum()), volumes))
        stem = folder / person / "func" / f"{person}_task-rest"
        save_image(Path(f"{stem}_space-MNI152NLin6Asym_desc-preproc_bold.nii.gz"), values)
        write_json(Path(f"{stem}_space-MNI152NLin6Asym_desc-preproc_bold.json"),
                   {"RepetitionTime": 2.0})  # fmt: skip
        motion = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
        more = ("derivative1", "power2", "derivative1_power2")
        columns = (
            *motion,
            *(f"{m}_{x}" for m in motion for x in more),
            "white_matter",
            "csf",
            "global_signal",
            "framewise_displacement",
        )
        table = 0.01 * rng.normal(size=(volumes, len(columns)))
        rows = [[*(f"{v:.5f}" for v in row[:-1]), "n/a" if t == 0 else f"{abs(row[-1]):.5f}"]
                for t, row in enumerate(table)]  # fmt: skip
        write_tsv(Path(f"{stem}_desc-confounds_timeseries.tsv"), columns, rows)
        write_json(Path(f"{stem}_desc-confounds_timeseries.json"), {})


def write_specs(folder: Path) -> None:
    for name, text in (
        ("spec.yaml", SPEC),
        ("response.yaml", RESPONSE_SPEC),
        ("polar.yaml", POLAR_SPEC),
    ):
        (folder / name).write_text(text, encoding="utf-8")


FINDINGS = (
    *("finding_id", "ref", "first_author", "population", "n", "n_controls", "drug_class", "drug"),
    *("modality", "feature", "timing", "followup_weeks", "region_a", "region_b", "hemisphere"),
    *("network_a", "network_b", "direction", "outcome", "method", "metric_name", "metric_value"),
    *("metric_sd", "n_sites", "note"),
)


def write_findings(folder: Path) -> None:
    """Two findings in the columns of those of the package."""
    facts = {"ref": 1, "first_author": "Doe", "n": 40, "drug_class": "SSRI", "modality": "rs-fmri",
             "feature": "functional_connectivity", "timing": "baseline", "network_a": "DMN",
             "hemisphere": "L", "direction": "+", "outcome": "remission"}  # fmt: skip
    rows: list[list[object]] = [
        [i, *(facts.get(c, "") for c in FINDINGS[1:])] for i in ("A1", "A2")
    ]
    write_tsv(folder / "findings.tsv", FINDINGS, rows)
