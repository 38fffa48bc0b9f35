"""Nothing that is meant to be shared holds a participant, and the search finds them everywhere."""

from __future__ import annotations

import base64
import bz2
import gzip
import json
import lzma
import zipfile
import zlib

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from fakes import make_fake_idata
from matplotlib.figure import Figure

import bayes_mdd as bm
from bayes_mdd.results.export import export_signatures
from bayes_mdd.results.privacy import list_participants, withhold, withhold_notes
from bayes_mdd.results.privacy_check import check_privacy, search_files
from bayes_mdd.results.private import Private, collect_private
from bayes_mdd.results.result import read_result

AGES = np.array([23.0, 31, 44, 52, 28, 60, 37, 41, 19, 33, 47, 55, 26, 39, 50, 61, 22, 35, 48, 57])


@pytest.fixture
def idata() -> xr.DataTree:
    """A fit whose participants have ages, whose provenance names people and folders."""
    tree = make_fake_idata(coordinates=False)
    n = tree["posterior"].sizes["subject"]
    ages = np.resize(AGES, n) + np.arange(n) / 10
    constant = tree["constant_data"].to_dataset().assign_coords(age=("subject", ages))
    tree["constant_data"] = xr.DataTree(constant)
    notes = json.loads(tree.attrs["provenance"])
    notes["command"] = "bayes-mdd fit shared_specific /srv/someone/trial -o /srv/someone/run"
    tree.attrs["provenance"] = json.dumps(notes)
    features = json.loads(tree.attrs["features_provenance"])
    features |= {
        "without_features": ["sub-gone1", "sub-gone2"],
        "notes": ["sub-gone3 has no image"],
        "table": "/srv/someone/trial/edges.tsv",
    }
    tree.attrs["features_provenance"] = json.dumps(features)
    return tree


def write_shared(idata: xr.DataTree, folder, checks, **options) -> None:
    bm.write_report(idata, folder / "report.html", checks=checks, **options)
    export_signatures(
        bm.signatures(idata, **options), folder / "signatures", formats=["tsv", "netcdf", "matrix"]
    )


def test_shared_files_name_nobody_unless_asked(idata, tmp_path):
    checks = pd.DataFrame(
        {
            "name": ["outliers"],
            "value": [2.0],
            "threshold": ["0"],
            "passed": pd.Series([False], dtype=object),
            "advice": ["values of sub-003 (9 SD), sub-hc01 and 3 more. Read /srv/someone/x.tsv."],
        }
    )
    bm.write_report(idata, tmp_path / "report.html", checks=checks)
    text = (tmp_path / "report.html").read_text()
    assert "values of one participant (9 SD), 4 participants. Read x.tsv." in text
    assert "/srv/someone" not in text and "sub-gone" not in text
    found, check = check_privacy(tmp_path, read_result(idata))
    assert found.empty and check.passed
    export_signatures(bm.signatures(idata), tmp_path / "signatures", formats=["tsv", "netcdf"])
    assert check_privacy(tmp_path, read_result(idata))[1].passed
    named = tmp_path / "named"
    named.mkdir()
    write_shared(idata, named, checks, with_participants=True)
    assert "sub-hc01" in (named / "report.html").read_text()
    found, check = check_privacy(named, read_result(idata))
    assert not check.passed and "report.html" in check.advice
    assert set(found["file"]) == {"report.html", "signatures/signatures.nc"}
    assert not found["found"].str.contains("sub-").any()  # the table itself names nobody


def hide(kind: str, text: str) -> bytes:
    raw = text.encode()
    return {
        "plain": raw,
        "html": f"<p>{text.replace('-', '&#45;')}</p>".encode(),
        "utf16": text.encode("utf-16"),
        "gzip": gzip.compress(raw),
        "zlib": zlib.compress(raw),
        "bz2": bz2.compress(raw),
        "xz": lzma.compress(raw),
        "base64": b'<img src="data:text/plain;base64,' + base64.b64encode(raw) + b'">',
        "base64 of gzip": b'{"x": "' + base64.b64encode(gzip.compress(raw)) + b'"}',
        "urlsafe": base64.urlsafe_b64encode(raw),
        "hex": raw.hex().encode(),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        *("plain", "html", "utf16", "gzip", "zlib", "bz2", "xz", "base64", "base64 of gzip"),
        *("urlsafe", "hex"),
    ],
)
def test_ids_are_found_in_every_encoding(idata, tmp_path, kind):
    text = "excluded after visual inspection of the images: SUB-004, quality too low"
    path = tmp_path / "report.html"
    path.write_bytes(hide(kind, text))
    found, check = check_privacy(tmp_path, read_result(idata))
    assert found["found"].tolist() == ["ids of 1 participant"] and not check.passed
    path.write_bytes(hide(kind, text.replace("SUB-004", "region-004 of subnet 0045")))
    assert check_privacy(tmp_path, read_result(idata))[1].passed


