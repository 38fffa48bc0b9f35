"""Repetition time from header, sidecar and caller."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest

from bayes_mdd.errors import UnreadableFileError
from bayes_mdd.features.file_names import parse_name
from bayes_mdd.features.repetition_time import (
    RepetitionTime,
    combine_repetition_times,
    describe_repetition_times,
    find_repetition_time,
    header_repetition_time,
    sidecar_repetition_time,
)


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (2.0, "sec", 2.0),
        (2000, "msec", 2.0),
        (800000, "usec", 0.8),
        (0, "sec", None),
        (2.0, "unknown", None),
        (2.0, "hz", None),
    ],
)
def test_units_of_headers(value, unit, expected):
    image = nib.Nifti1Image(np.zeros((2, 2, 2, 3), dtype=np.float32), np.eye(4))
    image.header.set_xyzt_units("mm", unit)
    image.header["pixdim"][4] = value
    assert header_repetition_time(image.header) == expected
    volume = nib.Nifti1Image(np.zeros((2, 2, 2), dtype=np.float32), np.eye(4))
    assert header_repetition_time(volume.header) is None


@pytest.mark.parametrize(
    ("header", "sidecar", "given", "seconds", "said"),
    [
        (None, None, None, None, None),
        (2.0, None, None, 2.0, None),
        (None, 2.0, None, 2.0, None),
        (2.001, 2.0, None, 2.0, None),
        (1.0, 2.0, None, 2.0, "note"),
        (2000.0, 2.0, None, 2.0, "note"),
        (2.0, 2000.0, None, 2.0, "note"),
        (2.5, 2.0, None, None, "problem"),
        (None, 2000.0, None, None, "problem"),
        (720.0, None, None, None, "problem"),
        (None, None, 2.0, 2.0, None),
        (2.0, 2.0, 2.0, 2.0, None),
        (1.0, 2.0, 2.0, 2.0, "note"),
        (1.0, None, 2.0, 2.0, "note"),
        (2.5, 2.0, 2.0, 2.0, "note"),
        (2.5, 2.0, 2.5, 2.5, "note"),
        (3.0, 3.0, 2.0, None, "problem"),
        (None, 3.0, 2.0, None, "problem"),
        (3.0, None, 2.0, None, "problem"),
    ],
)
def test_sources_are_held_against_each_other(header, sidecar, given, seconds, said):
    found = combine_repetition_times(header, sidecar, given)
    assert found.seconds == seconds
    assert (found.note is not None, found.problem is not None) == (
        said == "note",
        said == "problem",
    )


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"RepetitionTime": 2}, 2.0),
        ({"SamplingFrequency": 0.5}, 2.0),
        ({"RepetitionTime": 2.0, "SamplingFrequency": 0.5}, 2.0),
        ({"RepetitionTime": "n/a"}, None),
        ({}, None),
        ({"RepetitionTime": 2.0, "SamplingFrequency": 1}, "contradicts itself"),
        ({"RepetitionTime": "2.0"}, "RepetitionTime '2.0': expected a number above 0"),
        ({"RepetitionTime": [2.0]}, "expected a number"),
        ({"RepetitionTime": True}, "expected a number"),
        ({"RepetitionTime": 0}, "expected a number"),
        ({"SamplingFrequency": -1}, "in Hz"),
    ],
)
def test_values_of_sidecars(tmp_path, facts, expected):
    (tmp_path / "sub-1_task-rest_timeseries.json").write_text(json.dumps(facts))
    name = parse_name(tmp_path / "sub-1_task-rest_timeseries.tsv", tmp_path)
    if not isinstance(expected, str):
        assert sidecar_repetition_time(name) == expected
        return
    with pytest.raises(UnreadableFileError, match=expected):
        sidecar_repetition_time(name)
    found = find_repetition_time(name, 2.0)
    assert found.seconds is None
    assert "is not known" in str(found.note)


def test_a_cohort_with_two_repetition_times_is_reported():
    found = {f"sub-{i}": RepetitionTime(2.0 if i < 3 else 2.5) for i in range(4)}
    values, facts, notes = describe_repetition_times(found)
    assert values == {"sub-0": 2.0, "sub-1": 2.0, "sub-2": 2.0, "sub-3": 2.5}
    assert facts == {"repetition_time": [2.0, 2.5]}
    (note,) = notes
    assert "2 repetition times (2 s: 3 (sub-0, sub-1, sub-2); 2.5 s: 1 (sub-3))" in note
    # Rounding by the scanner is no second repetition time; participants are listed once.
    found = {
        "a": RepetitionTime(2.0, "x."),
        "b": RepetitionTime(2.001, "x."),
        "c": RepetitionTime(),
    }
    values, facts, notes = describe_repetition_times(found)
    assert facts == {"repetition_time": 2.0}
    assert notes == ["a, b: x.", "c: the repetition time is not stated by header or sidecar."]
    assert describe_repetition_times({"a": RepetitionTime()}) == ({}, {}, [])
