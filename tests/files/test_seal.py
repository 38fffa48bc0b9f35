"""Files of the package notice later changes, and damaged tables of its folders are named."""

from __future__ import annotations

import time

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.io import savemat

import bayes_mdd as bm
from bayes_mdd.errors import RunFolderError, UnreadableFileError
from bayes_mdd.features.derivatives.text_tables import read_cells
from bayes_mdd.files.mat import read_mat, read_mat_names
from bayes_mdd.files.netcdf import read_netcdf, write_netcdf
from bayes_mdd.files.own_tables import MAX_COLUMNS, read_own_table
from bayes_mdd.files.repeats import find_repeats
from bayes_mdd.files.seal import check_seal
from bayes_mdd.files.text import read_text
from bayes_mdd.parallel.keep import call_once
from bayes_mdd.response.stored_tables import read_stored_tables
from bayes_mdd.results.region_surface import load_mesh
from bayes_mdd.results.stored_analyses import read_analyses
from bayes_mdd.results.stored_checks import read_checks
from bayes_mdd.sampling.unfinished import FolderChains

TREE = xr.DataTree.from_dict({"posterior": xr.Dataset({"x": ("draw", np.arange(50.0))})})


def flip(path, part=b"\x40\x45"):
    """Change one bit of a value: 42 is 0x4045... as a double."""
    raw = bytearray(path.read_bytes())
    at = raw.index(part[::-1])
    raw[at] ^= 8
    path.write_bytes(raw)


@pytest.fixture
def stored(tmp_path):
    return write_netcdf(TREE, tmp_path / "posterior.nc")


def test_one_changed_bit_of_a_run_is_noticed(stored):
    assert read_netcdf(stored, "a run").identical(TREE)
    flip(stored)
    # HDF5 itself reads the changed value.
    assert not xr.load_dataset(stored, group="posterior")["x"].equals(TREE["posterior/x"])
    with pytest.raises(UnreadableFileError, match=r"posterior.nc has changed since it was written"):
        read_netcdf(stored, "a run")
    with pytest.raises(RunFolderError, match="has changed since it was written"):
        bm.read_run(stored.parent)


def test_files_that_another_program_changed_or_wrote_are_read(stored, tmp_path):
    with h5py.File(stored, "r+") as file:
        file["posterior/x"][0] = 7
    assert read_netcdf(stored, "a run")["posterior/x"].values[0] == 7
    TREE.to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    assert read_netcdf(tmp_path / "other.nc", "a run").identical(TREE)


def test_kept_results_that_changed_are_computed_again(tmp_path):
    path, calls = tmp_path / "part-0.pkl", []

    def compute(n):
        calls.append(n)
        return np.arange(n)

    for _ in range(2):
        np.testing.assert_array_equal(call_once(compute, path, 50.0), np.arange(50.0))
    assert calls == [50.0]
    flip(path)
    np.testing.assert_array_equal(call_once(compute, path, 50.0), np.arange(50.0))
    assert len(calls) == 2
    check_seal(path, required=True)


def test_kept_chains_that_changed_are_not_there(tmp_path):
    chains = FolderChains(tmp_path)
    chains.write(0, TREE)
    assert chains.read(0).identical(TREE)
    flip(tmp_path / "part-0.nc")
    assert chains.read(0) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("p_star\tgain\tse\n1\t2\t3\n", "lacks the column"),
        ("p_star\tgain\tse\tdecided\n1\tx\t3\t4\n", "holds text in the column"),
        ('p_star\tgain\n1\t"2\n', "cannot be read"),
        ("\t" * (MAX_COLUMNS + 1), "columns: is it the right file"),
    ],
)
def test_damaged_tables_of_a_second_stage_are_named(tmp_path, text, message):
    (tmp_path / "curve.tsv").write_text(text)
    with pytest.raises(RunFolderError, match=message) as error:
        read_stored_tables(tmp_path)
    assert "curve.tsv" in str(error.value)
    assert "Run `bayes-mdd response` again" in str(error.value)


