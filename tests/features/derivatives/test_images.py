"""BOLD images with confounds and maps with one value per voxel, in labels and spheres."""

from __future__ import annotations

import io
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from features.derivatives.conftest import SUBJECTS, hash_of

from bayes_mdd.errors import DataContractError
from bayes_mdd.features import read_derivatives, read_features
from bayes_mdd.specs import DerivativesSpec

AFFINE = np.diag([4.0, 4, 4, 1])
SHAPE = (6, 4, 4)
#: Labels of the slabs of the image; they have a gap and are not in the order of the table.
SLABS = {"back": 7, "front": 2, "middle": 3}
SPACE = "MNI152NLin2009cAsym"
VOLUMES = 140
SPEC = DerivativesSpec(confounds=("motion", "scrub"), min_volumes=60)
PLAIN = DerivativesSpec(confounds=("motion",), min_volumes=60)


def facts(features):
    return json.loads(features.attrs["provenance"])


def labels() -> np.ndarray:
    data = np.zeros(SHAPE, dtype=np.int16)
    data[:2], data[2:4], data[4:] = SLABS["front"], SLABS["middle"], SLABS["back"]
    return data


def save(path: Path, data: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(data, affine)
    if data.ndim == 4:
        image.header.set_zooms((4, 4, 4, 2))
    nib.save(image, path)
    return path


@pytest.fixture
def atlas(tmp_path) -> Path:
    folder = tmp_path / "atlas"
    path = save(folder / f"tpl-{SPACE}_atlas-S_dseg.nii.gz", labels())
    rows = "".join(f"{v}\t{k}\tN{v}\n" for k, v in SLABS.items())
    (folder / f"tpl-{SPACE}_atlas-S_dseg.tsv").write_text("index\tname\tnetwork\n" + rows)
    return path


def signal(subject: str) -> np.ndarray:
    """(time, front, middle, back)."""
    rng = np.random.default_rng(hash_of(subject))
    return rng.normal(size=(VOLUMES, 3)) + 0.7 * rng.normal(size=(VOLUMES, 1))


def confounds(subject: str, spikes: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(hash_of(subject) + 1)
    columns = {}
    for name in ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z"):
        values = rng.normal(0, 0.1, VOLUMES)
        steps = np.r_[np.nan, np.diff(values)]
        columns |= {
            name: values,
            f"{name}_derivative1": steps,
            f"{name}_power2": values**2,
            f"{name}_derivative1_power2": steps**2,
        }
    fd = np.full(VOLUMES, 0.1)
    fd[0] = np.nan
    fd[20 : 20 + spikes] = 0.9
    columns |= {"framewise_displacement": fd, "std_dvars": np.r_[np.nan, np.ones(VOLUMES - 1)]}
    return pd.DataFrame(columns)


def bold(folder: Path, **spikes: int) -> Path:
    for subject in SUBJECTS:
        head = folder / subject / "func" / f"{subject}_task-rest"
        values, table = signal(subject), confounds(subject, spikes.get(subject[-2:], 0))
        data = np.zeros((*SHAPE, VOLUMES), dtype=np.float32)
        slab = labels()
        for i, name in enumerate(("front", "middle", "back")):
            data[slab == SLABS[name]] = 100 + values[:, i] + 3 * table["trans_x"].to_numpy()
        rng = np.random.default_rng(0)
        data += rng.normal(0, 0.01, data.shape).astype(np.float32)
        save(Path(f"{head}_space-{SPACE}_desc-preproc_bold.nii.gz"), data)
        table.to_csv(f"{head}_desc-confounds_timeseries.tsv", sep="\t", index=False, na_rep="n/a")
        Path(f"{head}_desc-confounds_timeseries.json").write_text("{}")
    return folder


@pytest.fixture
def fmriprep(tmp_path) -> Path:
    return bold(tmp_path / "fmriprep", **{"02": 30})


def bold_of(folder: Path, subject: str = "sub-02") -> Path:
    return next((folder / subject).rglob("*_bold.nii.gz"))


def expected_z(subject: str, a: int, b: int, keep: np.ndarray) -> float:
    """Partial out motion as nilearn does (confounds standardised, with the mean)."""
    design = confounds(subject).filter(regex="trans|rot").fillna(0).to_numpy()[keep]
    design = np.column_stack([np.ones(len(design)), design - design.mean(axis=0)])
    both = signal(subject)[keep][:, [a, b]]
    rest = both - design @ np.linalg.lstsq(design, both, rcond=None)[0]
    return float(np.arctanh(np.corrcoef(rest, rowvar=False)[0, 1]))


def test_bold_to_connectivity(fmriprep, atlas, participants):
    got = read_derivatives(fmriprep, atlas=atlas, participants=participants, spec=SPEC)
    assert got["region"].values.tolist() == ["back", "front", "middle"]
    assert got["block"].values.tolist() == ["N7-N2", "N7-N3", "N2-N3"]
    keep = np.arange(VOLUMES)
    value = float(got["y"].sel(subject="sub-01", feature="back--front"))
    assert value == pytest.approx(expected_z("sub-01", 2, 0, keep), abs=5e-3)
    assert got["volumes_kept"].values.tolist() == [140, 110, 140, 140]
    value = float(got["y"].sel(subject="sub-02", feature="front--middle"))
    keep = np.r_[:20, 50:VOLUMES]
    assert value == pytest.approx(expected_z("sub-02", 0, 1, keep), abs=5e-3)


def test_mean_fd_ignores_the_first_row(fmriprep, atlas, participants):
    got = read_derivatives(fmriprep, atlas=atlas, participants=participants, spec=SPEC)
    assert got["mean_fd"].values[0] == pytest.approx(0.1)
    assert got["mean_fd"].values[1] == pytest.approx((109 * 0.1 + 30 * 0.9) / 139)
    own = participants.assign(mean_fd=[1.0, 2.0, 3.0, 4.0])
    got = read_derivatives(fmriprep, atlas=atlas, participants=own, spec=SPEC)
    assert got["mean_fd"].values.tolist() == [1, 2, 3, 4]


def test_too_few_volumes_after_scrubbing(fmriprep, atlas, participants):
    strict = DerivativesSpec(confounds=("motion", "scrub"), min_volumes=120)
    with pytest.raises(DataContractError, match=r"sub-02: .*110 of 140 volumes remain"):
        read_derivatives(fmriprep, atlas=atlas, participants=participants, spec=strict)


def test_missing_or_mismatched_confounds(fmriprep, atlas, participants):
    path = next((fmriprep / "sub-03").rglob("*confounds*.tsv"))
    text = path.read_text()
    path.write_text("".join(text.splitlines(keepends=True)[:-5]))
    with pytest.raises(DataContractError, match=r"sub-03: .*140 volumes, its confounds 135 rows"):
        read_derivatives(fmriprep, atlas=atlas, participants=participants, spec=PLAIN)
    path.unlink()
    with pytest.raises(DataContractError, match=r"sub-03: .*its confounds cannot be used"):
        read_derivatives(fmriprep, atlas=atlas, participants=participants, spec=PLAIN)
    path.write_text("")
    with pytest.raises(DataContractError, match=r"sub-03"):
        read_derivatives(fmriprep, atlas=atlas, participants=participants, spec=PLAIN)
    path.write_text(text.splitlines(keepends=True)[0])
    with pytest.raises(DataContractError, match=r"sub-03: .*has a header and no rows"):
        read_derivatives(fmriprep, atlas=atlas, participants=participants, spec=PLAIN)
    table = pd.read_csv(io.StringIO(text), sep="\t")
    table.loc[7, "trans_x"] = np.nan
    table.to_csv(path, sep="\t", index=False, na_rep="n/a")
    with pytest.raises(DataContractError, match=r"sub-03: .*no value in trans_x row 8"):
        read_derivatives(fmriprep, atlas=atlas, participants=participants, spec=PLAIN)
    path.write_text("trans_x\ttrans_y\n1e999\t0\n")
    with pytest.raises(DataContractError, match=r"sub-03: .*trans_x row 1 \('1e999'\)"):
        read_derivatives(fmriprep, atlas=atlas, participants=participants, spec=PLAIN)


def test_an_affine_that_differs_by_rounding_is_the_same(fmriprep, atlas, participants):
    got = read_derivatives(fmriprep, atlas=atlas, participants=participants, spec=PLAIN)
    path = bold_of(fmriprep)
    image = nib.load(path)
    affine = image.affine.copy()
    affine[0, 3] += 5e-4
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), affine, image.header), path)
    again = read_derivatives(fmriprep, atlas=atlas, participants=participants, spec=PLAIN)
    np.testing.assert_allclose(again["y"], got["y"])


