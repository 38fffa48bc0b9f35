"""A full disk, a limit or a read-only file system: one error, and what was there is intact."""

import errno
import json
import resource
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import bayes_mdd as bm
from bayes_mdd.errors import RunFolderError, WriteError
from bayes_mdd.files import netcdf, replace
from bayes_mdd.files.netcdf import write_netcdf
from bayes_mdd.files.replace import write_text, write_with


@contextmanager
def file_size_limit(size):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def make_tree(n=400):
    rng = np.random.default_rng(1)
    groups = {
        f"/group{k}": xr.Dataset(
            {f"x{i}": (("row", "column"), rng.normal(size=(n, 4))) for i in range(12)}
            | {"name": ("row", np.array([f"sub-{i}" for i in range(n)]))}
        )
        for k in range(3)
    }
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs={"spec": "{}"}), **groups})


def test_netcdf_is_written_as_xarray_writes_it(tmp_path):
    tree = make_tree()
    write_netcdf(tree, tmp_path / "t.nc")
    with xr.open_datatree(tmp_path / "t.nc", engine="h5netcdf") as stored:
        assert stored.load().identical(tree)
    write_netcdf(tree["group0"].to_dataset(), tmp_path / "d.nc")
    with xr.open_dataset(tmp_path / "d.nc", engine="h5netcdf") as stored:
        assert stored.load().identical(tree["group0"].to_dataset())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d.nc", "t.nc"]


@pytest.mark.parametrize("part", [0, 1e-4, 0.1, 0.37, 0.8, 0.999])
def test_a_disk_that_fills_while_netcdf_is_written_is_one_error(part, tmp_path):
    tree, path = make_tree(), tmp_path / "posterior.nc"
    write_netcdf(tree, path)
    before = path.read_bytes()
    with file_size_limit(int(part * len(before))), pytest.raises(WriteError, match="larger than"):
        write_netcdf(tree, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["posterior.nc"]


def test_hdf5_does_not_end_the_process(tmp_path):
    # As a process of its own: what HDF5 does at its end counts as well.
    program = (
        "import resource, sys, numpy as np, xarray as xr\n"
        "from pathlib import Path\n"
        "from bayes_mdd.errors import WriteError\n"
        "from bayes_mdd.files.netcdf import write_netcdf\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        "data = xr.Dataset({f'x{i}': ('row', np.ones(20_000)) for i in range(8)})\n"
        "try:\n"
        "    write_netcdf(data, Path(sys.argv[1]))\n"
        "except WriteError as error:\n"
        "    print(error)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "x.nc")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Cannot write" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_free_space_is_checked_first(tmp_path, monkeypatch):
    class Usage:
        free = 1000

    monkeypatch.setattr(netcdf.shutil, "disk_usage", lambda _: Usage)
    with pytest.raises(WriteError, match=r"needs about .* MB and the disk has 0\.0 MB free"):
        write_netcdf(make_tree(), tmp_path / "x.nc")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "Input/output"),
    ],
)
def test_a_text_is_replaced_as_a_whole(code, words, tmp_path, monkeypatch):
    path = write_text(tmp_path / "permutations.tsv", "old\n")

    def half(temporary):
        temporary.write_text("ne", encoding="utf-8")
        raise OSError(code, replace.os.strerror(code))

    with pytest.raises(WriteError, match=rf"permutations\.tsv.*{words}"):
        write_with(path, half)
    assert path.read_text(encoding="utf-8") == "old\n"
    assert [p.name for p in tmp_path.iterdir()] == ["permutations.tsv"]


def test_what_is_not_an_error_of_the_system_passes_and_leaves_nothing(tmp_path):
    def fail(temporary):
        temporary.write_text("half", encoding="utf-8")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_with(tmp_path / "maps.nii.gz", fail)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def fitted():
    data = bm.simulate_cohort(seed=1, n_controls=0, n_regions=10, source="edges")
    spec = bm.SharedSpecificSpec(n_factors=1)
    return spec, data.features, bm.fit(spec, data.features, method="fast", progressbar=False)


def test_a_fit_that_cannot_be_written_is_kept_elsewhere(fitted, tmp_path, monkeypatch):
    spec, features, idata = fitted
    from bayes_mdd.workflow import fit as module

    elsewhere = tmp_path / "tmp"
    elsewhere.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(elsewhere))
    run = bm.save_run(idata, tmp_path / "runs" / "r")
    before = (run / "posterior.nc").read_bytes()
    real = netcdf.write_netcdf

    def full(data, path):
        if tmp_path / "runs" in path.parents:
            raise replace.write_error(path, OSError(errno.ENOSPC, "No space left on device"))
        return real(data, path)

    monkeypatch.setattr("bayes_mdd.sampling.run_folder.write_netcdf", full)
    assert module.fit is bm.fit
    with pytest.raises(WriteError, match="disk is full") as caught:
        bm.fit(spec, features, method="fast", run_dir=run, force=True, progressbar=False)
    assert (run / "posterior.nc").read_bytes() == before, "the earlier run is intact"
    (kept,) = elsewhere.glob("bayes-mdd-run-*/run")
    assert str(kept) in str(caught.value)
    assert kept.parent.stat().st_mode & 0o077 == 0, "others cannot read the data of participants"
    assert bm.read_run(kept).attrs["model"] == "shared_specific"
    moved = bm.save_run(caught.value.result, tmp_path / "later")
    assert bm.read_run(moved)["posterior"].sizes == caught.value.result["posterior"].sizes
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == ["r"]


def test_the_target_is_tested_before_features_are(tmp_path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    for force in (False, True):
        with pytest.raises(RunFolderError, match=r"notes\.txt"):
            bm.fit(bm.SharedSpecificSpec(), xr.Dataset(), run_dir=tmp_path, force=force)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_save_run_writes_what_fit_writes(fitted, tmp_path):
    spec, features, idata = fitted
    saved = bm.save_run(idata, tmp_path / "saved")
    run = tmp_path / "run"
    bm.fit(spec, features, method="fast", run_dir=run, progressbar=False)
    assert {p.name for p in saved.iterdir()} == {p.name for p in run.iterdir()}
    for name in ("spec.yaml",):
        assert (saved / name).read_text() == (run / name).read_text()
    there = json.loads((saved / "provenance.json").read_text())
    assert there["fingerprint"] == json.loads((run / "provenance.json").read_text())["fingerprint"]
    with pytest.raises(RunFolderError, match="already holds a run"):
        bm.save_run(idata, saved)
    assert bm.save_run(idata, saved, force=True) == saved
    with pytest.raises(bm.DataContractError, match="not what `fit` returned"):
        bm.save_run(idata["posterior"], tmp_path / "part")


def test_a_signature_export_replaces_own_files_only(fitted, tmp_path):
    maps = bm.signatures(fitted[2])
    (tmp_path / "signatures.tsv").write_text("mine", encoding="utf-8")
    with pytest.raises(RunFolderError, match=r"signatures\.tsv, which bayes-mdd did not write"):
        bm.export_signatures(maps, tmp_path, formats=["tsv"], overwrite=True)
    assert (tmp_path / "signatures.tsv").read_text(encoding="utf-8") == "mine"
    for _ in range(2):
        bm.export_signatures(maps, tmp_path / "maps", formats=["tsv"], overwrite=True)
    assert not list(Path(tmp_path / "maps").glob(".part-*"))
