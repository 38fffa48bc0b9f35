"""Companion files by entities, and JSON sidecars by the inheritance principle of BIDS."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bayes_mdd.errors import UnreadableFileError
from bayes_mdd.features.companions import (
    find_companion,
    find_inherited,
    list_siblings,
    read_sidecar,
    same_recording,
)
from bayes_mdd.features.file_names import parse_name

IMAGE = "sub-1_ses-a_task-rest_run-1_space-MNI_res-2_desc-preproc_bold.nii.gz"
CONFOUNDS = "desc-confounds_timeseries.tsv"


def name(text: str):
    return parse_name(Path(text), Path())


@pytest.mark.parametrize(
    ("entities", "same"),
    [
        ("sub-1_ses-a_task-rest_run-1", True),
        ("sub-1_ses-a_task-rest_run-01", True),
        ("sub-1_ses-a_task-rest_run-10", False),
        ("sub-1_ses-a_task-rest", False),
        ("sub-1_ses-a_task-rest_acq-3echo_run-1", False),
        ("sub-1_ses-a_task-rest_dir-AP_run-1", False),
        ("sub-1_ses-a_task-rest_rec-norm_run-1", False),
        ("sub-1_ses-a_task-resting_run-1", False),
        ("sub-1_ses-ab_task-rest_run-1", False),
        ("sub-1_task-rest_run-1", False),
        ("sub-10_ses-a_task-rest_run-1", False),
        ("sub-1_ses-a_task-rest_run-1_echo-2", False),
    ],
)
def test_recordings_are_told_apart_by_all_entities(entities, same):
    assert same_recording(name(f"{entities}_{CONFOUNDS}"), name(IMAGE)) is same


def test_echoes_and_parts_share_the_companion_of_their_recording():
    echo = name("sub-1_task-rest_echo-2_part-mag_desc-preproc_bold.nii.gz")
    assert same_recording(name(f"sub-1_task-rest_{CONFOUNDS}"), echo)
    assert not same_recording(name(f"sub-1_task-rest_echo-1_{CONFOUNDS}"), echo)


def test_other_entities_must_agree_where_both_names_state_them():
    found = [
        name("sub-1_ses-a_task-rest_run-1_space-MNI_res-1_desc-brain_mask.nii.gz"),
        name("sub-1_ses-a_task-rest_run-1_space-MNI_res-2_desc-brain_mask.nii.gz"),
        name("sub-1_ses-a_task-rest_run-1_space-T1w_desc-brain_mask.nii.gz"),
    ]
    assert find_companion(name(IMAGE), found, "mask") is found[1]
    assert find_companion(name(IMAGE), found[:1], "mask") is None
    custom = [name(f"sub-1_task-rest_feature-{f}_{CONFOUNDS}") for f in "ab"]
    image = name("sub-1_task-rest_feature-b_bold.nii.gz")
    assert find_companion(image, custom, "table") is custom[1]


def test_the_same_folder_is_preferred_and_several_are_refused():
    image = name(f"fmriprep/sub-1/func/{IMAGE}")
    stem = "sub-1_ses-a_task-rest_run-1"
    near = name(f"fmriprep/sub-1/func/{stem}_{CONFOUNDS}")
    far = name(f"xcp_d/sub-1/func/{stem}_{CONFOUNDS}")
    assert find_companion(image, [far, near], "table") is near
    assert find_companion(image, [far], "table") is far
    both = [near, name(f"fmriprep/sub-1/func/{stem}_desc-confounds_regressors.tsv")]
    with pytest.raises(UnreadableFileError, match=r"2 files could be its table .*regressors"):
        find_companion(image, both, "table")


def test_names_outside_bids_belong_together_by_their_words():
    tables = [name(f"S{i}_rest_desc-confounds_timeseries.tsv") for i in (1, 10)]
    assert find_companion(name("S1_rest_bold.nii.gz"), tables, "table") is tables[0]
    assert find_companion(name("S2_rest_bold.nii.gz"), tables, "table") is None
    # Without names, only the folder tells whose file it is.
    other = name("Sub_002/desc-confounds_timeseries.tsv")
    assert find_companion(name("Sub_001/bold.nii.gz"), [other], "table") is None


def test_sessions_of_folders_count(tmp_path):
    for session in ("1", "2"):
        folder = tmp_path / "sub-1" / f"ses-{session}" / "func"
        folder.mkdir(parents=True)
        (folder / f"sub-1_task-rest_{CONFOUNDS}").write_text("")
    image = parse_name(folder / "sub-1_task-rest_bold.nii.gz", tmp_path)
    tables = [parse_name(p, tmp_path) for p in tmp_path.rglob("*.tsv")]
    assert find_companion(image, tables, "table").path.parent == folder
    assert [n.entities["ses"] for n in list_siblings(image)] == ["2"]


def test_the_most_specific_table_of_labels_applies():
    image = name("tpl-MNI_atlas-4S_res-01_dseg.nii.gz")
    tables = [name("atlas-4S_dseg.tsv"), name("atlas-Other_dseg.tsv")]
    assert find_inherited(image, tables, "table") is tables[0]
    specific = name("tpl-MNI_atlas-4S_dseg.tsv")
    assert find_inherited(image, [*tables, specific], "table") is specific
    with pytest.raises(UnreadableFileError, match="2 files could be its table"):
        find_inherited(image, [tables[0], name("tpl-MNI_dseg.tsv")], "table")


def write(path: Path, **facts: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts))


def test_sidecars_are_inherited_and_the_nearest_overrides(tmp_path):
    func = tmp_path / "sub-1" / "ses-1" / "func"
    image = parse_name(func / "sub-1_ses-1_task-rest_desc-preproc_bold.nii.gz", tmp_path)
    write(tmp_path / "task-rest_bold.json", RepetitionTime=2.0, TaskName="rest", A=1)
    write(tmp_path / "task-other_bold.json", RepetitionTime=9.0)
    write(tmp_path / "task-rest_run-1_bold.json", RepetitionTime=8.0)
    write(tmp_path / "task-rest_events.json", A=7)
    write(tmp_path / "sub-1" / "sub-1_task-rest_bold.json", A=2)
    write(tmp_path / "sub-10" / "func" / "sub-10_task-rest_bold.json", A=5)
    write(func / "sub-1_ses-1_task-rest_desc-preproc_bold.json", RepetitionTime=2.2)
    assert read_sidecar(image) == {"RepetitionTime": 2.2, "TaskName": "rest", "A": 2}


def test_sidecars_above_the_dataset_and_of_other_files_are_ignored(tmp_path):
    write(tmp_path / "task-rest_bold.json", RepetitionTime=2.0)
    write(tmp_path / "flat" / "rest.json", RepetitionTime=3.0)
    assert read_sidecar(parse_name(tmp_path / "flat" / "task-rest_bold.nii.gz")) == {}
    assert read_sidecar(parse_name(tmp_path / "flat" / "rest.nii.gz")) == {"RepetitionTime": 3.0}


def test_equally_specific_sidecars_that_disagree_are_refused(tmp_path):
    image = parse_name(tmp_path / "sub-1_task-rest_acq-a_bold.nii.gz", tmp_path)
    write(tmp_path / "task-rest_bold.json", RepetitionTime=2.0)
    write(tmp_path / "acq-a_bold.json", RepetitionTime=2.0)
    assert read_sidecar(image)["RepetitionTime"] == 2.0
    write(tmp_path / "acq-a_bold.json", RepetitionTime=2.5)
    with pytest.raises(UnreadableFileError, match=r"different values of RepetitionTime"):
        read_sidecar(image)
    (tmp_path / "acq-a_bold.json").write_text("{")
    with pytest.raises(UnreadableFileError, match=r"acq-a_bold\.json: .*JSON"):
        read_sidecar(image)