def test_confounds_of_old_fmriprep_versions(fmriprep, atlas, participants):
    for path in fmriprep.rglob("*confounds_timeseries.tsv"):
        table = pd.read_csv(path, sep="\t").rename(
            columns={"framewise_displacement": "FramewiseDisplacement", "trans_x": "X"}
        )
        path.unlink()
        path = path.with_name(path.name.replace("desc-confounds_timeseries", "bold_confounds"))
        table.to_csv(path, sep="\t", index=False, na_rep="n/a")
    with pytest.raises(DataContractError, match=r"Expected \*_desc-confounds_timeseries.tsv"):
        read_derivatives(fmriprep, atlas=atlas, participants=participants, spec=PLAIN)


def test_an_atlas_on_another_grid(fmriprep, atlas, participants):
    finer = np.repeat(np.repeat(np.repeat(labels(), 2, 0), 2, 1), 2, 2)
    affine = np.diag([2.0, 2, 2, 1])
    affine[:3, 3] = -1
    save(atlas, finer, affine)
    with pytest.raises(DataContractError, match=r"has the grid \(6, 4, 4\), the atlas"):
        read_derivatives(fmriprep, atlas=atlas, participants=participants, spec=PLAIN)
    spec = DerivativesSpec(confounds=("motion",), min_volumes=60, resample=True)
    again = read_derivatives(fmriprep, atlas=atlas, participants=participants, spec=spec)
    save(atlas, labels())
    plain = read_derivatives(fmriprep, atlas=atlas, participants=participants, spec=PLAIN)
    np.testing.assert_allclose(again["y"], plain["y"], atol=1e-6)


