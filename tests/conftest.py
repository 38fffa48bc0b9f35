"""What every room's tests share."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

if TYPE_CHECKING:
    from browser import Browser
    from made_fit import Made

    from bayes_mdd.simulate import SimulatedCohort
    from bayes_mdd.specs import SharedSpecificSpec

# Before anything imports Matplotlib: no window, whatever the machine is set to.
os.environ["MPLBACKEND"] = "Agg"

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout that is tested."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Find a folder of real data by name; skips the test where it is not present."""
    given = os.environ.get("BAYES_MDD_SHARED_DATA")
    root = Path(given) if given else REPOSITORY.parent / "shared" / "data"

    def find(name: str) -> Path:
        folder = root / name
        if not folder.is_dir():
            pytest.skip(f"real data '{name}' not present (set BAYES_MDD_SHARED_DATA)")
        return folder

    return find


@dataclass(frozen=True)
class CommandResult:
    """What a call of the command line left behind."""

    status: int
    out: str
    err: str


def _run_cli(*words: object) -> CommandResult:
    from bayes_mdd.cli import main

    out, err = io.StringIO(), io.StringIO()
    status = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(w) for w in words])
        except SystemExit as leaving:
            status = int(leaving.code or 0)
    return CommandResult(status, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def run_cli() -> Callable[..., CommandResult]:
    """Call ``bayes-mdd`` in this process: ``run_cli("fit", spec, cohort)``."""
    return _run_cli


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium; skips the test where it is not installed."""
    from browser import find_chromium, open_browser

    if find_chromium() is None:
        pytest.skip("Chromium is not installed, so no page is opened")
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="session")
def small_cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated cohort folder: 12 + 12 patients, 10 controls, 14 regions. Do not change it."""
    from bayes_mdd.simulate import simulate_cohort, write_cohort

    folder = tmp_path_factory.mktemp("small") / "cohort"
    write_cohort(
        simulate_cohort(
            seed=3, n_regions=14, n_subjects={"SSRI": 12, "SNRI": 12}, n_controls=10, source="edges"
        ),
        folder,
    )
    return folder


SMALL_SPEC = """\
kind: shared_specific
model:
  n_factors: 3
  feature_dependence: independent
  covariates_if_present: [site, not_in_this_cohort]
  symptoms_if_present: [retardation, cognitive]
reference:
  covariates_if_present: [age, sex, mean_fd]
sampler: {seed: 1, draws: 200, tune: 300, chains: 2}
"""


@pytest.fixture(scope="session")
def small_spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spec file for `small_cohort` with few draws."""
    path = tmp_path_factory.mktemp("spec") / "small.yaml"
    path.write_text(SMALL_SPEC, encoding="utf-8")
    return path


@dataclass(frozen=True)
class SmallRun:
    """A finished run of the small cohort, made by the command line with real sampling."""

    folder: Path
    cohort: Path
    spec: Path
    command: CommandResult


@pytest.fixture(scope="session")
def small_run(
    small_cohort: Path, small_spec: Path, tmp_path_factory: pytest.TempPathFactory
) -> SmallRun:
    """One real run for the whole session (about 20 s). Copy its folder before changing it."""
    folder = tmp_path_factory.mktemp("run") / "small"
    command = _run_cli("fit", small_spec, small_cohort, "-o", folder)
    if not (folder / "posterior.nc").exists():
        pytest.fail(f"the small run did not finish ({command.status}):\n{command.err}")
    return SmallRun(folder, small_cohort, small_spec, command)


@dataclass(frozen=True)
class SeriesRun:
    """A fast fit of whitened edges of simulated time series, and participants held out of it."""

    cohort: SimulatedCohort
    features: xr.Dataset
    new: xr.Dataset
    spec: SharedSpecificSpec
    idata: xr.DataTree
    folder: Path

    def truth(self, names: Sequence[str]) -> np.ndarray:
        """True scores of participants in the order of the factors, shape (subject, factor)."""
        return self.cohort.truth["scores"].sel(subject=list(names)).values


#: Participants of each arm that are fitted; the others are held out.
FITTED_OF_ARM = 18


@pytest.fixture(scope="session")
def series_run(tmp_path_factory: pytest.TempPathFactory) -> SeriesRun:
    """One such fit for the whole session (about 8 s). Do not change it."""
    import bayes_mdd as bm

    cohort = bm.simulate_cohort(
        8,
        source="series",
        n_regions=21,
        n_subjects={"SSRI": 26, "SNRI": 26},
        n_controls=24,
        n_shared=1,
        n_specific={"SSRI": 1, "SNRI": 1},
        loading_scale=2.0,
        site_shift=0.0,
        covariate_effect=0.0,
    )
    features = bm.reference_to_controls(cohort.features)
    arm = features["arm"].values
    held = np.zeros(arm.size, dtype=bool)
    for name in ("SSRI", "SNRI"):
        held[np.flatnonzero(arm == name)[FITTED_OF_ARM:]] = True
    fitted = features.isel(subject=~held)
    spec = bm.SharedSpecificSpec(n_factors=3, symptoms=("retardation",))
    folder = tmp_path_factory.mktemp("series") / "run"
    idata = bm.fit(
        spec,
        fitted,
        symptoms=cohort.symptoms,
        method="fast",
        run_dir=folder,
        progressbar=False,
    )
    return SeriesRun(cohort, fitted, features.isel(subject=held), spec, idata, folder)


def _feature_set(
    y: np.ndarray,
    arm: Sequence[str],
    block: Sequence[str],
    **people: Sequence[object],
) -> xr.Dataset:
    """A FeatureSet as far as `prepare` reads it; further keywords are subject coordinates."""
    n, p = y.shape
    coords = {
        "subject": [f"sub-{i:02d}" for i in range(n)],
        "feature": [f"e{i}" for i in range(p)],
        "arm": ("subject", np.array(arm, dtype=object)),
        "block": ("feature", np.array(block, dtype=object)),
    }
    for name, values in people.items():
        coords[name] = ("subject", np.asarray(values))
    return xr.Dataset({"y": (("subject", "feature"), y)}, coords=coords)


@pytest.fixture(scope="session")
def feature_set() -> Callable[..., xr.Dataset]:
    """Build a FeatureSet: ``feature_set(y, arm, block, age=...)``."""
    return _feature_set


@pytest.fixture(scope="session")
def fit_of() -> Callable[..., Made]:
    """``fit_of(n=40, n_new=20, p=90, seed=0, ...)``: a fit whose posterior is the truth."""
    from made_fit import make_fit

    return make_fit


@pytest.fixture(scope="session")
def made() -> Made:
    """One such fit for all tests that do not change it."""
    from made_fit import make_fit

    return make_fit()


@pytest.fixture
def fake_idata() -> xr.DataTree:
    """A fitted result without a fit."""
    from fakes import make_fake_idata

    return make_fake_idata()
