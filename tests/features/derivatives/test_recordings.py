"""Recordings side by side: companions by entities, repetition times, places in space."""

from __future__ import annotations

import json
from pathlib import Path
from zlib import crc32

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from features.derivatives.conftest import PARCELS, SUBJECTS, series_of, write_wide

from bayes_mdd.errors import DataContractError
from bayes_mdd.features import read_derivatives
from bayes_mdd.specs import DerivativesSpec

SPACE, VOLUMES, SHAPE = "MNI152NLin6Asym", 80, (6, 3, 3)
AFFINE = np.diag([4.0, 4, 4, 1])
SPEC = DerivativesSpec(confounds=("motion",), min_volumes=60)
MOTION = [f"{a}_{b}" for a in ("trans", "rot") for b in "xyz"]


def labels() -> np.ndarray:
    return np.broadcast_to(np.int16([1, 1, 2, 2, 3, 3])[:, None, None], SHAPE).copy()


@pytest.fixture
def atlas(tmp_path) -> Path:
    path = tmp_path / "atlas" / f"tpl-{SPACE}_atlas-S_dseg.nii.gz"
    path.parent.mkdir()
    nib.save(nib.Nifti1Image(labels(), AFFINE), path)
    table = "index\tname\tnetwork\n1\ta\tN\n2\tb\tN\n3\tc\tM\n"
    path.with_name(f"tpl-{SPACE}_atlas-S_dseg.tsv").write_text(table)
    return path


def scan(folder: Path, subject: str, entities: str = "", fd: float | None = 0.1, tr=None) -> Path:
    """Write an image with its confounds; the head of their names."""
    head = folder / subject / "func" / f"{subject}_task-rest{entities}"
    head.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(crc32((subject + entities).encode()))
    image = nib.Nifti1Image(rng.normal(100, 1, (*SHAPE, VOLUMES)).astype(np.float32), AFFINE)
    if tr is not None:
        image.header.set_xyzt_units("mm", "sec")
        image.header.set_zooms((4, 4, 4, tr))
    nib.save(image, f"{head}_space-{SPACE}_desc-preproc_bold.nii.gz")
    columns = {}
    for name in MOTION:
        values = rng.normal(0, 0.1, VOLUMES)
        steps = np.r_[np.nan, np.diff(values)]
        columns |= {name: values, f"{name}_derivative1": steps, f"{name}_power2": values**2}
        columns[f"{name}_derivative1_power2"] = steps**2
    if fd is not None:
        columns["framewise_displacement"] = np.r_[np.nan, np.full(VOLUMES - 1, fd)]
    confounds = f"{head}_desc-confounds_timeseries"
    pd.DataFrame(columns).to_csv(f"{confounds}.tsv", sep="\t", index=False, na_rep="n/a")
    Path(f"{confounds}.json").write_text("{}")
    return head


def read(folder: Path, atlas: Path, **entities: str | None):
    return read_derivatives(folder, atlas=atlas, entities=entities or None, spec=SPEC)


@pytest.mark.parametrize(
    ("own", "other", "chosen"),
    [
        ("_run-1", "_run-10", {"run": "1"}),
        ("_run-10", "_run-1", {"run": "10"}),
        ("_acq-3echo", "", {"acq": "3echo"}),
        ("", "_acq-3echo", {"acq": None}),
        ("_dir-AP", "_dir-PA", {"dir": "AP"}),
        ("_rec-a_run-1", "_run-1", {"rec": "a"}),
        ("_acq-a", "_acq-ab", {"acq": "a"}),
    ],
)
def test_each_image_has_its_own_confounds(tmp_path, atlas, own, other, chosen):
    for subject in SUBJECTS[:3]:
        scan(tmp_path / "fmriprep", subject, own, fd=0.1)
    for subject in SUBJECTS[1:3]:
        scan(tmp_path / "fmriprep", subject, other, fd=0.4)
    got = read(tmp_path / "fmriprep", atlas, **chosen)
    np.testing.assert_allclose(got["mean_fd"], [0.1, 0.1, 0.1])
    alone = tmp_path / "alone"
    for subject in SUBJECTS[:3]:
        scan(alone, subject, own)
    np.testing.assert_allclose(got["y"], read(alone, atlas)["y"])


