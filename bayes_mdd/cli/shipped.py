"""Files that come with the package: models and the demo cohort."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import bayes_mdd as bm
from bayes_mdd.cli.messages import log

_PACKAGE = Path(bm.__file__).parent
#: Where shipped models are: inside a wheel, or beside the package in a checkout.
_MODEL_FOLDERS = (_PACKAGE / "_resources" / "models", _PACKAGE.parent / "models")
_DEMO_COHORT = _PACKAGE.parent / "data" / "demo"

_FILES: Mapping[str, Path] = {
    path.stem: path for folder in _MODEL_FOLDERS for path in sorted(folder.glob("*.yaml"))
}
#: Names of shipped specs of `bayes-mdd response`.
_OF_RESPONSE = frozenset(("treatment_response",))

#: Spec file of each shipped model, by name.
MODELS: Mapping[str, Path] = {n: p for n, p in _FILES.items() if n not in _OF_RESPONSE}
#: The same of treatment response.
RESPONSE_MODELS: Mapping[str, Path] = {n: p for n, p in _FILES.items() if n in _OF_RESPONSE}


def find_demo_cohort(run_dir: Path) -> Path:
    """Find the demo cohort of the checkout, or simulate the same cohort beside the run folder.

    Parameters
    ----------
    run_dir : Path
        The run folder that will be written.

    Returns
    -------
    Path
        A cohort folder.
    """
    if (_DEMO_COHORT / "participants.tsv").exists():
        return _DEMO_COHORT
    folder = run_dir.with_name(f"{run_dir.name}_cohort")
    if not (folder / "participants.tsv").exists():
        log.info("Simulating the demo cohort in %s", folder)
        bm.write_cohort(bm.simulate_cohort(), folder)
    return folder
