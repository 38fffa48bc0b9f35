"""Good cohorts, specs, atlases and tables for `hostile_files.py`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from hostile_tools import REGIONS, Tool, fisher, image, label_image, series, text

ROWS = 8
SIDECAR = {
    "diagnosis": {"Levels": {"HC": "healthy control", "MDD": "major depression"}},
    "age": {"Description": "Age", "Units": "years"},
    "arm": {
        "Levels": {"ssri": "an SSRI", "snri": "an SNRI"},
        "HED": [["a", {"b": 1e3}], None],
        "Assignment": "randomised",
        "Default": "ssri",
        "AllocationProbability": 0.5,
    },
}
ITEMS = [f"hamd17_{i}" for i in range(1, 18)]
EDGES = [f"{a}--{b}" for k, a in enumerate(REGIONS) for b in REGIONS[k + 1 :]]
REGION_TABLE = "region\tnetwork\n" + "".join(f"{n}\t{n.split('_')[1]}\n" for n in REGIONS)


def subjects() -> list[str]:
    return [f"sub-{i + 1:02d}" for i in range(ROWS)]


def participants(folder: Path) -> None:
    lines = ["participant_id\tdiagnosis\tarm\tage\tsex\tsite"]
    for i, subject in enumerate(subjects()):
        arm = ("n/a", "ssri", "snri")[i % 3]
        who = "HC" if arm == "n/a" else "MDD"
        lines.append(f"{subject}\t{who}\t{arm}\t{25 + i}.5\t{'MF'[i % 2]}\tsite{i % 2 + 1}")
    (folder / "participants.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "participants.json").write_text(json.dumps(SIDECAR, indent=1), encoding="utf-8")
    described = {"Name": "Small", "BIDSVersion": "1.9.0", "GeneratedBy": [{"Name": "x"}]}
    (folder / "dataset_description.json").write_text(json.dumps(described))


def phenotype(folder: Path) -> None:
    participants(folder)
    rng = np.random.default_rng(4)
    sessions = ("ses-baseline", "ses-week4", "ses-week8")
    lines = ["\t".join(["participant_id", "session_id", *ITEMS])]
    for subject in subjects():
        for session in sessions:
            lines.append("\t".join([subject, session, *map(str, rng.integers(0, 3, 17))]))
    table = folder / "phenotype" / "hamd17.tsv"
    table.parent.mkdir()
    table.write_text("\n".join(lines) + "\n")
    sidecar = {
        "MeasurementToolMetadata": {"Scale": "hamd17", "Description": "Hamilton"},
        "session_id": {"Levels": dict.fromkeys(sessions, "visit"), "Weeks": {
            "ses-baseline": 0, "ses-week4": 4, "ses-week8": 8}},
    }  # fmt: skip
    table.with_suffix(".json").write_text(json.dumps(sidecar, indent=1))
    rows = [f"{s}\tses-week{4 if i == 4 else 8}\tn/a" for i, s in enumerate(subjects()) if i % 3]
    head = "participant_id\tlast_session\treason"
    rows = [r.replace("week4\tn/a", "week4\tadverse_event") for r in rows]
    (table.parent / "disposition.tsv").write_text("\n".join([head, *rows]) + "\n")


def _features(folder: Path, **facts: object) -> Path:
    participants(folder)
    inner = folder / "features"
    inner.mkdir()
    (inner / "regions.tsv").write_text(REGION_TABLE)
    levels = {"network": {"Levels": {"Vis": "visual", "Cont": "control"}}}
    (inner / "regions.json").write_text(json.dumps(levels))
    held = {"units": "r", "source": "matrices", "order": "regions.tsv", **facts}
    held = {key: value for key, value in held.items() if value is not None}
    (inner / "features.json").write_text(json.dumps(held, indent=1))
    return inner


def _matrix_text(path: Path, values: np.ndarray) -> None:
    named = zip(REGIONS, values, strict=True)
    rows = ["\t".join((name, *(f"{v:.6f}" for v in row))) for name, row in named]
    path.write_text("\n".join(["\t".join(("Node", *REGIONS)), *rows]) + "\n")


def _pieces(values: np.ndarray) -> np.ndarray:
    """Products of standardised series within 10 pieces, upper triangle with the diagonal."""
    z = (values - values.mean(axis=0)) / values.std(axis=0)
    at = np.triu_indices(len(REGIONS))
    return np.array([(part.T @ part / len(part))[at] for part in np.split(z, 10)])


def matrices(folder: Path) -> None:
    """Matrices with halves, pieces and another session."""
    inner = _features(folder, units="fisher_z")
    for i, subject in enumerate(subjects()):
        _matrix_text(inner / f"{subject}_relmat.tsv", fisher(i))
        for half in "12":
            own = fisher(100 + 2 * i + int(half))
            _matrix_text(inner / f"{subject}_half-{half}_relmat.tsv", own)
        np.save(inner / f"{subject}_pieces.npy", _pieces(series(i)))
    values = np.random.default_rng(2).normal(0, 0.1, (ROWS, 6))
    path = inner / "session_difference.npz"
    np.savez(path, subject=subjects(), feature=EDGES, values=values)


def time_series(folder: Path) -> None:
    inner = _features(folder, source="timeseries", measure="correlation")
    for i, subject in enumerate(subjects()):
        text(inner / f"{subject}_timeseries.tsv", series(i), "\t".join(REGIONS))


def feature_table(folder: Path) -> None:
    inner = _features(folder, units="mm", measure="thickness", order=None, source="table")
    rows = ["\t".join(("participant_id", *REGIONS))]
    rng = np.random.default_rng(5)
    for subject in subjects():
        rows.append("\t".join((subject, *(f"{v:.4f}" for v in rng.normal(2.5, 0.2, 4)))))
    (inner / "features.tsv").write_text("\n".join(rows) + "\n")


def feature_archive(folder: Path) -> None:
    inner = _features(folder, units="fisher_z", order=None, source="table")
    rng = np.random.default_rng(6)
    values = rng.normal(0, 0.3, (ROWS, 6))
    np.savez(inner / "features.npz", subject=subjects(), feature=EDGES, values=values)


def atlas(folder: Path) -> None:
    image(folder / "x_dseg.nii.gz", label_image())
    rows = "".join(f"{i + 1}\t{n}\tN{i % 2}\n" for i, n in enumerate(REGIONS))
    (folder / "x_dseg.tsv").write_text(f"index\tname\tnetwork\n{rows}")
    (folder / "circuits.tsv").write_text("network\tcircuit\nN0\tDMN\nN1\tCCN\n")
    (folder / "regions.tsv").write_text(REGION_TABLE)


def evidence(folder: Path) -> None:
    lines = shipped("data/evidence/findings.tsv").decode().splitlines(keepends=True)
    (folder / "findings.tsv").write_text("".join(lines[:12]), encoding="utf-8")


def shipped(name: str) -> bytes:
    import bayes_mdd

    root = Path(bayes_mdd.__file__).parent
    return next(p for p in (root / name, root.parent / name) if p.is_file()).read_bytes()


def copy(name: str, source: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(shipped(source))


def _call(name: str, *parts: str, **options: object) -> Callable[[Path], object]:
    """Call a public function with a file of the folder."""

    def read(folder: Path) -> object:
        import bayes_mdd as bm

        return getattr(bm, name)(folder.joinpath(*parts), **options)

    return read


def _read_participants(folder: Path) -> object:
    from bayes_mdd.cohort.participants import read_participants

    return read_participants(folder / "participants.tsv")


def _read_scale(folder: Path) -> object:
    from bayes_mdd.cohort.scales import read_scale

    return read_scale(folder / "scale.yaml")


def _read_atlas(folder: Path) -> object:
    import bayes_mdd as bm

    return bm.read_atlas(folder / "x_dseg.nii.gz", circuits=folder / "circuits.tsv")


def _read_labels(folder: Path) -> object:
    from bayes_mdd.features.atlas.label_images import label_values, load_volume

    path = folder / "x_dseg.nii.gz"
    return label_values(load_volume(path), path.name)


def _read_whole(folder: Path) -> object:
    """Everything that `bayes-mdd fit` and `response` read of a cohort."""
    import bayes_mdd as bm
    from bayes_mdd.features.folder.study import read_study

    cohort = bm.read_cohort(folder)
    return cohort.participants, cohort.scores, read_study(folder)


def _read_visits(folder: Path) -> object:
    import bayes_mdd as bm

    ends = {"endpoint": "ses-week8", "baseline": "ses-baseline"}
    outcomes = bm.read_outcomes(folder, scale="hamd17", **ends)
    return bm.read_visits(folder, scale="hamd17"), outcomes, dict(outcomes.attrs)


_FEATURES = _call("read_features")

#: By name: how the folder is made, which file is damaged, how it is read.
COHORTS: Mapping[str, Tool] = {
    "participants.tsv": (participants, "participants.tsv", _read_participants),
    "participants.json": (participants, "participants.json", _read_participants),
    "dataset_description.json": (phenotype, "dataset_description.json", _read_whole),
    "phenotype table": (phenotype, "phenotype/hamd17.tsv", _read_whole),
    "phenotype sidecar": (phenotype, "phenotype/hamd17.json", _read_whole),
    "visits and outcomes": (phenotype, "phenotype/hamd17.tsv", _read_visits),
    "visits, sidecar": (phenotype, "phenotype/hamd17.json", _read_visits),
    "trial design": (phenotype, "participants.json", _read_visits),
    "disposition": (phenotype, "phenotype/disposition.tsv", _read_visits),
    "features.json": (matrices, "features/features.json", _FEATURES),
    "features/regions.tsv": (matrices, "features/regions.tsv", _FEATURES),
    "matrix of a cohort": (matrices, "features/sub-02_relmat.tsv", _FEATURES),
    "half": (matrices, "features/sub-02_half-1_relmat.tsv", _FEATURES),
    "pieces": (matrices, "features/sub-02_pieces.npy", _FEATURES),
    "session difference": (matrices, "features/session_difference.npz", _FEATURES),
    "time series": (time_series, "features/sub-02_timeseries.tsv", _FEATURES),
    "feature table": (feature_table, "features/features.tsv", _FEATURES),
    "feature archive": (feature_archive, "features/features.npz", _FEATURES),
    "atlas image": (atlas, "x_dseg.nii.gz", _read_atlas),
    "atlas image, labels": (atlas, "x_dseg.nii.gz", _read_labels),
    "atlas table": (atlas, "x_dseg.tsv", _read_atlas),
    "circuits": (atlas, "circuits.tsv", _call("read_circuits", "circuits.tsv")),
    "regions": (atlas, "regions.tsv", _call("read_regions", "regions.tsv")),
    "findings": (evidence, "findings.tsv", _call("read_evidence")),
    "spec": (
        copy("spec.yaml", "models/shared_specific.yaml"),
        *("spec.yaml", _call("read_spec", "spec.yaml")),
    ),
    "spec, polar LDA": (
        copy("spec.yaml", "models/polar_lda.yaml"),
        *("spec.yaml", _call("read_spec", "spec.yaml")),
    ),
    "spec, response": (
        copy("spec.yaml", "models/treatment_response.yaml"),
        *("spec.yaml", _call("read_response_spec", "spec.yaml")),
    ),
    "scale": (copy("scale.yaml", "cohort/scales/hamd17.yaml"), "scale.yaml", _read_scale),
}
