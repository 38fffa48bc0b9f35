"""Binary files: declared sizes are held against the file, and good files give the same values."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import zipfile
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import scipy.io
import scipy.sparse

from bayes_mdd.files import sizes
from bayes_mdd.files.arrays import read_npy, read_npz
from bayes_mdd.files.images import load_image, load_image_data
from bayes_mdd.files.mat import read_mat, read_mat_names

pytestmark = pytest.mark.timeout(60)
RNG = np.random.default_rng(1)
ARRAYS = {
    "numbers": RNG.normal(size=(3, 4)),
    "fortran": np.asfortranarray(RNG.normal(size=(3, 4))),
    "big endian": np.arange(6, dtype=">i2").reshape(2, 3),
    "text": np.array(["LH_Vis", "ä"]),
    "flags": np.array([True, False]),
    "scalar": np.array(3.0),
    "empty": np.zeros((0, 4)),
    "record": np.zeros(2, dtype=[("a", "f8"), ("b", "U3")]),
}


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_are_read_as_numpy_reads_them(name, tmp_path):
    (tmp_path / "a.npy").write_bytes(npy(ARRAYS[name]))
    np.savez(tmp_path / "plain.npz", **{name: ARRAYS[name]})
    np.savez_compressed(tmp_path / "packed.npz", **{name: ARRAYS[name]})
    found = [read_npy(tmp_path / "a.npy")]
    found += [read_npz(tmp_path / f"{form}.npz")[name] for form in ("plain", "packed")]
    for array in found:
        np.testing.assert_array_equal(array, ARRAYS[name])
        assert array.dtype == ARRAYS[name].dtype
        assert array.flags.writeable


def header(shape: str, descr: str = "'<f8'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


NPY = {
    "declares terabytes": (header("(1000000, 1000000)") + b"0" * 800, "truncated"),
    "declares less": (header("(2,)") + b"0" * 800, "more than one array"),
    "two arrays": (npy(np.eye(2)) * 2, "more than one array"),
    "negative": (header("(-1, 8)") + b"0" * 64, "cannot be read"),
    "overflowing": (header("(2**64, 2**64)") + b"0" * 64, "cannot be read"),
    "objects": (header("(1,)", "'|O'") + pickle.dumps([1]), "contains objects"),
    "not Unicode": (header("(1,)", "'<U1'") + b"\xff" * 4, "not Unicode"),
    "open bracket": (header("(2, ") + b"0" * 16, "cannot be read"),
    "nested": (header("(" * 300) + b"0" * 16, "cannot be read"),
    "later version": (npy(np.eye(2)).replace(b"\x01\x00", b"\x09\x00", 1), "version"),
}


@pytest.mark.parametrize("case", NPY)
def test_damaged_arrays_are_refused(case, tmp_path, refused):
    content, word = NPY[case]
    (tmp_path / "a.npy").write_bytes(content)
    message = refused(read_npy, tmp_path / "a.npy")
    assert word in message
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", content)
    assert word in refused(read_npz, tmp_path / "a.npz")


def test_archives_name_what_is_wrong_and_read_only_what_is_asked(tmp_path, refused, monkeypatch):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("good.npy", npy(np.eye(2)))
        archive.writestr("bad.npy", b"no array")
    assert list(read_npz(path, ["good"])) == ["good"]
    assert "bad" in refused(read_npz, path)
    assert "lacks other: expected the arrays good, other; found good, bad" in refused(
        read_npz, path, ["good", "other"]
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.npy", npy(np.eye(2)))
    assert "another method" in refused(read_npz, path)
    monkeypatch.setattr(sizes, "FREE_BYTES", 10_000)
    np.savez_compressed(path, a=np.zeros(100_000))
    assert "expands to" in refused(read_npz, path)


CELL = np.array([["x", 1.0], [np.arange(3), ""]], dtype=object)
VARIABLES = {
    "numbers": RNG.normal(size=(3, 4)),
    "whole": np.arange(6, dtype=np.int16).reshape(2, 3),
    "complex": RNG.normal(size=(2, 2)) + 1j,
    "text": "hello ä\u2192",
    "lines": np.array(["ab", "cde"]),
    "cell": CELL,
    "structure": {"a": 1, "b": {"c": "deep", "d": CELL}},
    "sparse": scipy.sparse.random(5, 6, 0.4, format="csc", rng=1),
    "flags": np.array([True, False]),
    "empty": np.zeros((0, 3)),
    "stack": RNG.normal(size=(3, 3, 4)),
    "single": np.float32(3),
}


def assert_same(found, expected) -> None:
    if scipy.sparse.issparse(expected):
        expected = expected.toarray()
    found, expected = np.asarray(found), np.asarray(expected)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    if expected.dtype.names:
        for name in expected.dtype.names:
            assert_same(found[name], expected[name])
    elif expected.dtype == object:
        for one, other in zip(found.ravel(), expected.ravel(), strict=True):
            assert_same(one, other)
    else:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("packed", [False, True])
def test_matlab_files_are_read_as_scipy_reads_them(packed, tmp_path):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, VARIABLES, do_compression=packed)
    found, expected = read_mat(path), scipy.io.loadmat(path, spmatrix=False)
    assert read_mat_names(path) == tuple(found) == tuple(VARIABLES)
    for name in VARIABLES:
        assert_same(found[name], expected[name])
    assert list(read_mat(path, {"text"})) == ["text"]


def test_files_of_matlab_itself_are_read_as_scipy_reads_them():
    folder = Path(scipy.io.matlab.__file__).parent / "tests" / "data"
    files = [
        p
        for p in sorted(folder.glob("test*_[67].*.mat"))
        if "object" not in p.name and "hdf5" not in p.name and "7.4" not in p.name
    ]
    if not files:
        pytest.skip("SciPy was installed without its test files")
    for path in files:
        expected = {
            k: v for k, v in scipy.io.loadmat(path, spmatrix=False).items() if k[:2] != "__"
        }
        found = read_mat(path)
        # Functions are no data.
        assert set(found) == set() if "func" in path.name else set(expected)
        for name in found:
            if getattr(expected[name], "dtype", np.dtype("f8")).isnative:
                assert np.shape(found[name]) == expected[name].shape


def test_version_4_is_read_and_version_7_3_is_named(tmp_path, refused):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"a": np.eye(3), "s": scipy.sparse.eye(3)}, format="4")
    np.testing.assert_array_equal(read_mat(path)["a"], np.eye(3))
    np.testing.assert_array_equal(read_mat(path)["s"], np.eye(3))
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF\r\n\x1a\n")
    assert "-v7" in refused(read_mat, path)
    assert "-v7" in refused(read_mat_names, path)


def test_dimensions_that_end_the_process_in_scipy_are_refused(tmp_path, refused):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"a": np.eye(2), "cell": CELL})
    good = path.read_bytes()
    at = good.index(struct.pack("<IIII", 5, 8, 2, 2))
    # A short element of 34 bytes: SciPy copies it over the end of its buffer.
    path.write_bytes(good[:at] + struct.pack("<I", 34 << 16 | 5) + good[at + 4 :])
    assert "short element" in refused(read_mat, path)
    # One variable is damaged, the others of the file are not given as if they were all.
    for shape in ((2, 3), (2**31 - 1, 2**31 - 1), (-1, 2)):
        path.write_bytes(good[: at + 8] + struct.pack("<ii", *shape) + good[at + 16 :])
        assert "dimensions" in refused(read_mat, path)


def test_a_matlab_file_that_expands_without_end_is_refused(tmp_path, refused, monkeypatch):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"a": np.zeros((1000, 1000))}, do_compression=True)
    assert read_mat(path)["a"].shape == (1000, 1000)
    monkeypatch.setattr(sizes, "FREE_BYTES", 100_000)
    assert "expands to" in refused(read_mat, path) or "truncated" in refused(read_mat, path)
    inner = struct.pack("<II", 14, 0) * 100
    packed = zlib.compress(inner)
    head = path.read_bytes()[:128]
    path.write_bytes(head + struct.pack("<II", 15, len(packed)) + packed)
    assert read_mat(path) == {}


@pytest.mark.parametrize("cut", [1, 7, 60, 130, 140, 180])
@pytest.mark.parametrize("packed", [False, True])
def test_truncated_matlab_files_are_refused(cut, packed, tmp_path, refused):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"a": RNG.normal(size=(9, 9)), "b": "x"}, do_compression=packed)
    path.write_bytes(path.read_bytes()[: cut if cut > 100 else -cut])
    assert "a.mat" in refused(read_mat, path)


def image(values: np.ndarray) -> bytes:
    made = nib.Nifti1Image(values, np.diag([3.0, 3, 3, 1]))
    made.header.set_xyzt_units("mm", "sec")
    return made.to_bytes()


IMAGE = image(np.arange(60, dtype=np.int16).reshape(3, 4, 5))
NIFTI = {
    "truncated": (IMAGE[:-9], "truncated"),
    "no header": (IMAGE[9:], "no NIfTI header"),
    "no dimension": (IMAGE[:42] + b"\0\0" + IMAGE[44:], "dimensions"),
    "negative": (IMAGE[:42] + b"\xff\xff" + IMAGE[44:], "dimensions"),
    "huge": (IMAGE[:42] + b"\xff\x7f" * 3 + IMAGE[48:], "declares"),
    "nine axes": (IMAGE[:40] + b"\x09\0" + IMAGE[42:], "dimensions"),
    "unknown type": (IMAGE[:70] + b"\xee\x0e" + IMAGE[72:], "cannot be read"),
    "data far away": (IMAGE[:108] + struct.pack("<f", 1e30) + IMAGE[112:], "byte"),
    "data nowhere": (IMAGE[:108] + struct.pack("<f", np.nan) + IMAGE[112:], "byte"),
    "no place": (IMAGE[:280] + struct.pack("<4f", *[np.nan] * 4) + IMAGE[296:], "place in space"),
}


@pytest.mark.parametrize("case", NIFTI)
def test_damaged_images_are_refused(case, tmp_path, refused):
    content, word = NIFTI[case]
    (tmp_path / "a.nii").write_bytes(content)
    message = refused(load_image_data, tmp_path / "a.nii")
    assert word in message
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(content))
    refused(load_image_data, tmp_path / "a.nii.gz")


def test_good_images_are_read(tmp_path, refused, monkeypatch):
    (tmp_path / "a.nii").write_bytes(IMAGE)
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(IMAGE))
    (tmp_path / "B.NII.GZ").write_bytes(gzip.compress(IMAGE))
    for name in ("a.nii", "a.nii.gz", "B.NII.GZ"):
        assert load_image_data(tmp_path / name)[1].sum() == 1770
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(image(np.zeros((50, 50, 50)))))
    assert load_image(tmp_path / "a.nii.gz").shape == (50, 50, 50)
    monkeypatch.setattr(sizes, "FREE_BYTES", 100_000)
    assert "expands to" in refused(load_image, tmp_path / "a.nii.gz")


@pytest.mark.parametrize("made", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("order", "<>")
def test_extensions_that_are_larger_than_the_file_are_refused(made, order, tmp_path, refused):
    """nibabel would take as much memory as they declare."""
    header_ = made.header_class(endianness=order)
    header_.set_data_dtype(np.int16)
    header_.extensions.append(nib.nifti1.Nifti1Extension("comment", b"a note " * 9))
    content = made(np.ones((3, 4, 5), np.int16), np.eye(4), header_).to_bytes()
    (tmp_path / "a.nii").write_bytes(content)
    assert load_image_data(tmp_path / "a.nii")[1].sum() == 60
    at = header_.sizeof_hdr + 4
    assert struct.unpack(f"{order}i", content[at : at + 4])[0] == 80
    for size in (2**31 - 1, -16, 0):
        damaged = content[:at] + struct.pack(f"{order}i", size) + content[at + 4 :]
        (tmp_path / "a.nii").write_bytes(damaged)
        (tmp_path / "b.nii.gz").write_bytes(gzip.compress(damaged))
        for name in ("a.nii", "b.nii.gz"):
            assert "an extension of its header" in refused(load_image, tmp_path / name)


def test_an_entity_bomb_in_cifti_is_refused(tmp_path, refused):
    entities = '<!ENTITY a0 "lol">' + "".join(
        f'<!ENTITY a{i + 1} "{f"&a{i};" * 10}">' for i in range(12)
    )
    text = f'<?xml version="1.0"?><!DOCTYPE CIFTI [{entities}]><CIFTI>&a12;</CIFTI>'.encode()
    header_ = nib.Nifti2Header()
    header_.set_data_shape((1, 1, 1, 1, 2, 2))
    header_.set_data_dtype(np.float32)
    header_["intent_code"] = 3006
    header_.extensions.append(nib.nifti1.Nifti1Extension("cifti", text))
    made = nib.Nifti2Image(np.zeros((1, 1, 1, 1, 2, 2), np.float32), None, header_)
    (tmp_path / "a.pconn.nii").write_bytes(made.to_bytes())
    assert "a.pconn.nii" in refused(load_image_data, tmp_path / "a.pconn.nii", what="CIFTI")
