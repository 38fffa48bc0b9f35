"""README of a shared run: what is in it, what was left out, and how it is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bayes_mdd import __version__
from bayes_mdd.files.replace import write_text

README: Final = "README.md"
#: Parts, in the order of the text.
_PARTS: Final = (
    ("report.html", "report of the fit; opens in any browser, offline"),
    ("signatures", "map of every factor as table, matrix, netCDF and image, with sidecars"),
    ("tables", "factors, arms, symptom links and strongest loadings; `dictionary.tsv`"),
    ("spec.yaml", "model and settings of the sampler"),
    ("provenance.json", "versions, seed, checksums of the inputs, times"),
    ("checks.json", "every check with value, threshold, verdict and advice"),
    ("roles.tsv", "number of participants in each role; groups below five are merged"),
    ("table1.tsv", "participants by arm; counts below five are withheld"),
    ("posterior.nc", "draws of loadings, sharing, scales, noise and symptom weights"),
    ("smallest_trait.tsv", "smallest factors that the cohort could have shown"),
    ("permutations.tsv", "refits with permuted arm labels"),
    ("prior_sensitivity.tsv", "results that depend on a prior"),
    ("predictive_checks.tsv", "posterior predictive checks, also by block and factor"),
    ("response", "report, verdict and tables of the analysis of treatment response"),
    ("manifest.sha256", "checksums; `sha256sum --check manifest.sha256`"),
)
_TEXT: Final = """\
# Results that can be shared

Written by bayes-mdd {version}. Nothing in this folder names or describes a single participant.

| file or folder | content |
|---|---|
{rows}

## Left out

- ids of participants, also of those who were not fitted, and names of files by participant;
- features, ratings, covariates (age, sex, site, motion) and scores of participants, and draws of
  them; similarities between participants and cross-products of features;
- counts below five of a property or of a reason for leaving the analysis, as in Table 1;
- the command line, folders, the name of the user and of the machine;
- `log.jsonl`, `projections/`, recommendations and other exports of the run.

## How to open it

```python
import bayes_mdd as bm

run = bm.read_run("share")
bm.classify_factors(run)
maps = bm.signatures(run)
bm.plotting.plot_sharing(run)
```

`bayes-mdd export share --format nifti` and other formats without participants work as well, and
ArviZ takes `run`. What needs participants (checks of the fit, projection, refits, scores) says so.
`bayes-mdd check share --privacy` compares the files with the manifest.
"""


def write_readme(folder: Path) -> None:
    """Describe a shared run for who opens it.

    Parameters
    ----------
    folder : Path
        The folder, with all its other files.
    """
    there = [(n, what) for n, what in _PARTS if (folder / n).exists() or n == _PARTS[-1][0]]
    rows = "\n".join(
        f"| `{name}{'/' if (folder / name).is_dir() else ''}` | {what} |" for name, what in there
    )
    write_text(folder / README, _TEXT.format(version=__version__, rows=rows))