def test_uncompressed_images_and_component_confounds(tmp_path, atlas):
    for subject in SUBJECTS[:3]:
        head = scan(tmp_path / "fmriprep", subject)
        path = Path(f"{head}_space-{SPACE}_desc-preproc_bold.nii.gz")
        nib.save(nib.load(path), path.with_name(path.name.removesuffix(".gz")))
        path.unlink()
        table = Path(f"{head}_desc-confounds_timeseries.tsv")
        columns = pd.read_csv(table, sep="\t", na_values="n/a").assign(
            a_comp_cor_00=np.arange(VOLUMES), cosine00=np.linspace(-1, 1, VOLUMES)
        )
        columns.to_csv(table, sep="\t", index=False, na_rep="n/a")
        component = {"Mask": "combined", "Retained": True, "Method": "aCompCor"}
        table.with_suffix(".json").write_text(json.dumps({"a_comp_cor_00": component}))
        scan(tmp_path / "fmriprep", subject, "_acq-b")
    spec = DerivativesSpec(confounds=("high_pass", "compcor"), min_volumes=60)
    options = {"atlas": atlas, "spec": spec, "entities": {"acq": None}}
    assert np.isfinite(read_derivatives(tmp_path / "fmriprep", **options)["y"]).all()


def test_the_confounds_of_another_recording_are_not_used(tmp_path, atlas):
    for subject in SUBJECTS[:2]:
        head = scan(tmp_path / "fmriprep", subject, "_run-1")
    scan(tmp_path / "fmriprep", subject, "_run-10")
    Path(f"{head}_desc-confounds_timeseries.tsv").unlink()
    with pytest.raises(DataContractError) as caught:
        read(tmp_path / "fmriprep", atlas, run="1")
    text = str(caught.value)
    assert "sub-02: sub-02_task-rest_run-1_space" in text
    assert "no confounds table of this image (of other recordings: sub-02_task-rest_run-10" in text


def test_two_confounds_tables_of_one_image_are_refused(tmp_path, atlas):
    for subject in SUBJECTS[:2]:
        head = scan(tmp_path / "fmriprep", subject)
    table = Path(f"{head}_desc-confounds_timeseries.tsv")
    Path(f"{head}_desc-confounds_regressors.tsv").write_text(table.read_text())
    with pytest.raises(DataContractError, match=r"sub-02: .*2 files could be its confounds table"):
        read(tmp_path / "fmriprep", atlas)


def test_missing_motion_is_reported_by_participant(tmp_path, atlas):
    for subject in SUBJECTS:
        scan(tmp_path / "fmriprep", subject, fd=None if subject > "sub-02" else 0.2)
    with pytest.warns(UserWarning, match="sub-03, sub-04: .* so mean_fd is not known"):
        got = read(tmp_path / "fmriprep", atlas)
    assert np.isnan(got["mean_fd"].values).tolist() == [False, False, True, True]


def test_masks_of_the_own_grid_only(tmp_path, atlas):
    for subject in SUBJECTS[:3]:
        head = scan(tmp_path / "fmriprep", subject)
    mask = np.zeros(SHAPE, dtype=np.uint8)
    image = nib.Nifti1Image(mask, AFFINE)
    nib.save(image, f"{head}_space-T1w_desc-brain_mask.nii.gz")
    nib.save(image, f"{head}_acq-b_space-{SPACE}_desc-brain_mask.nii.gz")
    assert np.isfinite(read(tmp_path / "fmriprep", atlas)["y"]).all()
    nib.save(nib.Nifti1Image(mask + 1, AFFINE), f"{head}_space-{SPACE}_desc-brain_mask.nii.gz")
    with pytest.warns(UserWarning, match="sub-01, sub-02: there is no brain mask beside the image"):
        read(tmp_path / "fmriprep", atlas)


