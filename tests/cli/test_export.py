"""``bayes-mdd export``: files by format, what is left out, and mistakes before anything is read."""

from __future__ import annotations

import json

import pytest

from bayes_mdd.cli.commands.export import NAMES
from bayes_mdd.results.exports.formats import FORMATS


def test_help_names_every_format():
    assert ", ".join(FORMATS) == NAMES


def test_a_run_is_exported(small_run, run_cli, tmp_path):
    words = ("export", small_run.folder, "-f", "tables", "-f", "graphml", "-o", tmp_path / "x")
    done = run_cli(*words, "--json")
    assert done.status == 0, done.err
    said = json.loads(done.out)
    assert set(said["files"]) == {"tables", "graphml"} and said["left_out"] == {}
    assert (tmp_path / "x" / "tables" / "dictionary.tsv").is_file()
    again = run_cli(*words)
    assert again.status == 2 and "--force" in again.err


@pytest.mark.filterwarnings("ignore:.*infer_string")
def test_scores_are_part_of_anndata_when_asked(small_run, run_cli, tmp_path):
    anndata = pytest.importorskip("anndata")
    words = ("export", small_run.folder, "-f", "anndata", "-o", tmp_path / "x")
    done = run_cli(*words, "--with-participants")
    assert done.status == 0, done.err
    assert anndata.read_h5ad(tmp_path / "x" / "anndata" / "run.h5ad").n_obs > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-f", "graphlm"], "graphlm"),
        (["-f", "nifti", "--with-participants"], "--format tables"),
        (["-f", "nifti", "--atlas", "nowhere.nii.gz"], "nowhere.nii.gz"),
        ([], "--format"),
    ],
)
def test_mistakes_are_named(small_run, run_cli, tmp_path, words, said):
    done = run_cli("export", small_run.folder, "-o", tmp_path / "x", *words)
    assert done.status == 2 and said in done.err and not (tmp_path / "x").exists()
