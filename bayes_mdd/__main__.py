"""The command line as a module: ``python -m bayes_mdd`` is ``bayes-mdd``."""

from __future__ import annotations

from bayes_mdd.cli import main

if __name__ == "__main__":
    main()