def test_repetition_times_are_kept_by_participant(tmp_path, atlas):
    for subject, tr in zip(SUBJECTS, (2.0, 2.0, 1.0, 2.5), strict=True):
        scan(tmp_path / "fmriprep", subject, tr=tr)
    sidecar = {"RepetitionTime": 2.0}
    (tmp_path / "fmriprep" / "task-rest_bold.json").write_text(json.dumps(sidecar))
    own = tmp_path / "fmriprep" / "sub-04" / "func" / "sub-04_task-rest_bold.json"
    own.write_text('{"RepetitionTime": 2.5}')
    with pytest.warns(UserWarning) as caught:
        got = read(tmp_path / "fmriprep", atlas)
    texts = [str(w.message) for w in caught]
    assert any(t.startswith("sub-03: the header states a repetition time of 1 s") for t in texts)
    assert any("2 repetition times (2 s: 3 (sub-01" in t for t in texts)
    assert got["repetition_time"].values.tolist() == [2.0, 2.0, 2.0, 2.5]
    assert json.loads(got.attrs["provenance"])["repetition_time"] == [2.0, 2.5]


def test_images_without_a_place_in_space_are_refused(tmp_path, atlas):
    for subject in SUBJECTS[:3]:
        head = scan(tmp_path / "fmriprep", subject)
    path = Path(f"{head}_space-{SPACE}_desc-preproc_bold.nii.gz")
    image = nib.load(path)
    data = np.asarray(image.dataobj)
    lost = nib.Nifti1Image(data, None, image.header)
    lost.header["sform_code"] = lost.header["qform_code"] = 0
    nib.save(lost, path)
    with pytest.raises(DataContractError, match=r"sub-03: .*states no place in space"):
        read(tmp_path / "fmriprep", atlas)


def test_region_tables_of_the_caller_are_held_against_the_label_image(tmp_path, atlas):
    for subject in SUBJECTS[:3]:
        scan(tmp_path / "fmriprep", subject)
    affine = AFFINE.copy()
    affine[0, 3] = -10
    table = pd.DataFrame(
        {"region": ["L_x", "mid", "R_x"], "network": "N", "label": [1, 2, 3], "x": [-8, 0, 8.0]}
    ).assign(y=4.0, z=4.0)
    nib.save(nib.Nifti1Image(labels(), affine), atlas)
    for path in (tmp_path / "fmriprep").rglob("*.nii.gz"):
        nib.save(nib.Nifti1Image(nib.load(path).get_fdata(dtype=np.float32), affine), path)
    options = {"atlas": str(atlas), "spec": SPEC}
    read_derivatives(tmp_path / "fmriprep", regions=table, **options)
    nib.save(nib.Nifti1Image(labels()[::-1], affine), atlas)
    with pytest.raises(DataContractError, match="in 2 of 2 regions the hemisphere contradicts x"):
        read_derivatives(tmp_path / "fmriprep", regions=table, **options)


