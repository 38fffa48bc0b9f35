"""Marks by which folders of this package are told from all others, read without heavy imports."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from bayes_mdd.errors import RunFolderError, some

#: Files of a run folder.
POSTERIOR = "posterior.nc"
PROVENANCE = "provenance.json"
SPEC = "spec.yaml"
#: Participants by arm, as aggregated numbers: the file, and the attribute of a result.
TABLE_ONE, SAMPLE = "table1.tsv", "sample"
#: List of the files of an export, in its folder.
EXPORT = "export.json"
#: Summary of a cohort for the combination with others, in the folder of its export.
SUMMARY = "summary.nc"
#: Log of the commands that wrote to a run.
LOG = "log.jsonl"
#: Name of the export that holds all that may leave the site, and of its archive.
SHARE, ARCHIVE = "share", "share.zip"
#: Tables of treatment response in a run folder, without suffix.
RESPONSE_TABLES = (
    *("summary", "policy", "curve", "toc", "calibration", "priors", "flow", "balance"),
    *("checks", "controls"),
    *("missing", "tipping", "tripod_ai", "baselines", "baselines_paired", "recommendations"),
)
#: Files that operating systems and editors leave in folders.
_BY_THE_WAY = (".DS_Store", "._*", "Thumbs.db", "desktop.ini", ".nfs*", ".part-*", ".*.tmp")
#: Larger files are not the small JSON of a mark.
_LARGEST = 2**24


@dataclass(frozen=True)
class FolderKind:
    """A kind of folder that this package writes, and may therefore replace.

    Parameters
    ----------
    name : str
        For messages, e.g. ``"run"``.
    is_marked : callable
        Tells whether a folder carries the mark of the kind.
    files : sequence of str
        Patterns of all files that the package writes there; ``*`` stands for part of one name.
    """

    name: str
    is_marked: Callable[[Path], bool]
    files: Sequence[str]

    def foreign(self, folder: Path) -> list[str]:
        """List what the package did not write there.

        Parameters
        ----------
        folder : Path
            A folder of this kind.

        Returns
        -------
        list of str
            Files and empty folders, relative to `folder`, in order.
        """
        found = []
        for path in sorted(folder.rglob("*")):
            if path.is_dir() and not path.is_symlink() and any(path.iterdir()):
                continue
            name = path.relative_to(folder).as_posix()
            if not (self._has(name) or any(fnmatchcase(path.name, p) for p in _BY_THE_WAY)):
                found.append(name)
        return found

    def _has(self, name: str) -> bool:
        parts = name.split("/")
        return any(
            len(parts) == len(pattern) and all(map(fnmatchcase, parts, pattern))
            for pattern in (p.split("/") for p in self.files)
        )


def read_mark(path: Path) -> dict[str, Any]:
    """Read a small JSON file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict
        Its content; empty if there is no such file, or it holds something else.
    """
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return {}
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _is_run(folder: Path) -> bool:
    return {"fingerprint", "model", "sampler", "inputs_sha256"} <= read_mark(
        folder / PROVENANCE
    ).keys()


def _is_simulated(folder: Path) -> bool:
    """Tell by the stated generator and the settings of the simulation."""
    made_by = read_mark(folder / "dataset_description.json").get("GeneratedBy")
    return made_by == [{"Name": "bayes_mdd.simulate"}] and bool(
        read_mark(folder / "truth" / "settings.json")
    )


#: Runs of treatment response inside the run folder of the demo.
CROSSOVER, NULL_TWIN = "response_crossover", "response_null_twin"

#: Files of exports in the folder ``export`` of a run.
EXPORTED = (
    f"*/{EXPORT}",
    *(f"{name}/factor-*" for name in ("nifti", "brainnet", "graphml", "cifti", "gifti")),
    *("html/factor-*", "html/index.html"),
    *(f"bids/{name}" for name in ("README", ".bidsignore", "dataset_description.json")),
    *(f"bids/{name}" for name in ("atlases/*/atlas-regions*", "group/seg-regions*")),
    *(f"tables/{name}.tsv" for name in ("factors", "links", "links_by_arm", "arms", "scores")),
    *(f"tables/{name}.tsv" for name in ("top_loadings", "top_regions")),
    *("anndata/run.h5ad", "anndata/run.json"),
    *(f"summary/{name}" for name in (SUMMARY, "summary.json", "factors.tsv")),
    *("tables/dictionary.tsv", "tables/tables.json"),
    *("neurovault/factor-*", "neurovault/images.tsv", "neurovault/collection.json"),
    *(f"figures/{name}" for name in ("*.svg", "*.png", "figures.json", "README.md")),
    *(f"{SHARE}/{name}" for name in ("*", "signatures/*", "tables/*", "response/*")),
    ARCHIVE,
)

_RUN_FILES = (
    SPEC,
    PROVENANCE,
    POSTERIOR,
    "roles.tsv",
    TABLE_ONE,
    "checks.json",
    LOG,
    "report.html",
    "permutations.tsv",
    "predictive_*.tsv",
    "prior_sensitivity.tsv",
    "smallest_trait.tsv",
    "compare_*.tsv",
    "compare_people.nc",
    *(f"signatures/{p}" for p in ("signatures.*", "factor-*")),
    *(f"projections/*.{suffix}" for suffix in ("tsv", "json", "nc")),
    *(f"export/{name}" for name in EXPORTED),
    *(f"response/{name}" for name in (SPEC, PROVENANCE, POSTERIOR, "verdict.json")),
    *(f"response/{name}" for name in ("report.html", "recommendations.json")),
    *(f"response/{name}" for name in ("baselines.html", "baselines.json", "folds.tsv")),
    *(f"response/{name}.tsv" for name in RESPONSE_TABLES),
)

RUN = FolderKind(
    "run",
    _is_run,
    (
        *_RUN_FILES,
        *(f"{part}/{name}" for part in (CROSSOVER, NULL_TWIN) for name in _RUN_FILES),
    ),
)

#: Result of cohorts combined from their summaries, and what tells its folder from others.
COMBINED_POSTERIOR, COMBINED_FACTS = "combined.nc", "combined.json"


def _is_combined(folder: Path) -> bool:
    return {"Combined", "Cohorts", "GeneratedBy"} <= read_mark(folder / COMBINED_FACTS).keys()


COMBINED = FolderKind(
    "combined result",
    _is_combined,
    (
        COMBINED_POSTERIOR,
        COMBINED_FACTS,
        "report.html",
        *("patterns.tsv", "cohorts.tsv", "links.tsv"),
        *(f"signatures/{p}" for p in ("signatures.*", "factor-*")),
    ),
)

SIMULATED = FolderKind(
    "simulated cohort",
    _is_simulated,
    (
        "README",
        "dataset_description.json",
        "participants.tsv",
        "participants.json",
        "phenotype/hamd17.tsv",
        "phenotype/hamd17.json",
        "phenotype/hamd17_null.*",
        "phenotype/disposition.tsv",
        "phenotype/disposition.json",
        "features/regions.tsv",
        "features/features.json",
        "features/sub-*_atlas-demo*",
        "examples/sub-*_atlas-demo*_timeseries.tsv",
        "truth/*.tsv",
        "truth/*.json",
    ),
)


def require_run(folder: str | Path) -> Path:
    """Check that a folder holds a finished run, before anything is imported or computed.

    Parameters
    ----------
    folder : str or Path
        A run folder.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    RunFolderError
        If it does not exist, is a file or holds no run; names runs inside it.
    """
    folder = Path(folder)
    if (folder / POSTERIOR).is_file():
        return folder
    if not folder.exists():
        raise RunFolderError(
            f"{folder} does not exist: pass the run folder that `bayes-mdd fit` wrote."
        )
    if not folder.is_dir():
        raise RunFolderError(
            f"{folder} is a file: pass the run folder that `bayes-mdd fit` wrote, not a file in it."
        )
    if (folder / "participants.tsv").exists():
        advice = "it is a cohort; fit it first, and pass the run folder."
    elif runs := sorted(p.parent.name for p in folder.glob(f"*/{POSTERIOR}")):
        advice = f"it holds the runs {some(runs)}; pass one of them."
    else:
        advice = "pass the folder that `bayes-mdd fit` wrote, or fit again."
    raise RunFolderError(f"{folder} contains no finished run ({POSTERIOR} is missing): {advice}")
