"""What is written is read back, damage is noticed, and arbitrary text is refused by own errors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.io import savemat

from bayes_mdd.errors import BayesMDDError, UnreadableFileError
from bayes_mdd.files.arrays import read_npy, read_npz
from bayes_mdd.files.mat import read_mat
from bayes_mdd.files.netcdf import read_netcdf, write_netcdf
from bayes_mdd.files.own_tables import read_own_table
from bayes_mdd.files.repeats import find_repeats
from bayes_mdd.files.replace import write_text
from bayes_mdd.files.seal import check_seal, seal
from bayes_mdd.files.structured import parse_json, parse_yaml
from bayes_mdd.files.text import read_text
from bayes_mdd.response.store import to_tsv

#: Characters that a text file can hold.
CHARACTERS = st.characters(exclude_characters="\x00", exclude_categories=["Cs"])
WORDS = st.text(CHARACTERS, min_size=1, max_size=12)
NUMBERS = st.one_of(hnp.floating_dtypes(), hnp.integer_dtypes(), hnp.boolean_dtypes())
ARRAYS = hnp.arrays(NUMBERS, hnp.array_shapes(min_dims=0, max_side=4))


@given(content=st.binary(max_size=300), at=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_seal_notices_every_changed_bit(tmp_path, content, at, bit):
    path = tmp_path / "part-0.pkl"
    path.write_bytes(content)
    seal(path)
    check_seal(path, required=True)
    raw = bytearray(path.read_bytes())
    assert raw.startswith(content)
    raw[at % len(raw)] ^= 1 << bit
    path.write_bytes(raw)
    with pytest.raises(UnreadableFileError):
        check_seal(path, required=True)


@given(content=st.binary(max_size=100), end=st.integers(0, 60))
def test_a_file_without_a_whole_seal_is_read_only_where_none_is_required(tmp_path, content, end):
    path = tmp_path / "x.nc"
    path.write_bytes(content)
    check_seal(path)
    seal(path)
    path.write_bytes(path.read_bytes()[: len(content) + end])
    check_seal(path)
    with pytest.raises(UnreadableFileError, match="no checksum"):
        check_seal(path, required=True)


@given(values=st.lists(st.integers(0, 5)))
def test_repeats_are_those_that_counting_finds(values):
    assert find_repeats(values) == list(dict.fromkeys(v for v in values if values.count(v) > 1))


@given(text=st.text(CHARACTERS, min_size=1).filter(lambda t: t.isprintable()))
def test_text_survives(tmp_path, text):
    path = write_text(tmp_path / "notes.txt", text)
    assert read_text(path) == text.removeprefix("\ufeff")


@given(array=ARRAYS, other=ARRAYS)
def test_arrays_survive(tmp_path, array, other):
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "a.npz", one=array, two=other)
    back = [read_npy(tmp_path / "a.npy"), *read_npz(tmp_path / "a.npz").values()]
    for found, given_ in zip(back, (array, array, other), strict=True):
        assert found.dtype == given_.dtype
        np.testing.assert_array_equal(found, given_)


@given(array=hnp.arrays(st.sampled_from(["f8", "f4", "i4", "u1", "c16", "bool"]),
       hnp.array_shapes(min_dims=2, max_side=4)), packed=st.booleans(),
       old=st.booleans())  # fmt: skip
def test_matlab_arrays_survive(tmp_path, array, packed, old):
    old &= array.ndim == 2 and array.dtype.kind != "b"
    form = {"format": "4"} if old else {"do_compression": packed}
    savemat(tmp_path / "a.mat", {"x": array, "y": array}, **form)
    np.testing.assert_array_equal(read_mat(tmp_path / "a.mat")["y"], array)


@settings(max_examples=4)
@given(names=st.lists(WORDS, min_size=1, max_size=4, unique=True), note=st.text(CHARACTERS))
def test_netcdf_survives(tmp_path, names, note):
    values = np.arange(len(names), dtype=float)
    values[0] = np.nan
    data = xr.Dataset({"x": ("subject", values)}, {"subject": names}, {"note": note})
    tree = xr.DataTree.from_dict({"posterior": data})
    found = read_netcdf(write_netcdf(tree, tmp_path / "x.nc"), "a run")
    assert found["posterior"]["subject"].values.tolist() == names
    np.testing.assert_array_equal(found["posterior/x"], values)
    assert found["posterior"].attrs["note"] == note


@given(
    words=st.lists(st.text(CHARACTERS.filter(lambda c: c not in "\r"), max_size=8), min_size=1),
    data=st.data(),
)
def test_own_tables_keep_odd_text_and_missing_values(tmp_path, words, data):
    words = [f"x{w}" for w in words]
    numbers = data.draw(
        st.lists(
            st.none() | st.integers(-999, 999), min_size=len(words), max_size=len(words)
        ).filter(lambda v: any(n is not None for n in v))
    )
    table = pd.DataFrame({"word": words, "number": pd.Series(numbers, dtype=float)})
    path = write_text(tmp_path / "t.tsv", to_tsv(table))
    found = read_own_table(path, ["word"], ["number"], again="x")
    assert found["word"].tolist() == words
    np.testing.assert_array_equal(found["number"], table["number"])


@given(text=st.text(st.sampled_from("{}[]:,&*!|>'\"-?#%@`~ \n\tab01.eEnx_")) | st.text())
def test_any_text_is_parsed_or_refused(text):
    for parse in (parse_yaml, parse_json):
        try:
            parse(text, "x")
        except BayesMDDError as error:
            assert str(error).startswith("x ")
