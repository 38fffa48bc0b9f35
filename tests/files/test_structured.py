"""YAML and JSON: bounded, each key once, and nothing legitimate refused."""

from __future__ import annotations

import json

import pytest

import bayes_mdd as bm
from bayes_mdd.cohort import read_scale
from bayes_mdd.errors import SpecError
from bayes_mdd.files.structured import MAX_DEPTH, MAX_YAML, parse_json, parse_yaml, read_yaml

pytestmark = pytest.mark.timeout(60)
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGED = "a: &a {k0: 1, k1: 2, k2: 3}\n" + "".join(
    f"{b}: &{b} {{<<: [{','.join([f'*{a}'] * 9)}]}}\n"
    for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
YAML = {
    "deep list": ("[" * 100_000, "levels deep"),
    "deep mapping": ("{a: " * 90, "levels deep"),
    "deep block": ("".join(" " * i + "k:\n" for i in range(80)), "levels deep"),
    "aliases": (BOMB, "aliases"),
    "merged aliases": (MERGED, "aliases"),
    "alias of itself": ("a: &a [1, *a]", "itself"),
    "large": ("# " + "x" * MAX_YAML, "more than the"),
    "key twice": ("a: 1\nb: 2\na: 3", "line 3 repeats the key 'a'"),
    "nested key twice": ("m: {n: 1, o: {n: 2, n: 3}}", "repeats the key 'n'"),
    "key in quotes": ("a: 1\n'a': 2", "repeats the key 'a'"),
    "number in two spellings": ("1: a\n0x1: b", "repeats the key '0x1'"),
    "long number": ("a: " + "9" * 5000, "number of 5000"),
    "sexagesimal": ("a: 1" + ":1" * 50_000, "number of"),
    "impossible date": ("a: 2026-13-45", "cannot be read as YAML"),
    "half a character": (r'a: "\ud800"', "half a character"),
    "tag": ("a: !!python/object/apply:os.system [ls]", "not valid YAML"),
    "syntax": ("a: [1", "not valid YAML"),
    "two documents": ("a: 1\n---\na: 2", "not valid YAML"),
    "key of lists": ("? [a]\n: 1", "not valid YAML"),
}


@pytest.mark.parametrize("case", YAML)
def test_yaml_is_refused(case, refused):
    text, word = YAML[case]
    message = refused(parse_yaml, text, "spec.yaml")
    assert word in message
    assert message.startswith("spec.yaml")


def test_yaml_that_people_write_is_read():
    text = "base: &b {draws: 500, tune: 500}\nown: {<<: *b, draws: 800}\nlist: [*b, *b]\n"
    found = parse_yaml(text, "spec.yaml")
    assert found["own"] == {"draws": 800, "tune": 500}
    assert found["list"] == [found["base"]] * 2
    assert parse_yaml("", "spec.yaml") is None
    assert parse_yaml("a: " + "[" * (MAX_DEPTH - 2) + "]" * (MAX_DEPTH - 2), "s")


JSON = {
    "deep": ('{"a":' * 100_000, "levels deep"),
    "deep list": ("[" * 100_000, "levels deep"),
    "key twice": ('{"a": 1, "b": {"c": 1, "c": 2}}', "repeats the key(s) c"),
    "long number": ('{"a": ' + "9" * 5000 + "}", "cannot be read as JSON"),
    "half a character": (r'{"a": "\ud83d x"}', "half a character"),
    "truncated": ('{"a": 1', "not valid JSON"),
}


@pytest.mark.parametrize("case", JSON)
def test_json_is_refused(case, refused):
    text, word = JSON[case]
    message = refused(parse_json, text, "participants.json")
    assert word in message
    assert message.startswith("participants.json")


def test_json_that_tools_write_is_read():
    content = {"Levels": {"HC": "{[" * 99}, "list": [[1.5, None, True]] * 99, "face": "\U0001f600"}
    assert parse_json(json.dumps(content), "s.json") == content
    assert parse_json(r'{"a": "\\ud800 is written"}', "s.json") == {"a": r"\ud800 is written"}


@pytest.mark.parametrize("part", ["model", "reference", "quality", "sampler"])
@pytest.mark.parametrize("value", ["false", "0", "[]", "''", "text"])
def test_parts_of_a_spec_that_are_no_mappings_are_refused(part, value, tmp_path):
    (tmp_path / "s.yaml").write_text(f"{part}: {value}\n", encoding="utf-8")
    with pytest.raises(SpecError, match=r"s\.yaml.*keys and values"):
        bm.read_spec(tmp_path / "s.yaml")


def test_empty_specs_and_parts_mean_the_defaults(tmp_path):
    for text in ("", "# nothing\n", "model:\n", "model: {}\nsampler: null\n"):
        (tmp_path / "s.yaml").write_text(text, encoding="utf-8")
        assert bm.read_spec(tmp_path / "s.yaml") == bm.AnalysisSpec()


@pytest.mark.parametrize("value", ["false", "0", "[]", "''"])
def test_a_spec_that_is_no_mapping_is_refused(value, tmp_path):
    (tmp_path / "s.yaml").write_text(value, encoding="utf-8")
    with pytest.raises(SpecError, match="keys and values"):
        bm.read_spec(tmp_path / "s.yaml")


@pytest.mark.parametrize("case", ["deep list", "aliases", "key twice", "half a character"])
def test_specs_and_scales_name_their_file(case, tmp_path):
    for name, read in (("own.yaml", bm.read_spec), ("scale.yaml", read_scale)):
        (tmp_path / name).write_text(YAML[case][0], encoding="utf-8")
        with pytest.raises(SpecError, match=name):
            read(tmp_path / name)


def test_shipped_files_are_within_the_limits(repository):
    files = [*(repository / "models").glob("*.yaml"), *(repository / "bayes_mdd").rglob("*.yaml")]
    assert len(files) > 4
    assert all(read_yaml(path) for path in files)