def test_companions_of_xcpd_series(tmp_path, participants):
    folder = tmp_path / "xcpd"
    for subject, fd in zip(SUBJECTS, (0.1, 0.2, 0.3, 0.4), strict=True):
        head = folder / subject / "func" / f"{subject}_task-rest"
        for run, shift in (("1", 0.0), ("10", 0.5)):
            series = head.with_name(f"{head.name}_run-{run}_space-A_atlas-X_timeseries.tsv")
            write_wide(series, series_of(subject), PARCELS)
            motion = pd.DataFrame({"framewise_displacement": ["n/a", fd + shift, fd + shift]})
            motion.to_csv(f"{head}_run-{run}_motion.tsv", sep="\t", index=False)
            filtered = motion.replace(fd + shift, 0.0)
            filtered.to_csv(f"{head}_run-{run}_desc-filtered_motion.tsv", sep="\t", index=False)
            flags = np.zeros(120, dtype=int)
            flags[:20] = run == "10"
            pd.DataFrame({"framewise_displacement": flags}).to_csv(
                f"{head}_run-{run}_outliers.tsv", sep="\t", index=False
            )
            facts = {"SamplingFrequency": 0.5 if run == "1" else 1.25}
            series.with_suffix(".json").write_text(json.dumps(facts))
    options = {"participants": participants, "spec": DerivativesSpec(min_volumes=60)}
    first = read_derivatives(folder, entities={"run": "1"}, **options)
    np.testing.assert_allclose(first["mean_fd"], [0.1, 0.2, 0.3, 0.4])
    assert first["repetition_time"].values.tolist() == [2.0] * 4
    assert json.loads(first.attrs["provenance"])["repetition_time"] == 2.0
    tenth = read_derivatives(folder, entities={"run": "10"}, **options)
    np.testing.assert_allclose(tenth["mean_fd"], [0.6, 0.7, 0.8, 0.9])
    assert "removed on reading" in json.loads(tenth.attrs["provenance"])["censoring"]
    assert tenth["repetition_time"].values.tolist() == [0.8] * 4
    # Absent companions are reported where others have them.
    next(folder.rglob("sub-03*run-1_outliers.tsv")).unlink()
    next(folder.rglob("sub-04*run-1_motion.tsv")).unlink()
    with pytest.warns(UserWarning) as caught:
        read_derivatives(folder, entities={"run": "1"}, **options)
    texts = sorted(str(w.message) for w in caught)
    assert [t.split(":")[0] for t in texts] == ["sub-03", "sub-04"]
    assert "no outliers.tsv" in texts[0]
    assert "no motion table" in texts[1]


def test_lists_of_names_of_other_participants_are_not_used(tmp_path, participants):
    from bayes_mdd.features import read_arrays

    names = {"sub-01": PARCELS, "sub-02": PARCELS[::-1]}
    for subject in SUBJECTS:
        own = names.get(subject, PARCELS)
        matrix = np.abs(np.corrcoef(series_of(subject, own), rowvar=False))
        np.savetxt(tmp_path / f"{subject}_connectome.csv", matrix, delimiter=",")
        (tmp_path / f"{subject}_labels.txt").write_text("\n".join(own) + "\n")
    got = read_arrays(tmp_path, participants=participants)
    for subject in SUBJECTS:
        expected = np.abs(np.corrcoef(series_of(subject), rowvar=False))
        read_matrix = got.by_subject[subject].loc[list(PARCELS), list(PARCELS)]
        np.testing.assert_allclose(read_matrix, expected)


def test_repetition_times_of_cifti_series(tmp_path, participants):
    axis = nib.cifti2.ParcelsAxis(
        list(PARCELS),
        [np.array([[i, 0, 0]]) for i in range(len(PARCELS))],
        [{} for _ in PARCELS],
        affine=AFFINE,
        volume_shape=(9, 9, 9),
    )
    for subject, step in zip(SUBJECTS, (0.72, 0.72, 0.72, 1.0), strict=True):
        series = nib.cifti2.SeriesAxis(0, step, 120)
        data = series_of(subject).astype(np.float32)
        name = f"{subject}_task-rest_atlas-X_timeseries.ptseries.nii"
        nib.save(nib.Cifti2Image(data, (series, axis)), tmp_path / name)
    options = {"participants": participants, "spec": DerivativesSpec(min_volumes=60)}
    with pytest.warns(UserWarning, match=r"2 repetition times \(0.72 s: 3 .*; 1 s: 1 \(sub-04\)"):
        got = read_derivatives(tmp_path, **options)
    assert got["repetition_time"].values.tolist() == [0.72, 0.72, 0.72, 1.0]
    sidecar = tmp_path / "sub-04_task-rest_atlas-X_timeseries.json"
    sidecar.write_text('{"RepetitionTime": 0.72}')
    with pytest.warns(UserWarning, match="sub-04: the header states a repetition time of 1 s"):
        got = read_derivatives(tmp_path, **options)
    assert got["repetition_time"].values.tolist() == [0.72] * 4
