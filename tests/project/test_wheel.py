"""The built wheel works outside the checkout and carries its resources."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PROBE = """
import json, sys
from pathlib import Path
import bayes_mdd as bm
from bayes_mdd.cli import inputs, shipped

cohort_folder = Path(sys.argv[1])
bm.write_cohort(bm.simulate_cohort(seed=1), cohort_folder)
cohort = bm.read_cohort(cohort_folder)
bm.fit, bm.write_report
print(json.dumps({
    "package": str(Path(bm.__file__).parent),
    "n_factors": inputs.read_named_spec("shared_specific").model.n_factors,
    "participants": len(cohort.participants),
    "symptoms": sorted(map(str, cohort.symptoms.columns)),
    "demo": str(shipped.find_demo_cohort(cohort_folder.with_name("run"))),
}))
"""


@pytest.fixture(scope="module")
def wheel(repository, tmp_path_factory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


def test_every_file_of_the_package_is_carried(wheel, repository):
    here = {
        p.relative_to(repository).as_posix()
        for p in (repository / "bayes_mdd").rglob("*")
        if p.is_file() and "__pycache__" not in p.parts
    }
    carried = set(wheel.namelist())
    assert here <= carried
    assert "bayes_mdd/py.typed" in carried
    assert "bayes_mdd/_resources/models/shared_specific.yaml" in carried
    assert any(name.endswith("licenses/LICENSE") for name in carried)
    assert not [n for n in carried if n.startswith(("tests/", "data/")) or "__pycache__" in n]


def test_entry_point_is_the_command_line(wheel):
    (name,) = (n for n in wheel.namelist() if n.endswith("entry_points.txt"))
    assert "bayes-mdd = bayes_mdd.cli:main" in wheel.read(name).decode()


def test_wheel_works_outside_the_checkout(wheel, repository, tmp_path):
    # Unpacking a pure wheel is what `pip install --no-deps --target` does.
    site = tmp_path / "site"
    wheel.extractall(site)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", PROBE, str(elsewhere / "cohort")],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert Path(said["package"]).is_relative_to(site)
    assert said["n_factors"] == 8
    assert said["participants"] == 31 + 31 + 39
    assert {"retardation", "cognitive"} <= set(said["symptoms"])
    # No checkout, no data/demo: the demo cohort is simulated beside the run folder.
    assert Path(said["demo"]) == elsewhere / "run_cohort"
    assert not Path(said["demo"]).is_relative_to(repository)
