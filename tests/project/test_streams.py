"""No two stages replay the same random numbers."""

from __future__ import annotations

import ast

import numpy as np

from bayes_mdd.streams import PolarLDAStream, Stream, generator, spawn

SEEDS = range(4)


def test_every_number_is_used_once():
    for streams in (Stream, PolarLDAStream):
        # An enumeration turns a repeated value into an alias, which iteration leaves out.
        assert len(streams.__members__) == len(list(streams))


def test_stages_draw_different_numbers():
    drawn = {}
    for seed in SEEDS:
        for stream in Stream:
            drawn[seed, stream.name] = generator(seed, stream).random(3).tolist()
        for stream in PolarLDAStream:
            for i, child in enumerate(spawn(seed, stream, 3)):
                numbers = np.random.default_rng(child).random(3).tolist()
                drawn[seed, f"polar LDA {stream.name} {i}"] = numbers
    assert len({tuple(v) for v in drawn.values()}) == len(drawn)


def test_repetitions_do_not_depend_on_their_number():
    first = [s.generate_state(2).tolist() for s in spawn(1, PolarLDAStream.NULL, 2)]
    more = [s.generate_state(2).tolist() for s in spawn(1, PolarLDAStream.NULL, 5)]
    assert more[:2] == first


def test_no_stage_makes_its_own_stream(repository):
    """Generators from a seed are made in streams.py only (figures have a fixed jitter)."""
    own = []
    package = repository / "bayes_mdd"
    exempt = {"streams.py"}
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package).as_posix()
        if name in exempt or name.startswith("simulate/"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "default_rng":
                arguments = [n for a in node.args for n in ast.walk(a)]
                if any(isinstance(n, ast.List) for n in arguments):
                    own.append(f"{name}:{node.lineno}")
    assert not own
