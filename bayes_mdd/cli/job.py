"""The main job on files, as a sequence of calls into the rooms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

import bayes_mdd as bm
from bayes_mdd.cli import checking, show
from bayes_mdd.errors import SpecError
from bayes_mdd.specs import AnalysisSpec, read_spec

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_PACKAGE = Path(bm.__file__).parent
#: Where shipped models lie: inside a wheel, or beside the package in a checkout.
_MODEL_FOLDERS = (_PACKAGE / "_resources" / "models", _PACKAGE.parent / "models")
_DEMO_COHORT = _PACKAGE.parent / "data" / "demo"
#: What ``--quick`` changes.
QUICK: Mapping[str, Any] = {"sampler.draws": 300, "sampler.tune": 300, "sampler.chains": 2}


@dataclass(frozen=True)
class Outcome:
    """What a completed run folder says.

    Parameters
    ----------
    checks : pandas.DataFrame
        As `bayes_mdd.diagnose` returns it.
    factors : pandas.DataFrame
        As `bayes_mdd.classify_factors` returns it.
    arms : pandas.DataFrame
        As `bayes_mdd.explained_by_arm` returns it; empty for polar LDA.
    files : mapping of str to Path
        Where things are.
    """

    checks: pd.DataFrame
    factors: pd.DataFrame
    arms: pd.DataFrame
    files: Mapping[str, Path]

    @property
    def failed(self) -> list[str]:
        """Names of the checks that failed."""
        return checking.failed_checks(self.checks)

    def to_mapping(self) -> dict[str, Any]:
        """Plain values for JSON.

        Returns
        -------
        dict
            ``passed``, ``factors``, ``arms``, ``checks`` and ``files``; ``approximate`` for a fast
            fit.
        """
        approximate = {"approximate": True} if self.factors.attrs.get("approximate") else {}
        return {
            **approximate,
            "passed": not self.failed,
            "factors": show.records(self.factors),
            "arms": show.records(self.arms),
            "checks": show.records(self.checks),
            "files": {name: str(path) for name, path in self.files.items()},
        }


def read_named_spec(spec: str) -> AnalysisSpec:
    """Read a spec file, or a shipped model by its name.

    Parameters
    ----------
    spec : str
        A path such as ``my/spec.yaml``, or a name such as ``shared_specific``.

    Returns
    -------
    AnalysisSpec
        The checked spec.

    Raises
    ------
    SpecError
        If there is neither such a file nor such a model, or the spec is not valid.
    """
    if Path(spec).suffix in {".yaml", ".yml"} or Path(spec).exists():
        return read_spec(spec)
    shipped = {p.stem: p for folder in _MODEL_FOLDERS for p in sorted(folder.glob("*.yaml"))}
    if spec not in shipped:
        raise SpecError(
            f"There is no file '{spec}' and no shipped model of that name. "
            f"Give a .yaml file or one of: {', '.join(shipped)}."
        )
    return read_spec(shipped[spec])


def parse_settings(settings: Iterable[str]) -> dict[str, Any]:
    """Read ``KEY=VALUE`` words; values are YAML.

    Parameters
    ----------
    settings : iterable of str
        For example ``["model.n_factors=8", "model.covariates=[site, age]"]``.

    Returns
    -------
    dict
        Values by dotted key, for `AnalysisSpec.with_overrides`.

    Raises
    ------
    SpecError
        If a word is not of that form.

    Examples
    --------
    >>> parse_settings(["model.n_factors=8", "model.covariates=[site]"])
    {'model.n_factors': 8, 'model.covariates': ['site']}
    """
    values: dict[str, Any] = {}
    for word in settings:
        key, equals, text = word.partition("=")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            value = None
        if not (key and equals and text) or (value is None and text not in {"null", "~"}):
            raise SpecError(f"--set wants KEY=VALUE, e.g. model.n_factors=8, got '{word}'.")
        values[key.strip()] = value
    return values


def demo_cohort(output: Path) -> Path:
    """Find the demo cohort of the checkout, or simulate the same beside the run folder.

    Parameters
    ----------
    output : Path
        The run folder to come.

    Returns
    -------
    Path
        A cohort folder.
    """
    if (_DEMO_COHORT / "participants.tsv").exists():
        return _DEMO_COHORT
    folder = output.with_name(f"{output.name}_cohort")
    if not (folder / "participants.tsv").exists():
        show.note(f"Simulating the demo cohort in {folder}")
        bm.write_cohort(bm.simulate_cohort(), folder)
    return folder


def fit_cohort(
    spec: AnalysisSpec, folder: Path, run_dir: Path, *, force: bool, fast: bool = False
) -> xr.DataTree:
    """Read a cohort, put its features against the controls, and fit.

    Parameters
    ----------
    spec : AnalysisSpec
        What to fit and how.
    folder : Path
        The cohort.
    run_dir : Path
        The run folder to write.
    force : bool
        Whether a run folder that exists may be overwritten.
    fast : bool, default False
        Whether to take the fast path, whose intervals are approximate.

    Returns
    -------
    xarray.DataTree
        As `bayes_mdd.fit` returns it.
    """
    from bayes_mdd.cli.settle import read_inputs

    spec, measured, symptoms = read_inputs(spec, folder)
    features = bm.reference_to_controls(measured, covariates=spec.reference.covariates)
    quality = bm.check_quality(features, spec.quality, before=measured)
    for name, advice in quality.failed.items():
        show.note(f"Quality: {name}: {advice}")
    features = bm.record_quality(features, quality)
    show.note(
        f"Fitting {spec.model.n_factors} factors to {features.sizes['feature']} features "
        f"({_say_how(spec, fast=fast)})"
    )
    return bm.fit(
        spec.model,
        features,
        symptoms=symptoms,
        sampler=spec.sampler,
        method="fast" if fast else "mcmc",
        run_dir=run_dir,
        force=force,
        progressbar=show.is_terminal(),
    )


def _say_how(spec: AnalysisSpec, *, fast: bool) -> str:
    if fast:
        return "fast path, approximate"
    if getattr(spec.model, "method", None) == "variational":
        return f"variational, {spec.model.n_restarts} restarts, {spec.model.n_null} null fits"
    return f"{spec.sampler.chains} chains of {spec.sampler.tune} + {spec.sampler.draws} draws"


def complete_run(idata: xr.DataTree, run_dir: Path) -> Outcome:
    """Check a fitted run, export its signatures and write its report.

    Parameters
    ----------
    idata : xarray.DataTree
        The fitted run.
    run_dir : Path
        Its folder.

    Returns
    -------
    Outcome
        Checks, factors, and where things are.
    """
    # Imported here: `bayes-mdd --help` need not wait for pandas.
    import pandas as pd

    from bayes_mdd.polar_lda.table import is_polar_lda

    show.note("Checking, exporting signatures, writing the report")
    export_signatures(idata, run_dir / "signatures")
    return Outcome(
        checks=checking.write_checks(idata, run_dir).table,
        factors=bm.classify_factors(idata),
        arms=pd.DataFrame() if is_polar_lda(idata) else bm.explained_by_arm(idata),
        files={
            "run": run_dir,
            "checks": run_dir / "checks.json",
            "signatures": run_dir / "signatures",
            "report": bm.write_report(idata, run_dir / "report.html"),
        },
    )


def export_signatures(
    idata: xr.DataTree, folder: Path, *, atlas: Path | None = None
) -> Sequence[Path]:
    """Write the signature maps of a run; maps that are there are replaced.

    Parameters
    ----------
    idata : xarray.DataTree
        The fitted run.
    folder : Path
        Where the maps go.
    atlas : Path, optional
        Label image on which regional maps are drawn.

    Returns
    -------
    sequence of Path
        The files.
    """
    return bm.export_signatures(bm.signatures(idata), folder, atlas_img=atlas, overwrite=True)
