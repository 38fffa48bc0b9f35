"""The scripts of the page about clusters do what it says, without SLURM."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bayes_mdd.parallel import batch
from bayes_mdd.parallel.batch import read_batch_system

pytestmark = pytest.mark.skipif(os.name == "nt", reason="shell scripts")


@pytest.fixture
def scripts(repository) -> Path:
    """The folder of the recipes."""
    return repository / "docs/recipes/slurm"


def command(folder: Path, name: str, text: str) -> Path:
    """Write a command that stands for another one on the PATH."""
    path = folder / name
    path.write_text(f"#!/bin/bash\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def environment(folder: Path, **more: object) -> dict[str, str]:
    """The environment of a job, with the commands of a folder first."""
    python = Path(sys.executable).parent
    path = f"{folder}{os.pathsep}{python}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, **{name: str(value) for name, value in more.items()}}


#: Stops in order at SIGTERM as `bayes-mdd` does, and ends well when there is a saved state.
STOPS = """\
echo "$@" >> calls
if [ -f saved ]; then exit 0; fi
trap 'touch saved; sleep 0.3; exit 143' TERM
touch started
for i in $(seq 600); do sleep 0.05; done
"""


def test_a_fit_that_reaches_its_time_limit_is_queued_again(scripts, tmp_path):
    command(tmp_path, "bayes-mdd", STOPS)
    command(tmp_path, "scontrol", 'echo "$@" >> requeued')
    words = ["bash", str(scripts / "fit.sh"), "fit", "shared_specific", "cohort", "-o", "run"]
    env = environment(tmp_path, SLURM_JOB_ID=17)
    job = subprocess.Popen(words, cwd=tmp_path, env=env)
    for _ in range(2000):
        if (tmp_path / "started").exists():
            break
        time.sleep(0.01)
    # --signal=B:TERM@120 tells the script alone.
    job.send_signal(signal.SIGTERM)
    assert job.wait(60) == 143
    assert (tmp_path / "requeued").read_text() == "requeue 17\n"
    again = subprocess.run(words, cwd=tmp_path, env=env, check=False)
    assert again.returncode == 0
    assert (tmp_path / "requeued").read_text() == "requeue 17\n"
    assert (tmp_path / "calls").read_text() == 2 * "fit shared_specific cohort -o run\n"


@pytest.mark.parametrize("status", [1, 2])
def test_a_failed_check_is_no_failed_task(scripts, tmp_path, status):
    command(tmp_path, "bayes-mdd", f'echo "$@" >> calls; exit {status}')
    listed = tmp_path / "list"
    listed.write_text("cohorts/first\ncohorts/second\n", encoding="utf-8")
    env = environment(tmp_path, SLURM_ARRAY_TASK_ID=1, SLURM_CPUS_PER_TASK=3)
    words = ["bash", str(scripts / "cohorts.sh"), str(listed), "runs", "--seed", "5"]
    done = subprocess.run(words, cwd=tmp_path, env=env, check=False)
    assert done.returncode == (0 if status == 1 else 2)
    assert (tmp_path / "calls").read_text() == (
        "fit shared_specific cohorts/second -o runs/second --set sampler.cores=3 --seed 5\n"
    )
    env["SLURM_ARRAY_TASK_ID"] = "2"
    beyond = subprocess.run(
        words, cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    assert beyond.stdout == f"Line 3 of {listed} is empty: nothing to do.\n"


def study(monkeypatch, scripts, words, **variables):
    """Call the script of the study in this process, without its fits."""
    namespace: dict[str, object] = {"__name__": "study", "__doc__": "A study."}
    source = (scripts / "study.py").read_text(encoding="utf-8")
    exec(compile(source, "study.py", "exec"), namespace)
    namespace["simulate_and_fit"] = lambda seed, given: {
        "shared": seed % 2, "specific": 2, "undecided": 0,
    }  # fmt: skip
    for name, value in variables.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(sys, "argv", ["study.py", *map(str, words)])
    namespace["main"]()  # type: ignore[operator]


def test_seeds_of_a_study_are_divided_and_combined(scripts, tmp_path, monkeypatch, capsys):
    results = tmp_path / "results"
    array = {"SLURM_ARRAY_TASK_COUNT": 3, "SLURM_ARRAY_TASK_MIN": 1}
    for task in (1, 3):
        study(
            monkeypatch, scripts, ["run", results, "--seeds", 7],
            SLURM_ARRAY_TASK_ID=task, **array,
        )  # fmt: skip
    with pytest.raises(SystemExit, match=r"2 of 7 seeds are missing \(2, 5\): submit again"):
        study(monkeypatch, scripts, ["combine", results, "--seeds", 7])
    study(monkeypatch, scripts, ["run", results, "--seeds", 7], SLURM_ARRAY_TASK_ID=2, **array)
    study(monkeypatch, scripts, ["combine", results, "--seeds", 7])
    assert "shared: 0.571 factors per cohort" in capsys.readouterr().out
    lines = (results / "study.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in lines] == ["seed", *map(str, range(1, 8))]
    # A seed of other settings is not combined with the rest.
    path = results / "seed-000003.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"regions": 9}), encoding="utf-8")
    with pytest.raises(SystemExit, match="different settings"):
        study(monkeypatch, scripts, ["combine", results, "--seeds", 7])


@pytest.mark.slow
def test_tasks_of_the_study_script_run(scripts, tmp_path):
    small = ["--seeds", "4", "--per-arm", "12", "--regions", "14"]
    for task in (0, 1):
        subprocess.run(
            ["bash", str(scripts / "study.sh"), str(scripts / "study.py"), "results", *small],
            cwd=tmp_path,
            env=environment(tmp_path, SLURM_ARRAY_TASK_ID=task, SLURM_ARRAY_TASK_COUNT=2),
            check=True,
        )
    python = [sys.executable, str(scripts / "study.py"), "combine", "results", *small]
    done = subprocess.run(python, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "specific:" in done.stdout
    assert len((tmp_path / "results/study.tsv").read_text().splitlines()) == 5


def test_the_example_of_a_batch_system_is_valid(scripts):
    pytest.importorskip("distributed")
    read = read_batch_system(scripts / "slurm.yaml")
    assert (read.system, read.workers) == ("slurm", 40)


#: Runs the script of a job in a session of its own, as `sbatch` would on another machine, from a
#: copy, because the script may be removed once it is submitted.
SBATCH = """\
mkdir -p {folder}/jobs
id=$(ls {folder}/jobs | wc -l)
cp "$1" {folder}/$id.sh
setsid bash {folder}/$id.sh > {folder}/$id.log 2>&1 &
echo $! > {folder}/jobs/$id
echo "Submitted batch job $id"
"""


@pytest.mark.slow
def test_jobs_of_a_batch_system_work_and_are_submitted_again(scripts, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    import bayes_mdd as bm
    from bayes_mdd.parallel.fan_out import fan_out

    command(tmp_path, "sbatch", SBATCH.format(folder=tmp_path))
    command(tmp_path, "scancel", f'kill -TERM -- "-$(cat {tmp_path}/jobs/$1)"')
    monkeypatch.setenv("PATH", environment(tmp_path)["PATH"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(batch, "UPKEEP", 1)
    text = (scripts / "slurm.yaml").read_text(encoding="utf-8")
    described = tmp_path / "slurm.yaml"
    small = text.replace("jobs: 10", "jobs: 1").replace("cores: 4", "cores: 1")
    described.write_text(small.replace("16GB", "1GB"), encoding="utf-8")
    with bm.use_cluster(described):
        assert fan_out(divmod, [(n, 7) for n in range(9)]) == [divmod(n, 7) for n in range(9)]
        # The time limit of the only job.
        os.killpg(int((tmp_path / "jobs/0").read_text()), signal.SIGKILL)
        for _ in range(1200):
            if (tmp_path / "jobs/1").exists():
                break
            time.sleep(0.1)
        assert fan_out(divmod, [(n, 5) for n in range(9)]) == [divmod(n, 5) for n in range(9)]
