"""Simulated trials of a study that was stopped are read, the others follow."""

import pytest
from typer.testing import CliRunner

import bayes_mdd as bm
from bayes_mdd.cli.app import app
from bayes_mdd.parallel.software import describe_software
from bayes_mdd.studies import power


def plan(keep, repeats=20):
    return bm.plan_power(
        "policy", benefit_sd=1.0, candidates=1, simulate=True, repeats=repeats, keep=keep
    )


@pytest.fixture
def counted(monkeypatch):
    """Seeds of the trials that are simulated; the trial after `last` stops the study."""
    seeds = []

    def find(target, plan, total, seed):
        if len(seeds) == find.last:
            raise KeyboardInterrupt
        seeds.append(seed)
        return bool(seed % 3)

    find.last = None
    find.seeds = seeds
    monkeypatch.setattr(power, "_find_in_trial", find)
    return find


def test_a_stopped_simulation_continues(tmp_path, counted, monkeypatch):
    whole = plan(None)
    counted.seeds.clear()
    counted.last = 12
    with pytest.raises(KeyboardInterrupt):
        plan(tmp_path / "power.tsv")
    first, counted.last = list(counted.seeds), None
    counted.seeds.clear()
    assert plan(tmp_path / "power.tsv").equals(whole)
    assert len(first) == 12
    assert len(counted.seeds) == 8
    assert not set(first) & set(counted.seeds)
    assert not list(tmp_path.iterdir())


def test_other_software_computes_again(tmp_path, counted, monkeypatch):
    counted.last = 5
    with pytest.raises(KeyboardInterrupt):
        plan(tmp_path / "power.tsv")
    counted.last = None
    counted.seeds.clear()
    other = (*describe_software()[:-1], ("nilearn", "0.0"))
    monkeypatch.setattr("bayes_mdd.parallel.keep.describe_software", lambda: other)
    plan(tmp_path / "power.tsv")
    assert len(counted.seeds) == 20


def test_the_table_is_written_before_simulated_trials_are_forgotten(tmp_path, counted, monkeypatch):
    target = tmp_path / "new" / "power.tsv"
    words = ["power", "--target", "policy", "--benefit-sd", "1", "--candidates", "1"]
    words += ["--simulate", "--repeats", "20", "-o", str(target)]
    with monkeypatch.context() as patch:
        patch.setattr("bayes_mdd.cli.commands.power.write_text", _stop)
        assert CliRunner().invoke(app, words).exception is not None
    assert len(list(target.parent.glob(".bayes-mdd-unfinished-*/part-*"))) == 20
    counted.seeds.clear()
    assert CliRunner().invoke(app, words).exit_code == 0
    assert not counted.seeds
    assert [p.name for p in target.parent.iterdir()] == ["power.tsv"]
    assert target.read_text().startswith("method\t")
    assert isinstance(CliRunner().invoke(app, words).exception, bm.errors.RunFolderError)
    assert CliRunner().invoke(app, [*words, "--force"]).exit_code == 0


def _stop(*_):
    raise KeyboardInterrupt
