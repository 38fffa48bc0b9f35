"""Reading of YAML and JSON: bounded in size and depth, each key once."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from bayes_mdd.errors import UnreadableFileError, some
from bayes_mdd.files.regular import brief, own_errors
from bayes_mdd.files.repeats import find_repeats
from bayes_mdd.files.sizes import check_size
from bayes_mdd.files.text import MAX_TEXT, read_text

#: Largest YAML file, in bytes; settings need a few thousand.
MAX_YAML = 256 * 2**10
#: Deepest nesting of lists and mappings.
MAX_DEPTH = 50
#: Largest number of values of a YAML file after its aliases were replaced.
MAX_VALUES = 50_000
#: Longest number, in characters.
MAX_DIGITS = 300

_MERGE = "tag:yaml.org,2002:merge"
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
# Escapes of halves of a character, which no UTF-8 file can contain.
_SURROGATE = re.compile(r"\\(?:u|U0000)[dD][89a-fA-F]")


def read_yaml(path: str | Path) -> Any:
    """Read a YAML file.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    object
        Its content; None if it is empty.

    Raises
    ------
    UnreadableFileError
        As `parse_yaml`, or if the file cannot be read.
    """
    return parse_yaml(read_text(path, limit=MAX_YAML, empty=True), Path(path).name)


def parse_yaml(text: str, name: str) -> Any:
    """Parse YAML.

    Parameters
    ----------
    text : str
        The text.
    name : str
        Name of the file, for messages.

    Returns
    -------
    object
        Its content; None if it is empty.

    Raises
    ------
    UnreadableFileError
        If the text is not valid YAML, too long or too deeply nested, expands to too many values
        by its aliases, or repeats a key.

    Examples
    --------
    >>> parse_yaml("draws: 500", "spec.yaml")
    {'draws': 500}
    >>> parse_yaml("{draws: 500, draws: 800}", "spec.yaml")
    Traceback (most recent call last):
    bayes_mdd.errors.UnreadableFileError: spec.yaml line 1 repeats the key 'draws': give it once.
    """
    check_size(name, len(text), MAX_YAML)
    if _SURROGATE.search(text):
        raise UnreadableFileError(f"{name} contains an escape that is half a character.")
    with own_errors(name, "YAML", "check its syntax"):
        loader = _Loader(text, name)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            loader.check_values(node)
            return loader.construct_document(node)
        except yaml.YAMLError as error:
            raise UnreadableFileError(f"{name} is not valid YAML{_where(error)}") from error
        finally:
            loader.dispose()


def _where(error: yaml.YAMLError) -> str:
    """Line, reason and remedy in one line."""
    mark = getattr(error, "problem_mark", None)
    reason = getattr(error, "problem", None) or brief(error)
    if "\\t" in reason:
        reason = "a tab; YAML is indented by spaces"
    elif "constructor for the tag" in reason:
        reason = f"{reason}; values are numbers, text, lists and mappings"
    place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark is not None else ""
    return f"{place}: {reason}. Correct the syntax."


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader within limits."""

    def __init__(self, text: str, file_name: str) -> None:
        super().__init__(text)
        self.file_name = file_name
        self.depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise UnreadableFileError(_too_deep(self.file_name))
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def check_values(self, node: yaml.Node) -> None:
        """Count the values that the aliases expand to, and check the keys of all mappings."""
        known: dict[int, int] = {}
        open_nodes: set[int] = set()

        def count(node: yaml.Node) -> int:
            if isinstance(node, yaml.ScalarNode):
                self.check_number(node)
                return 1
            if id(node) in open_nodes:
                raise UnreadableFileError(
                    f"{self.file_name} line {_line(node)} contains itself by an alias."
                )
            if id(node) not in known:
                open_nodes.add(id(node))
                if isinstance(node, yaml.MappingNode):
                    self.check_keys(node)
                known[id(node)] = 1 + sum(map(count, _children(node)))
                open_nodes.discard(id(node))
            if known[id(node)] > MAX_VALUES:
                raise UnreadableFileError(
                    f"{self.file_name} expands to more than {MAX_VALUES:,} values by its aliases: "
                    "write the values out, or give fewer."
                )
            return known[id(node)]

        count(node)

    def check_keys(self, node: yaml.MappingNode) -> None:
        keys = [k for k, _ in node.value if isinstance(k, yaml.ScalarNode) and k.tag != _MERGE]
        seen: set[Hashable] = set()
        for key in keys:
            # As values, because 1 and 0x1, or x and "x", are one key.
            self.check_number(key)
            value = self.construct_object(key)
            if value in seen:
                raise UnreadableFileError(
                    f"{self.file_name} line {_line(key)} repeats the key '{key.value}': give it "
                    "once."
                )
            seen.add(value)

    def check_number(self, node: yaml.ScalarNode) -> None:
        if node.tag in _NUMBERS and len(node.value) > MAX_DIGITS:
            raise UnreadableFileError(
                f"{self.file_name} line {_line(node)} has a number of {len(node.value)} characters."
            )


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _too_deep(name: str) -> str:
    return (
        f"{name} is nested more than {MAX_DEPTH} levels deep: check whether it is the right file."
    )


def read_json(path: str | Path, *, limit: int = MAX_TEXT) -> Any:
    """Read a JSON file.

    Parameters
    ----------
    path : str or Path
        The file.
    limit : int
        Largest accepted size, in bytes.

    Returns
    -------
    object
        Its content.

    Raises
    ------
    UnreadableFileError
        As `parse_json`, or if the file cannot be read.
    """
    return parse_json(read_text(path, limit=limit), Path(path).name)


def parse_json(text: str, name: str) -> Any:
    """Parse JSON.

    Parameters
    ----------
    text : str
        The text.
    name : str
        Name of the file, for messages.

    Returns
    -------
    object
        Its content.

    Raises
    ------
    UnreadableFileError
        If the text is not valid JSON, too deeply nested, or repeats a key.

    Examples
    --------
    >>> parse_json('{"Levels": {"HC": "control"}}', "participants.json")
    {'Levels': {'HC': 'control'}}
    """
    _check_depth(text, name)
    if _SURROGATE.search(text) and _has_surrogates(text):
        raise UnreadableFileError(f"{name} contains an escape that is half a character.")

    def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) < len(pairs):
            repeated = find_repeats(key for key, _ in pairs)
            raise UnreadableFileError(
                f"{name} repeats the key(s) {some(repeated)}: give each once."
            )
        return content

    with own_errors(name, "JSON", "check its syntax"):
        try:
            return json.loads(text, object_pairs_hook=_once)
        except json.JSONDecodeError as error:
            raise UnreadableFileError(
                f"{name} is not valid JSON ({brief(error)}); it may be truncated. Copy it "
                "again, or "
                "correct its syntax."
            ) from error


_STRING = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)


def _check_depth(text: str, name: str) -> None:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for mark in re.finditer(r"[\[\]{}]", _STRING.sub("", text)):
        depth += 1 if mark[0] in "[{" else -1
        if depth > MAX_DEPTH:
            raise UnreadableFileError(_too_deep(name))


def _has_surrogates(text: str) -> bool:
    """Whether escapes do not form pairs; the parser joins pairs to one character."""
    try:
        json.dumps(json.loads(text), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    except (ValueError, RecursionError):
        return False
    return False