def test_tables_of_a_second_stage_are_read(tmp_path):
    (tmp_path / "curve.tsv").write_text("p_star\tgain\tse\tdecided\n0.5\tn/a\t0.1\t0.6\n")
    text = "method\tview\tleaky\tauc\tauc_lower\nridge\t\tTrue\t0.6\t0.5\n"
    assert list(read_stored_tables(tmp_path)) == ["curve"]
    (tmp_path / "baselines.tsv").write_text(text)
    with pytest.raises(RunFolderError, match="auc_upper"):
        read_stored_tables(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"checks": 1}', '{"checks": [1]}', '{"checks": [{"name": "a"}]}',
             '{"checks": [{"name": "a", "value": "x", "threshold": "", "passed": true, '
             '"advice": ""}]}']
)  # fmt: skip
def test_damaged_checks_are_as_none(tmp_path, text):
    (tmp_path / "checks.json").write_text(text)
    assert read_checks(tmp_path) is None


def test_wide_and_long_files_take_no_time(tmp_path):
    start = time.process_time()
    wide = tmp_path / "predictive_checks.tsv"
    wide.write_text("1\t" * 300_000 + "\n")
    assert read_analyses(tmp_path) == {}
    (tmp_path / "empty.tsv").write_text("a" + "\t" * 100_000 + "\nb\n")
    assert read_cells(tmp_path / "empty.tsv").rows == (("a",), ("b",))
    assert len(find_repeats([*range(100_000), *range(100_000)])) == 100_000
    with (tmp_path / "sparse.txt").open("wb") as stream:
        stream.truncate(2**31)
    with pytest.raises(UnreadableFileError, match="null bytes"):
        read_text(tmp_path / "sparse.txt", limit=2**32)
    assert time.process_time() - start < 60


def test_matlab_4_is_followed_to_its_end(tmp_path):
    path = tmp_path / "m.mat"
    arrays = {"a": np.eye(3), "b": np.array(["abc"]), "c": np.eye(2) + 1j}
    savemat(path, arrays, format="4")
    assert set(read_mat(path)) == set(read_mat_names(path)) == set(arrays)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(UnreadableFileError, match="not complete"):
        read_mat(path)
    with path.open("wb") as stream:
        stream.truncate(2**33)
    with pytest.raises(UnreadableFileError, match="no variable of version 4"):
        read_mat(path)


def test_own_tables_keep_missing_values(tmp_path):
    (tmp_path / "t.tsv").write_text("a\tb\nx\tn/a\ny\t2\n")
    found = read_own_table(tmp_path / "t.tsv", ["a"], ["b"], again="x")
    pd.testing.assert_frame_equal(found, pd.DataFrame({"a": ["x", "y"], "b": [np.nan, 2.0]}))


def test_a_surface_that_is_a_pipe_or_has_no_points_is_refused(tmp_path):
    import os

    os.mkfifo(tmp_path / "l.surf.gii")
    with pytest.raises(UnreadableFileError, match="named pipe"):
        load_mesh(dict.fromkeys(("left", "right"), tmp_path / "l.surf.gii"))


def test_dimensions_that_no_surface_has_are_refused(tmp_path):
    """nibabel counts up to them."""
    import nibabel as nib

    points = nib.gifti.GiftiDataArray(np.eye(3, dtype=np.float32), "NIFTI_INTENT_POINTSET")
    faces = nib.gifti.GiftiDataArray(np.array([[0, 1, 2]], np.int32), "NIFTI_INTENT_TRIANGLE")
    nib.save(nib.GiftiImage(darrays=[points, faces]), tmp_path / "l.surf.gii")
    both = dict.fromkeys(("left", "right"), tmp_path / "l.surf.gii")
    assert len(load_mesh(both).parts["left"].faces)
    text = (tmp_path / "l.surf.gii").read_text()
    changed = text.replace('Dimensionality="2"', 'Dimensionality="2147483648"')
    assert changed != text
    (tmp_path / "l.surf.gii").write_text(changed)
    with pytest.raises(UnreadableFileError, match="arrays of 2147483648 dimensions"):
        load_mesh(both)


def test_a_changed_bit_of_a_compressed_image_is_noticed(tmp_path):
    import gzip

    import nibabel as nib

    from bayes_mdd.files.images import load_image_data

    image = nib.Nifti1Image(np.arange(64, dtype=np.float32).reshape(4, 4, 4), np.eye(4))
    # Stored without compression, so that the changed bit is one of a voxel.
    raw = bytearray(gzip.compress(image.to_bytes(), compresslevel=0))
    path = tmp_path / "x.nii.gz"
    path.write_bytes(raw)
    assert load_image_data(path)[1][3, 3, 3] == 63
    raw[-40] ^= 4
    path.write_bytes(raw)
    with pytest.raises(UnreadableFileError, match=r"x.nii.gz is truncated or not a gzip file"):
        load_image_data(path)
