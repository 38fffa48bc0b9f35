"""Write the validation pages and the figures in the model cards from the stored results.

    python benchmarks/validation_pages.py

Reads ``benchmarks/results`` and the templates in ``benchmarks/validation``; writes
``docs/validation.md``, the pages in ``docs/validation`` and the marked blocks of ``models/*.md``.
Nothing is sampled. ``docs/validation/notes.md`` is written by hand and left alone.
"""

from __future__ import annotations

import argparse

from validation.build import ROOT, write_all


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    for path in write_all(ROOT, ROOT):
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