def test_ids_are_found_in_archives_pictures_and_netcdf(idata, tmp_path):
    maps = tmp_path / "signatures"
    maps.mkdir()
    with zipfile.ZipFile(maps / "a.npz", "w") as archive:
        archive.writestr("x.txt", "sub-005")
    figure = Figure()
    figure.savefig(maps / "b.png", metadata={"Comment": "scan of sub-006"})
    with_text = xr.Dataset({"m": ("feature", [1.0])}, attrs={"n": '{"who": ["sub-007"]}'})
    with_text.to_netcdf(maps / "c.nc", engine="h5netcdf")
    rows = xr.Dataset({"m": ("subject", np.zeros(3))}, {"subject": ["a", "b", "c"]})
    rows.to_netcdf(maps / "d.nc", engine="h5netcdf")
    ages = idata["constant_data"]["age"].values
    xr.Dataset({"m": ("row", ages[::-1].copy())}).to_netcdf(maps / "e.nc", engine="h5netcdf")
    (maps / "sub-008_map.tsv").write_text("x\n1\n")
    found = check_privacy(tmp_path, read_result(idata))[0]
    assert found["file"].unique().tolist() == [
        *(f"signatures/{n}" for n in ("a.npz", "b.png", "c.nc", "d.nc", "e.nc")),
        "signatures/sub-008_map.tsv",
    ]
    said = found.groupby("file")["found"].agg(" ".join)
    assert "rows of participants" in said["signatures/d.nc"]
    assert "the age of every participant" in said["signatures/e.nc"]


@pytest.mark.parametrize("shape", ["tsv", "csv", "html", "json"])
def test_rows_of_participants_are_found_without_ids(idata, tmp_path, shape):
    ages = np.random.default_rng(0).permutation(idata["constant_data"]["age"].values)
    table = pd.DataFrame({"x": np.arange(ages.size) / 7, "y": ages})
    content = {
        "tsv": table.to_csv(sep="\t", index=False),
        "csv": table.to_csv(index=False),
        "html": table.to_html(),
        "json": json.dumps({"y": ages.tolist()}),
    }[shape]
    (tmp_path / "report.html").write_text(content)
    found = check_privacy(tmp_path, read_result(idata))[0]
    assert "the age of every participant" in found["found"].tolist()


def test_ids_that_are_numbers_or_names_of_regions_are_no_false_alarm(idata, tmp_path):
    private = collect_private(read_result(idata))
    numbers = type(private)(frozenset(map(str, range(1, 63))), {}, ())
    path = tmp_path / "report.html"
    path.write_text("<p>8 of 62 participants, P = 0.9, F5, [1, 2, 3, 4, 5, 6]</p>")
    assert search_files([path], numbers, tmp_path).empty
    path.write_text("participant_id\tage\n1\t30\n2\t40\n")
    assert search_files([path], numbers, tmp_path)["found"].tolist() == ["rows of participants"]
    path.write_text("<p>scan of sub-12</p>")
    assert len(search_files([path], numbers, tmp_path)) == 1


def test_a_file_that_cannot_be_searched_is_a_finding(idata, tmp_path):
    private = collect_private(read_result(idata))
    path = tmp_path / "report.html"
    path.mkdir()
    (found,) = search_files([path], private, tmp_path)["found"]
    assert found == "not searched: it cannot be read, or has more than 1 GiB"
    # A participant called like a region is not searched for, and results stay as they are.
    tree = idata.copy()
    names = ["DMN_1", *idata["posterior"]["subject"].values[1:]]
    tree["posterior"] = xr.DataTree(idata["posterior"].to_dataset().assign_coords(subject=names))
    assert "DMN_1" not in list_participants(read_result(tree))
    assert "1 ids are also names" in check_privacy(tmp_path, read_result(tree))[1].advice


def test_sentences_without_names_still_say_how_many():
    ids = ["sub-1", "sub-2", "sub-3", "7", "12"]
    said = {
        "Motion is high in sub-1.": "Motion is high in one participant.",
        "Look at sub-1, sub-2 and 4 more.": "Look at 6 participants.",
        "One participant (sub-3) holds 70%.": "One participant holds 70%.",
        "Motion is high in 7, 12 and 2 more.": "Motion is high in 4 participants.",
        "7 of 12 checks passed, 0.7 of 12 %": "7 of 12 checks passed, 0.7 of 12 %",
        "sub-10 is another": "sub-10 is another",
        "See https://doi.org/10.1/x/y and a/b.": "See https://doi.org/10.1/x/y and a/b.",
        r"Read C:\Users\me\x.tsv, ~/y/z.nii.gz": "Read x.tsv, z.nii.gz",
    }
    assert {text: withhold(text, ids) for text in said} == said


def test_provenance_keeps_what_names_nobody():
    ids = frozenset({"sub-1", "sub-2", "7"})
    notes = {
        "command": "bayes-mdd fit x",
        "excluded": {"sub-1": "no arm"},
        "seed": 7,
        "versions": {"pymc": "6.4.0"},
        "gaps": {"sub-1": 2, "sub-2": 3},
        "lists": [["sub-1", "sub-2"], ["a", "b"]],
        "nested": '{"who": ["sub-1"]}',
        "source": "/data/trial/edges.tsv",
    }
    assert withhold_notes(notes, ids) == {
        "seed": 7,
        "versions": {"pymc": "6.4.0"},
        "gaps": {"participants": "2 (names withheld)"},
        "lists": ["2 participants (names withheld)", ["a", "b"]],
        "nested": '{"who": "1 participant (names withheld)"}',
        "source": "edges.tsv",
    }


def test_lists_with_text_among_their_numbers_are_searched(tmp_path):
    values = np.arange(20.0) + 0.5
    private = Private(frozenset(["sub-01"]), {"age": values}, ())
    path = tmp_path / "report.html"
    listed = ", ".join(map(str, values))
    path.write_text(f"<p>[1.2.3, 4-5, {listed}]</p><p>[{listed}]</p>")
    assert (
        "the age of every participant" in search_files([path], private, tmp_path)["found"].tolist()
    )
