"""Tables of participants and symptom scales: nothing is invented, and order does not matter."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bayes_mdd.cohort.participants import read_participants
from bayes_mdd.cohort.scales import available_scales, read_scale
from bayes_mdd.cohort.scoring import score_items, score_scale
from bayes_mdd.cohort.tables import is_number, read_table
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.derivatives.text_tables import parse_number, read_cells
from bayes_mdd.features.folder.matching import IdMatcher

SCALES = {name: read_scale(name) for name in available_scales()}
CELLS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='"'), max_size=8)
NUMBERS = st.text(st.sampled_from("0123456789+-.eEdDinfan_ ٣１"), min_size=1, max_size=9)


def ratings(scale, data, n=4):
    """Items of a scale, complete or with missing cells."""
    alternatives = {k: v.items[0] for k, v in scale.alternatives.items()}
    columns = {}
    for item in scale.items:
        cell = st.one_of(st.none(), st.integers(item.min, item.max))
        name = f"{scale.name}_{alternatives.get(item.id, item.id)}"
        columns[name] = data.draw(st.lists(cell, min_size=n, max_size=n))
    index = pd.Index([f"sub-{i}" for i in range(n)], name="participant_id")
    return pd.DataFrame(columns, index=index, dtype=object)


@settings(max_examples=8)
@given(name=st.sampled_from(sorted(SCALES)), data=st.data(), seed=st.integers(0, 999))
def test_scores_lie_in_their_range_and_do_not_depend_on_order(name, data, seed):
    scale = SCALES[name]
    table = ratings(scale, data)
    scores, items = score_scale(table, scale), score_items(table, scale)
    for dimension in scale.dimensions:
        low, high = scale.range_of(dimension.name)
        known = scores[dimension.name].dropna()
        assert known.between(low - 1e-9, high + 1e-9).all(), dimension.name
    # What was not rated is no number, and what was rated is unchanged.
    np.testing.assert_array_equal(items.isna().to_numpy(), table.isna().to_numpy())
    rng = np.random.default_rng(seed)
    other = table.iloc[rng.permutation(len(table)), rng.permutation(table.shape[1])]
    pd.testing.assert_frame_equal(score_scale(other, scale).loc[scores.index], scores)


@given(name=st.sampled_from(sorted(SCALES)), data=st.data())
def test_a_score_of_missing_items_is_missing(name, data):
    scale = SCALES[name]
    table = ratings(scale, data)
    table.iloc[0] = None
    scores = score_scale(table, scale)
    assert scores.iloc[0].isna().all()


@given(cell=st.one_of(NUMBERS, CELLS, st.floats().map(repr), st.integers().map(str)))
def test_cells_that_count_as_numbers_are_finite_numbers(cell):
    if is_number(cell):
        assert math.isfinite(float(cell))
    value = parse_number(cell)
    assert value is None or isinstance(value, float)


@given(rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=5))
def test_tables_of_odd_text_are_read_as_written_or_refused(tmp_path, rows):
    path = tmp_path / "t.tsv"
    lines = ["\t".join(row) for row in [["a", "b", "c"], *rows]]
    assume(all(line.strip() for line in lines))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")
    try:
        table = read_table(path)
    except DataContractError as error:
        assert any(len(line.splitlines()) > 1 for line in lines), error
        return
    assert table.to_numpy().tolist() == [[cell.strip() for cell in row] for row in rows]
    cells = read_cells(path)
    assert cells.separator == "\t"


@given(values=st.lists(st.none() | st.integers(18, 80), min_size=4, max_size=8), data=st.data())
def test_missing_values_of_participants_never_become_numbers(tmp_path, values, data):
    assume(sum(v is not None for v in values) >= len(values) / 2)
    rows = [f"sub-{i}\t{'n/a' if v is None else v}\tx{i % 2}" for i, v in enumerate(values)]
    order = data.draw(st.permutations(rows))
    text = "\n".join(["participant_id\tage\tarm", *order]) + "\n"
    (tmp_path / "participants.tsv").write_text(text)
    found = read_participants(tmp_path / "participants.tsv")["age"]
    expected = np.array([np.nan if v is None else v for v in values], dtype=float)
    np.testing.assert_array_equal(found.loc[[f"sub-{i}" for i in range(len(values))]], expected)


@given(
    labels=st.lists(st.text("ab01", min_size=1, max_size=3), min_size=1, unique=True),
    prefixed=st.booleans(),
)
def test_every_id_matches_itself_with_or_without_its_prefix(labels, prefixed):
    ids = [f"sub-{label}" if prefixed else label for label in labels]
    matcher = IdMatcher(ids)
    for known, label in zip(ids, labels, strict=True):
        assert {matcher.match(known), matcher.match(label), matcher.match(f"sub-{label}")} == {
            known
        }
    assert matcher.match("sub-c") is None


@given(names=st.lists(st.text(max_size=100), max_size=30), limit=st.integers(1, 6))
def test_lists_in_messages_are_short_and_count_all(names, limit):
    text = some(names, limit)
    assert len(text) < limit * 200 + 30
    if len(names) > limit:
        assert text.endswith(f" and {len(names) - limit} more")


def test_the_scales_are_tried():
    assert len(SCALES) >= 4
    with pytest.raises(DataContractError):
        score_scale(pd.DataFrame({"hamd17_1": [9]}), "hamd17")
