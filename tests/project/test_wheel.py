"""The built wheel works outside the checkout and carries its resources."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

# The demo cohort is a small one here: that it is made and can be read is the question.
PROBE = """
import functools, json, sys
from pathlib import Path
import bayes_mdd as bm
from bayes_mdd.cli import inputs, shipped

arms = {"SSRI": 6, "SNRI": 7}
bm.simulate_cohort = functools.partial(
    bm.simulate_cohort, 1, n_regions=14, n_subjects=arms, n_controls=8, source="edges"
)
demo = shipped.find_demo_cohort(Path(sys.argv[1]))
cohort = bm.read_cohort(demo)
bm.fit, bm.write_report
print(json.dumps({
    "package": str(Path(bm.__file__).parent),
    "n_factors": inputs.read_named_spec("shared_specific").model.n_factors,
    "participants": len(cohort.participants),
    "symptoms": sorted(map(str, cohort.symptoms.columns)),
    "findings": len(bm.find_evidence(estimand="moderation")),
    "demo": str(demo),
}))
"""


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
    assert "bayes_mdd/_resources/evidence/findings.tsv" in carried
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
        [sys.executable, "-W", "error::UserWarning", "-c", PROBE, str(elsewhere / "run")],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert Path(said["package"]).is_relative_to(site)
    assert said["n_factors"] == 8
    assert said["findings"] == 2
    assert said["participants"] == 6 + 7 + 8
    assert {"retardation", "cognitive"} <= set(said["symptoms"])
    # No checkout, no data/demo: the demo cohort is simulated beside the run folder.
    assert Path(said["demo"]) == elsewhere / "run_cohort"
    assert not Path(said["demo"]).is_relative_to(repository)
