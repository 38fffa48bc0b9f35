"""One folder with all that may leave the site, searched for participants before it is written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pandas as pd

from bayes_mdd.dims import MISSING
from bayes_mdd.errors import DataContractError
from bayes_mdd.features.disclosure import LEAST
from bayes_mdd.features.sample import read_sample
from bayes_mdd.files.marks import POSTERIOR, PROVENANCE, SAMPLE, SPEC, TABLE_ONE
from bayes_mdd.files.netcdf import write_netcdf
from bayes_mdd.files.replace import make_folder, write_text
from bayes_mdd.results.checks import judge
from bayes_mdd.results.export import export_signatures
from bayes_mdd.results.exports import tables
from bayes_mdd.results.exports.material import Material, write_json
from bayes_mdd.results.exports.share_readme import write_readme
from bayes_mdd.results.exports.shared_run import SharedRun
from bayes_mdd.results.manifest import MANIFEST, format_manifest, list_checksums
from bayes_mdd.results.population import find_dimensions, find_small_arms, keep_population
from bayes_mdd.results.privacy import list_participants, withhold
from bayes_mdd.results.privacy_check import list_shared_files, search_files
from bayes_mdd.results.private import collect_private
from bayes_mdd.results.stored_checks import CHECKS_FILE
from bayes_mdd.specs import AnalysisSpec, write_spec

REPORT: Final = "report.html"
ROLES: Final = "roles.tsv"
#: Parts of a run folder that are made again, without participants, and not copied.
_MADE: Final = (REPORT, "signatures", "export", SPEC, ROLES, TABLE_ONE)


def why_not(material: Material) -> str | None:
    """Say why a run cannot be shared.

    Parameters
    ----------
    material : Material
        The run.

    Returns
    -------
    str or None
        None where it can.
    """
    run = material.shared
    if run is None or run.result.shared:
        return "the run was exported with this format already: pass the run of the fit."
    if small := find_small_arms(run.result):
        return (
            f"{', '.join(small)}: fewer than {LEAST} participants; draws of so small an arm "
            "describe single persons."
        )
    return None


def write(material: Material, folder: Path) -> None:
    """Write report, maps, tables, settings, checks and draws of the population.

    Parameters
    ----------
    material : Material
        The run.
    folder : Path
        Gets the files, ``README.md`` and ``manifest.sha256``.

    Raises
    ------
    DataContractError
        If any file names or describes a participant, with all findings. The folder is not kept
        then.
    """
    run = material.shared
    assert run is not None
    result, ids = run.result, list_participants(run.result)
    run.write_report(folder / REPORT)
    export_signatures(material.sig, folder / "signatures")
    tables.write(material, make_folder(folder / "tables"))
    write_spec(AnalysisSpec(model=result.spec, sampler=result.sampler), folder / SPEC)
    leverage = list(run.factors["leverage"]) if "leverage" in run.factors.columns else None
    tree = keep_population(result, leverage)
    write_netcdf(tree, folder / POSTERIOR)
    provenance = json.loads(tree.attrs["provenance"])
    write_json(folder / PROVENANCE, provenance)
    write_json(folder / CHECKS_FILE, _describe_checks(run.checks, ids))
    for name, table in (
        (ROLES, pd.DataFrame(provenance.get("roles") or [])),
        (TABLE_ONE, read_sample(result.tree.attrs.get(SAMPLE))),
    ):
        if table is not None and len(table):
            write_text(folder / name, table.to_csv(sep="\t", index=False, na_rep=MISSING))
    for source in _list_copied(run):
        copy = folder / source.relative_to(run.run_dir or source.parent)
        make_folder(copy.parent)
        copy.write_bytes(source.read_bytes())
    write_readme(folder)
    problems = [*find_dimensions(tree), *_search(folder, run)]
    if problems:
        raise DataContractError("share", problems)
    write_text(folder / MANIFEST, format_manifest(list_checksums(folder)))


def _describe_checks(checks: pd.DataFrame, ids: frozenset[str]) -> dict[str, Any]:
    rows = json.loads(checks.to_json(orient="records", double_precision=15))
    rows = [{k: withhold(v, ids) if isinstance(v, str) else v for k, v in r.items()} for r in rows]
    verdict = judge(checks)
    return {"passed": verdict.passed, "verdict": verdict.to_mapping(), "checks": rows}


def _list_copied(run: SharedRun) -> list[Path]:
    """Files of the run folder that are meant to be shared and hold results of other analyses."""
    if run.run_dir is None:
        return []
    return [
        path
        for path in list_shared_files(run.run_dir)
        if path.relative_to(run.run_dir).parts[0] not in _MADE and not path.is_symlink()
    ]


def _search(folder: Path, run: SharedRun) -> Iterator[str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    found = search_files(files, collect_private(run.result), folder)
    copied = run.run_dir and {p.relative_to(run.run_dir).as_posix() for p in _list_copied(run)}
    for row in found.itertuples(index=False):
        again = (
            " Write it again without --with-participants, or with this version."
            if copied and row.file in copied
            else ""
        )
        yield f"{row.file} ({row.where}) holds {row.found}.{again}"