def test_an_atlas_in_another_space(fmriprep, atlas, participants):
    other = atlas.with_name("tpl-MNI152NLin6Asym_atlas-S_dseg.nii.gz")
    atlas.rename(other)
    table = atlas.with_name(f"tpl-{SPACE}_atlas-S_dseg.tsv")
    table.rename(other.with_name("tpl-MNI152NLin6Asym_atlas-S_dseg.tsv"))
    with pytest.raises(DataContractError, match=rf"space-{SPACE}, the atlas .* MNI152NLin6Asym"):
        read_derivatives(fmriprep, atlas=other, participants=participants, spec=PLAIN)


def test_a_region_without_signal_is_not_zero(fmriprep, atlas, participants):
    path = bold_of(fmriprep)
    data = nib.load(path).get_fdata().astype(np.float32)
    data[2:4] = 0
    save(path, data)
    with pytest.raises(DataContractError, match=r"'middle' in 1 \(sub-02\)"):
        read_derivatives(fmriprep, atlas=atlas, participants=participants, spec=PLAIN)
    spec = DerivativesSpec(confounds=("motion",), min_volumes=60, missing="drop")
    got = read_derivatives(fmriprep, atlas=atlas, participants=participants, spec=spec)
    # `back` keeps its values although a column before it was left out.
    value = float(got["y"].sel(subject="sub-01", feature="back--front"))
    assert value == pytest.approx(expected_z("sub-01", 2, 0, np.arange(VOLUMES)), abs=5e-3)
    assert facts(got)["regions_left_out"] == {"middle": ["sub-02"]}
    assert facts(got)["coverage_min"] == 0


