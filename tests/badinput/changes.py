"""Changes that make a valid input bad; each takes the folder that holds the copies."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
from badinput import valid

Change = Callable[[Path], None]
Cells = list[list[str]]


def nothing(root: Path) -> None:
    """Change nothing: the command itself is bad."""


def several(*changes: Change) -> Change:
    def change(root: Path) -> None:
        for one in changes:
            one(root)

    return change


def text(name: str, content: str) -> Change:
    """Write a text file, which may replace one."""

    def change(root: Path) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")

    return change


def raw(name: str, content: bytes) -> Change:
    def change(root: Path) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    return change


def json_file(name: str, content: object) -> Change:
    return lambda root: valid.write_json(root / name, content)


def replaced(name: str, old: str, new: str, count: int = 1) -> Change:
    """Replace text that must be there."""

    def change(root: Path) -> None:
        before = (root / name).read_text(encoding="utf-8")
        assert old in before, f"{name} does not contain {old!r}"
        (root / name).write_text(before.replace(old, new, count), encoding="utf-8")

    return change


def shortened(name: str, share: float = 0.5) -> Change:
    """Keep the first part of a file only."""

    def change(root: Path) -> None:
        whole = (root / name).read_bytes()
        (root / name).write_bytes(whole[: int(len(whole) * share)])

    return change


def gone(name: str) -> Change:
    def change(root: Path) -> None:
        (root / name).unlink()

    return change


def copied(name: str, other: str) -> Change:
    def change(root: Path) -> None:
        (root / other).parent.mkdir(parents=True, exist_ok=True)
        (root / other).write_bytes((root / name).read_bytes())

    return change


def moved(name: str, other: str) -> Change:
    return several(copied(name, other), gone(name))


def folder(name: str) -> Change:
    return lambda root: (root / name).mkdir(parents=True)


def encoded(name: str, encoding: str, old: str = "", new: str = "") -> Change:
    def change(root: Path) -> None:
        content = (root / name).read_text(encoding="utf-8").replace(old, new, 1)
        (root / name).write_bytes(content.encode(encoding))

    return change


def table(name: str, edit: Callable[[Cells], Cells]) -> Change:
    """Edit the cells of a table, of which the first row is the header."""

    def change(root: Path) -> None:
        lines = (root / name).read_text(encoding="utf-8").splitlines()
        cells = edit([line.split("\t") for line in lines])
        (root / name).write_text("\n".join("\t".join(r) for r in cells) + "\n", encoding="utf-8")

    return change


def cell(name: str, row: str, column: str, value: str) -> Change:
    """Set one cell, of the row whose first cell is `row` (``row/session`` for ratings)."""
    return cells(name, {row: value}, column)


def cells(name: str, values: dict[str, str], column: str) -> Change:
    def edit(content: Cells) -> Cells:
        at = content[0].index(column)
        found = set()
        for line in content[1:]:
            for key in (line[0], "/".join(line[:2])):
                if key in values:
                    line[at] = values[key]
                    found.add(key)
        assert found == set(values), f"{name} has no row {set(values) - found}"
        return content

    return table(name, edit)


def column(name: str, header: str, values: Callable[[list[str]], str]) -> Change:
    """Set or add a column, from the other cells of each row."""

    def edit(content: Cells) -> Cells:
        if header not in content[0]:
            for line in content:
                line.append("")
            content[0][-1] = header
        at = content[0].index(header)
        for line in content[1:]:
            line[at] = values(line)
        return content

    return table(name, edit)


def without_column(name: str, header: str) -> Change:
    def edit(content: Cells) -> Cells:
        at = content[0].index(header)
        return [line[:at] + line[at + 1 :] for line in content]

    return table(name, edit)


def renamed(name: str, header: str, other: str) -> Change:
    return table(name, lambda c: [[other if h == header else h for h in c[0]], *c[1:]])


def without_rows(name: str, *keys: str) -> Change:
    return table(name, lambda c: [line for line in c if line[0] not in keys])


def repeated_row(name: str, key: str) -> Change:
    return table(name, lambda c: [*c, *[line for line in c if line[0] == key][:1]])


def keys(name: str, **values: object) -> Change:
    """Set keys of a JSON file; None removes one. ``a__b`` is the key b of a."""

    def change(root: Path) -> None:
        content = json.loads((root / name).read_text(encoding="utf-8"))
        for key, value in values.items():
            *above, last = key.split("__")
            inner = content
            for part in above:
                inner = inner[part]
            if value is None:
                del inner[last]
            else:
                inner[last] = value
        valid.write_json(root / name, content)

    return change


def array(name: str, values: np.ndarray) -> Change:
    """Write an .npy file, in place of the .tsv file of this name."""

    def change(root: Path) -> None:
        (root / name).with_suffix(".tsv").unlink(missing_ok=True)
        np.save(root / name, values, allow_pickle=True)

    return change


def arrays(name: str, **values: np.ndarray) -> Change:
    def change(root: Path) -> None:
        for suffix in (".tsv", ".npy"):
            (root / name).with_suffix(suffix).unlink(missing_ok=True)
        np.savez(root / name, **values)

    return change


def image(
    name: str,
    edit: Callable[[np.ndarray], np.ndarray] = lambda v: v,
    affine: np.ndarray = valid.AFFINE,
    tr: float = 2.0,
) -> Change:
    """Change the values or the place of an image."""

    def change(root: Path) -> None:
        values = np.asanyarray(nib.load(root / name).dataobj)
        valid.save_image(root / name, edit(values), affine, tr=tr)

    return change


def codes(name: str, sform: int, qform: int) -> Change:
    """Set the codes that say which space an image is in."""

    def change(root: Path) -> None:
        before = nib.load(root / name)
        values = np.asanyarray(before.dataobj)
        made = nib.Nifti1Image(values, before.affine, before.header)
        made.header["sform_code"], made.header["qform_code"] = sform, qform
        nib.save(made, root / name)

    return change
