"""Runs of earlier versions open, and those of later ones are refused with a reason."""

from __future__ import annotations

import json
import lzma
import shutil
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr

import bayes_mdd as bm
from bayes_mdd.files.layout import LAYOUT, update_layout
from bayes_mdd.files.marks import RUN
from bayes_mdd.results.result import read_result

STORED = Path(__file__).parent.parent / "stored_runs"
RUNS = sorted(p.name for p in STORED.iterdir() if p.is_dir())
#: Draws in the stored runs are few.
FEW = {"min_draws": 20}
NEEDS_FEATURES = {"--sensitivity", "project"}


@pytest.fixture(scope="module", params=RUNS)
def run(request, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("stored") / "run"
    folder.mkdir()
    for path in (STORED / request.param).iterdir():
        if path.suffix == ".xz":
            (folder / path.stem).write_bytes(lzma.decompress(path.read_bytes()))
        else:
            shutil.copy(path, folder)
    return folder


def test_a_former_run_opens_in_the_present_layout(run):
    assert RUN.is_marked(run) and not RUN.foreign(run)
    with xr.open_datatree(run / "posterior.nc", engine="h5netcdf") as stored:
        former = stored.load()
    assert "layout" not in former.attrs and "draws" in former["loadings"]
    tree = bm.read_run(run)
    drawn = tree["loadings"]["loadings"]
    assert drawn.dims == ("chain", "draw", "factor", "feature") and drawn.shape[:2] == (2, 20)
    flat = former["loadings"]["draws"].values
    assert (drawn.values.reshape(flat.shape) == flat).all()
    assert "log_likelihood" not in tree.children
    xr.testing.assert_equal(
        tree["block_log_density"]["features"].variable,
        former["log_likelihood"]["features"].variable,
    )
    result = read_result(tree)
    assert result.spec.feature_dependence == "independent"  # there was nothing else
    assert result.spec.n_factors == 3 and result.method == "mcmc"
    given = json.loads(former.attrs["spec"])
    assert {k: v for k, v in result.spec.to_mapping().items() if k in given} == {
        k: v for k, v in given.items() if k != "symptom_local_df"
    }


def test_results_of_a_former_run(run, tmp_path):
    tree = bm.read_run(run)
    table = bm.classify_factors(tree, **FEW)
    assert table["factor"].tolist() == ["F1", "F2", "F3"]
    sig = bm.signatures(tree, factors=table.assign(label="shared"))
    assert sig.sizes == {"factor": 3, "feature": 66, "region": 12}
    assert len(bm.summarise_symptom_links(tree)) and len(bm.explained_by_arm(tree)) == 2
    checks = bm.diagnose(tree).set_index("name")
    stored = pd.DataFrame(json.loads((run / "checks.json").read_text())["checks"])
    assert checks.loc["divergences", "passed"] in (True, False)
    assert set(stored["name"]) & set(checks.index)
    assert bm.score_moments(tree).sizes["subject"] == 20
    saved = bm.read_run(bm.save_run(tree, tmp_path / "saved"))
    pd.testing.assert_frame_equal(bm.classify_factors(saved, **FEW), table)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("check",),
        ("check", "--privacy"),
        ("check", "--sensitivity"),
        ("signatures",),
        ("report",),
        ("export", "--format", "all"),
        ("export", "--format", "share", "--zip"),
        ("export", "--format", "tables", "--with-participants", "--force"),
        ("project", "COHORT", "--include-fitted", "--force"),
    ],
    ids=lambda words: " ".join(words[:3]),
)
def test_commands_on_a_former_run(run, words, run_cli, small_cohort):
    name, *rest = (small_cohort if w == "COHORT" else w for w in words)
    done = run_cli(name, run, *rest)
    if NEEDS_FEATURES & set(words):
        # The features of a fit were not stored then.
        assert done.status == 2 and "does not hold the features" in done.err
    else:
        assert done.status in (0, 1), done.err
        assert "Error" not in done.err


def test_a_later_layout_is_refused_with_what_to_do():
    tree = xr.DataTree(xr.Dataset(attrs={"layout": LAYOUT + 1}))
    with pytest.raises(bm.RunFolderError, match=r"later version of bayes-mdd wrote.*update"):
        update_layout(tree)
    present = xr.DataTree(xr.Dataset(attrs={"layout": LAYOUT}))
    assert update_layout(present) is present


def test_specs_of_later_versions_and_former_keys():
    spec = {"n_factors": 2, "symptom_local_df": 4.0, "key_of_tomorrow": 1}
    tree = xr.DataTree(xr.Dataset(attrs={"spec": json.dumps(spec), "layout": LAYOUT}))
    with pytest.raises(bm.DataContractError, match=r"cannot be read by this version.*key_of_tom"):
        read_result(tree)
    former = xr.DataTree(xr.Dataset(attrs={"spec": json.dumps(spec)}))
    assert "symptom_local_df" not in update_layout(former).attrs["spec"]
    assert "symptom_local_df" in former.attrs["spec"]
    other = xr.DataTree(xr.Dataset(attrs={"spec": '{"n_factors": 2}', "model": "polar_lda"}))
    assert update_layout(other).attrs["spec"] == '{"n_factors": 2}'
    for broken in ("", "{", "[1]"):
        assert (
            update_layout(xr.DataTree(xr.Dataset(attrs={"spec": broken}))).attrs["spec"] == broken
        )
