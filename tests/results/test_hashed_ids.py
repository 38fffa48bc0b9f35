"""Keyed hashes in place of ids: the same everywhere, and without the key of no use."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import stat

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from fakes import make_fake_idata

import bayes_mdd as bm
from bayes_mdd.baselines.store import hide_people
from bayes_mdd.cli.id_key import prepare_key
from bayes_mdd.files.id_key import hash_each, make_key, read_key
from bayes_mdd.results.privacy import list_participants
from bayes_mdd.results.privacy_check import search_files
from bayes_mdd.results.private import collect_private
from bayes_mdd.results.result import read_result

KEY = bytes(range(32))
FORM = re.compile(r"sub-[0-9a-f]{16}")


def of(name: str, key: bytes = KEY) -> str:
    """The hash as RFC 2104 defines it."""
    return "sub-" + hmac.new(key, name.encode(), hashlib.sha256).hexdigest()[:16]


def test_one_hash_for_one_participant_and_key():
    assert bm.hash_ids(["sub-01", "01", "sub-02"], KEY) == [of("01"), of("01"), of("02")]
    assert bm.hash_ids(["01"], KEY[::-1]) != bm.hash_ids(["01"], KEY)
    assert of("01") not in {
        f"sub-{h(b'01').hexdigest()[:16]}" for h in (hashlib.sha256, hashlib.md5)
    }
    many = bm.hash_ids([f"{i:05d}" for i in range(5000)], KEY)
    assert len(set(many)) == 5000 and all(map(FORM.fullmatch, many))


def test_tables_datasets_and_results(tmp_path):
    table = pd.DataFrame({"participant_id": ["sub-01", None, "sub-02"], "x": [1.0, 2.0, 3.0]})
    hashed = bm.hash_ids(table, KEY)
    assert hashed["participant_id"].tolist()[::2] == [of("01"), of("02")]
    assert pd.isna(hashed["participant_id"][1]) and table["participant_id"][0] == "sub-01"
    by_index = table.dropna().set_index("participant_id")
    assert bm.hash_ids(by_index, KEY).index.tolist() == [of("01"), of("02")]
    found = xr.Dataset(
        {"scores": ("subject", [1.0, 2.0])},
        coords={"subject": ["sub-01", "7"]},
        attrs={
            "excluded": json.dumps({"sub-03": "no arm, as sub-01"}),
            "people_of_new_levels": json.dumps({"site": ["sub-01"]}),
            "seed": 3,
        },
    )
    named = bm.hash_ids(found, KEY)
    assert named["subject"].values.tolist() == [of("01"), of("7")]
    assert json.loads(named.attrs["excluded"]) == {of("03"): f"no arm, as {of('01')}"}
    assert json.loads(named.attrs["people_of_new_levels"]) == {"site": [of("01")]}
    assert named.attrs["seed"] == 3 and found["subject"].values[0] == "sub-01"


def test_exports_with_participants_name_hashes_only(tmp_path, run_cli):
    idata = make_fake_idata()
    tree = bm.hash_ids(idata, KEY)
    ids = list_participants(read_result(idata))
    text = " ".join(map(str, tree.attrs.values()))
    assert "sub-hc01" in ids and not any(i in text for i in ids)
    assert of("hc01") in json.loads(tree.attrs["provenance"])["excluded"]
    np.testing.assert_array_equal(
        tree["posterior"]["scores"].values, idata["posterior"]["scores"].values
    )
    run = bm.save_run(idata, tmp_path / "run")
    (tmp_path / "key").write_text(KEY.hex())
    words = ("--format", "tables", "--hash-ids", tmp_path / "key", "-o", tmp_path / "out")
    assert "add --with-participants" in run_cli("export", run, *words).err
    assert run_cli("export", run, *words, "--with-participants").status == 0
    scores = pd.read_csv(tmp_path / "out" / "tables" / "scores.tsv", sep="\t")
    people = idata["posterior"]["subject"].values.astype(str)
    assert set(scores["participant_id"]) == set(hash_each(people, KEY).values())
    files = list((tmp_path / "out" / "tables").iterdir())
    found = search_files(files, collect_private(read_result(idata)), tmp_path)
    assert not found["found"].str.contains("ids").any()


def test_folds_of_baselines_are_hashed_with_the_same_function():
    folds = pd.DataFrame(
        {
            "question": "q",
            "method": "m",
            "view": "v",
            "division": [0, 1] * 3,
            "participant_id": ["sub-01", "sub-02", "sub-03"] * 2,
            "predicted": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        }
    )
    alone, again = hide_people(folds), hide_people(folds)
    pd.testing.assert_frame_equal(alone, again)
    other = hide_people(folds.assign(predicted=folds["predicted"] + 1))
    assert not set(alone["id"]) & set(other["id"])
    linked = hide_people(folds, KEY)
    assert set(linked["id"]) == {of("01"), of("02"), of("03")}
    assert "participant_id" not in linked and linked.groupby("id").size().tolist() == [2, 2, 2]


def test_keys(tmp_path):
    path = tmp_path / "key.txt"
    assert make_key(path) and not make_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(read_key(path)) == 32 and read_key(path) == bytes.fromhex(path.read_text().strip())
    assert prepare_key(path, tmp_path / "run") == path and prepare_key(None) is None
    (tmp_path / "short").write_text("secret")
    with pytest.raises(bm.SpecError, match="holds 6 bytes; at least 16"):
        bm.hash_ids(["a"], tmp_path / "short")
    with pytest.raises(bm.SpecError, match="cannot be read"):
        bm.hash_ids(["a"], tmp_path / "none")
    with pytest.raises(bm.SpecError, match="may be passed on: keep the key elsewhere"):
        prepare_key(tmp_path / "run" / "key", tmp_path / "run")
    with pytest.raises(bm.WriteError):
        make_key(tmp_path / "no folder" / "key")
    with pytest.raises(bm.DataContractError, match="found the columns x"):
        bm.hash_ids(pd.DataFrame({"x": [1]}), KEY)
    with pytest.raises(bm.DataContractError, match="no coordinate 'subject'"):
        bm.hash_ids(xr.Dataset(), KEY)
