"""Write the page of bad inputs: ``python tests/badinput/write_page.py``."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from badinput.case import Case
from badinput.catalogue import CATALOGUE

PAGE = "docs/validation/bad_input.md"
_HEAD = """\
<!-- Written by `python tests/badinput/write_page.py`. Do not edit. -->

# Bad input

What is said about {n} bad inputs of {kinds} kinds, over all readers, specs, commands and public
functions. Each is a small valid input with a change, made by `tests/badinput/` and tested by
`tests/badinput/test_bad_inputs.py`: the exit status is 2 (in Python, an exception of the package),
there is one message and no traceback, all problems are listed at once, and no result is written.
The message names the file, the row, column or participant where there is one, the rule and what to
do; where the rule states the values that are accepted, it is also the remedy. Messages are
shortened (...). Unusual input that is right must be accepted: `tests/badinput/good.py`.

Damaged files (bytes changed at random) are counted in [damaged files](damaged_files.md).
"""


def render() -> str:
    """Render the page.

    Returns
    -------
    str
        Markdown.
    """
    n = sum(len(cases) for cases in CATALOGUE.values())
    parts = [_HEAD.format(n=n, kinds=len(CATALOGUE))]
    for kind, cases in CATALOGUE.items():
        rows = [f"| {_cell(case.name)} | {_said(case)} |" for case in cases]
        parts.append("\n".join((f"## {kind}\n", "| What is wrong | Message |", "|---|---|", *rows)))
    return "\n".join(f"{part.rstrip()}\n" for part in parts)


def _said(case: Case) -> str:
    """Join the parts of a message, without those that another part contains."""
    parts = [p for p in (case.file, case.where, case.rule, case.remedy, *case.also) if p]
    kept = [
        p
        for i, p in enumerate(parts)
        if not any(p in q for q in (*parts[i + 1 :], *parts[:i]) if p != q)
    ]
    return _cell(" ... ".join(dict.fromkeys(kept)))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


def main() -> None:
    """Write the page into the checkout."""
    root = Path(__file__).resolve().parent.parent.parent
    (root / PAGE).write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