def test_partial_coverage_follows_min_coverage(fmriprep, atlas, participants):
    mask = np.ones(SHAPE, dtype=np.uint8)
    mask[2:4, :3] = 0
    for subject in SUBJECTS:
        path = bold_of(fmriprep, subject)
        save(path.with_name(path.name.replace("desc-preproc_bold", "desc-brain_mask")), mask)
    with pytest.raises(DataContractError, match=r"'middle' in 4"):
        read_derivatives(fmriprep, atlas=atlas, participants=participants, spec=PLAIN)
    spec = DerivativesSpec(confounds=("motion",), min_volumes=60, min_coverage=0.2)
    got = read_derivatives(fmriprep, atlas=atlas, participants=participants, spec=spec)
    assert got.sizes["region"] == 3


def test_spheres(fmriprep, participants):
    table = pd.DataFrame(
        {"region": ["b", "f", "far"], "network": "N", "x": [18.0, 2, 300], "y": 6.0, "z": 6.0}
    )
    with pytest.raises(DataContractError, match="'far' in 4"):
        read_derivatives(fmriprep, regions=table, participants=participants, spec=PLAIN)
    got = read_derivatives(fmriprep, regions=table[:2], participants=participants, spec=PLAIN)
    expected = expected_z("sub-04", 2, 0, np.arange(VOLUMES))
    assert float(got["y"].sel(subject="sub-04", feature="b--f")) == pytest.approx(
        expected, abs=5e-3
    )


def test_mni_coordinates_need_images_in_mni_space(fmriprep, participants):
    for subject in SUBJECTS:
        path = bold_of(fmriprep, subject)
        path.rename(path.with_name(path.name.replace(SPACE, "T1w")))
    with pytest.raises(DataContractError, match=r"in space-T1w, the coordinates .* are MNI"):
        read_derivatives(fmriprep, atlas="seitzman300", participants=participants, spec=PLAIN)


def test_images_need_an_atlas(fmriprep, participants):
    with pytest.raises(DataContractError, match="need an atlas in which to average"):
        read_derivatives(fmriprep, participants=participants)


def test_a_truncated_image(fmriprep, atlas, participants):
    path = bold_of(fmriprep)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataContractError, match=r"sub-02: .*truncated"):
        read_derivatives(fmriprep, atlas=atlas, participants=participants, spec=PLAIN)


def value_map(subject: str) -> np.ndarray:
    rng = np.random.default_rng(hash_of(subject))
    return (rng.uniform(0.2, 0.8, SHAPE) + labels()).astype(np.float32)


def maps(folder: Path, ending: str = "stat-effect_statmap") -> Path:
    for subject in SUBJECTS:
        save(folder / subject / f"{subject}_space-{SPACE}_{ending}.nii.gz", value_map(subject))
    return folder


def test_contrast_maps_in_labels(tmp_path, atlas, participants):
    got = read_derivatives(maps(tmp_path / "m"), atlas=atlas, participants=participants)
    expected = value_map("sub-03")[labels() == SLABS["middle"]].mean()
    assert float(got["y"].sel(subject="sub-03", feature="middle")) == pytest.approx(
        expected, rel=1e-5
    )
    assert set(got["kind"].values.tolist()) == {"activation"}


def test_nonfinite_and_zero_voxels_are_missing(tmp_path, atlas, participants):
    folder = maps(tmp_path / "m")
    path = next((folder / "sub-03").glob("*.nii.gz"))
    data = value_map("sub-03")
    data[2, :2], data[2, 2:] = np.nan, 0
    save(path, data)
    got = read_derivatives(folder, atlas=atlas, participants=participants)
    expected = data[3].mean()
    assert float(got["y"].sel(subject="sub-03", feature="middle")) == pytest.approx(
        expected, rel=1e-5
    )


