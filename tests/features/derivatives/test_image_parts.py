"""Images of a conversion that was stopped are not read again, unless their files have changed."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest
from features.derivatives.test_images import PLAIN, SUBJECTS, bold_of
from features.derivatives.test_images import atlas as atlas
from features.derivatives.test_images import fmriprep as fmriprep

import bayes_mdd as bm
from bayes_mdd.errors import DataContractError, UnreadableFileError, WriteError
from bayes_mdd.features import read_derivatives
from bayes_mdd.features.derivatives.formats import bold


@pytest.fixture
def read(tmp_path, fmriprep, atlas, participants, monkeypatch):
    """Convert the folder; `read.images` are those that were opened, the one `after` stops it."""
    real = bold._bold_series

    def count(name, *rest):
        if len(run.images) == run.after:
            raise KeyboardInterrupt
        run.images.append(name.subject_id)
        return real(name, *rest)

    def run(spec=PLAIN):
        run.images.clear()
        return read_derivatives(
            fmriprep, atlas=atlas, participants=participants, spec=spec, keep=tmp_path / "cohort"
        )

    run.images, run.after, run.folder, run.atlas = [], None, fmriprep, atlas
    monkeypatch.setattr(bold, "_bold_series", count)
    return run


@pytest.fixture
def stopped(read):
    """The same, stopped after three of four images."""
    read.after = 3
    with pytest.raises(KeyboardInterrupt):
        read()
    read.after = None
    return read


def touch(path):
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1))


def test_a_stopped_conversion_continues(stopped, tmp_path):
    assert len(list(tmp_path.glob(".bayes-mdd-unfinished-*/part-*"))) == 3
    found = stopped()
    assert stopped.images == [SUBJECTS[3]]
    assert not list(tmp_path.glob(".bayes-mdd-*"))
    again = stopped()
    assert stopped.images == list(SUBJECTS)
    assert found.identical(again)


def changed_image(read):
    touch(bold_of(read.folder, SUBJECTS[0]))


def changed_confounds(read):
    touch(next((read.folder / SUBJECTS[0]).rglob("*confounds_timeseries.tsv")))


def new_sidecar(read):
    path = bold_of(read.folder, SUBJECTS[0])
    path.with_name(path.name.replace(".nii.gz", ".json")).write_text("{}")


@pytest.mark.parametrize("change", [changed_image, changed_confounds, new_sidecar])
def test_changed_files_of_a_participant_are_read_again(stopped, change):
    change(stopped)
    stopped()
    assert stopped.images == [SUBJECTS[0], SUBJECTS[3]]


def test_files_that_concern_everybody_are_noticed(stopped):
    touch(stopped.atlas)
    stopped()
    assert stopped.images == list(SUBJECTS)


def test_settings_of_the_images_count_and_those_of_the_edges_do_not(stopped):
    def with_settings(**new):
        return bm.DerivativesSpec.from_mapping(PLAIN.to_mapping() | new)

    stopped.after = 0
    with pytest.raises(KeyboardInterrupt):
        stopped(with_settings(sphere_radius=6.0))
    stopped.after = 1
    stopped(with_settings(estimator="ledoit-wolf"))
    assert stopped.images == [SUBJECTS[3]]


def test_problems_found_after_reading_lose_nothing(stopped, participants, tmp_path):
    shutil.rmtree(stopped.folder / SUBJECTS[3])
    with pytest.raises(DataContractError, match=SUBJECTS[3]):
        stopped()
    assert not stopped.images
    assert len(list(tmp_path.glob(".bayes-mdd-unfinished-*/part-*"))) == 3


def test_a_problem_is_not_kept(read, monkeypatch):
    """It may lie in the machine, or in a file that is repaired and keeps its time of change."""
    counting = bold._bold_series

    def fail(name, *rest):
        if name.subject_id == SUBJECTS[1]:
            raise UnreadableFileError("a server does not answer")
        return counting(name, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(bold, "_bold_series", fail)
        with pytest.raises(DataContractError, match="does not answer"):
            read()
    read()
    assert read.images == [SUBJECTS[1]]


def test_a_full_temporary_folder_is_no_fault_of_the_confounds(read, monkeypatch):
    real = Path.write_bytes

    def full(path, data):
        if path.name.startswith("desc-confounds"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(WriteError, match="the disk is full") as caught:
            read()
    assert "confounds" not in str(caught.value)
    read()