def test_effect_and_z_maps_in_one_folder(tmp_path, atlas, participants):
    folder = maps(maps(tmp_path / "m"), "stat-z_statmap")
    with pytest.raises(DataContractError, match=r"differ in stat: effect, z"):
        read_derivatives(folder, atlas=atlas, participants=participants)
    got = read_derivatives(
        folder, atlas=atlas, participants=participants, entities={"stat": "effect"}
    )
    assert got.sizes["feature"] == 3


def test_spm_contrasts_are_selected_by_name(tmp_path, atlas, participants):
    folder = tmp_path / "spm"
    for subject in SUBJECTS:
        save(folder / subject / "con_0001.nii", value_map(subject))
        save(folder / subject / "con_0002.nii", 2 * value_map(subject))
    question = {"kind": "activation", "atlas": atlas, "participants": participants}
    with pytest.raises(DataContractError, match=r"differ in name: con_0001, con_0002.*'name'"):
        read_derivatives(folder, **question)
    got = read_derivatives(folder, entities={"name": "con_0002"}, **question)
    expected = 2 * value_map("sub-03")[labels() == SLABS["back"]].mean()
    assert float(got["y"].sel(subject="sub-03", feature="back")) == pytest.approx(
        expected, rel=1e-5
    )
    with pytest.raises(DataContractError, match=r"found name: con_0001, con_0002"):
        read_derivatives(folder, entities={"name": "con_0003"}, **question)


def test_names_with_a_prefix(tmp_path, atlas, participants):
    for subject in SUBJECTS:
        save(tmp_path / "cat" / "mri" / f"mwp1{subject}.nii", value_map(subject))
    got = read_derivatives(tmp_path / "cat", kind="volume", atlas=atlas, participants=participants)
    assert got["subject"].values.tolist() == list(SUBJECTS)


def test_fa_in_spheres_and_images_of_unknown_kind(tmp_path, participants):
    table = pd.DataFrame({"region": ["b", "f"], "network": "N", "x": [18.0, 2], "y": 6.0, "z": 6.0})
    got = read_derivatives(maps(tmp_path / "a", "FA"), regions=table, participants=participants)
    assert got.attrs["units"] == "fractional anisotropy (0-1)"
    folder = maps(tmp_path / "b", "mwp1")
    with pytest.raises(DataContractError, match="give kind="):
        read_derivatives(folder, regions=table, participants=participants)


def test_volume_is_summed(tmp_path, atlas, participants):
    folder = maps(tmp_path / "m", "mwp1")
    got = read_derivatives(folder, kind="volume", atlas=atlas, participants=participants)
    expected = value_map("sub-01")[labels() == SLABS["back"]].sum() * 64
    assert float(got["y"].sel(subject="sub-01", feature="back")) == pytest.approx(
        expected, rel=1e-5
    )
    assert got.attrs["units"] == "mm3"


def test_the_command_line_gives_the_same(fmriprep, atlas, participants, tmp_path, run_cli):
    table = tmp_path / "participants.tsv"
    participants.to_csv(table, sep="\t", na_rep="n/a")
    out = tmp_path / "cohort"
    words = ["--set", "confounds=[motion, scrub]", "--set", "min_volumes=60"]
    done = run_cli(
        "features", fmriprep, "--atlas", atlas, "--participants", table, "-o", out, *words
    )
    assert done.status == 0, done.err
    got = read_features(out)
    direct = read_derivatives(fmriprep, atlas=atlas, participants=participants, spec=SPEC)
    np.testing.assert_array_equal(got["y"], direct["y"])
    np.testing.assert_allclose(got["mean_fd"], direct["mean_fd"], atol=1e-6)
    text = (out / "participants.tsv").read_text().splitlines()
    assert text[0].split("\t")[-2:] == ["mean_fd", "volumes_kept"]
    words[-1] = "min_volumes=120"
    done = run_cli(
        "features",
        fmriprep,
        "--atlas",
        atlas,
        "--participants",
        table,
        "-o",
        out / "no",
        *words,
    )
    assert done.status == 2
    assert "sub-02" in done.err
    assert not (out / "no").exists()
