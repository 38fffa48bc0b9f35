"""Messages on stderr: what --quiet and --verbose change, and what they leave."""

from __future__ import annotations

import logging
import warnings

import pytest

import bayes_mdd as bm
from bayes_mdd.cli import main, messages
from bayes_mdd.errors import SpecError

PROGRESS = "Reading "


@pytest.fixture
def asked(monkeypatch):
    """Replace the fit by one that logs, warns and stops; returns what it was asked to do."""
    seen: dict[str, object] = {}

    def fit(spec, features, **rest):
        seen.update(rest, spec=spec)
        logging.getLogger("bayes_mdd.sampling").info("one line of the log")
        warnings.warn("one warning", UserWarning, stacklevel=1)
        raise SpecError("asked enough")

    monkeypatch.setattr(bm, "fit", fit, raising=False)
    return seen


@pytest.fixture
def run_fit(asked, small_spec, small_cohort, tmp_path, run_cli):
    def run(*words: object):
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            done = run_cli("fit", small_spec, small_cohort, "-o", tmp_path / "run", *words)
        assert done.status == 2
        assert done.out == ""
        assert "Error: asked enough" in done.err
        assert "Warning: one warning" in done.err
        return done.err

    return run


def test_progress_is_printed_and_the_log_is_not(run_fit):
    said = run_fit()
    assert PROGRESS in said
    assert "Fitting the model shared_specific to 91 features (2 chains of 300 + 200 draws)" in said
    assert "Note: model.covariates leaves out 'not_in_this_cohort'" in said
    assert "one line of the log" not in said


def test_quiet_leaves_warnings_and_errors(run_fit, asked):
    said = run_fit("--quiet")
    assert PROGRESS not in said
    assert "Note:" not in said
    assert all(line.startswith(("Warning: ", "Error: ")) for line in said.splitlines())
    assert asked["progressbar"] is False


@pytest.mark.parametrize("flag", ["-v", "--verbose"])
def test_verbose_adds_the_log_of_the_package(run_fit, flag):
    said = run_fit(flag)
    assert PROGRESS in said
    assert "[bayes_mdd.sampling] one line of the log" in said


def test_verbose_and_quiet_exclude_each_other(small_cohort, run_cli):
    done = run_cli("fit", "shared_specific", small_cohort, "-v", "--quiet")
    assert done.status == 2
    assert "--verbose and --quiet exclude each other" in done.err


def test_progress_bars_are_for_terminals_and_not_quiet(monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with messages.on_stderr():
        assert messages.show_progress_bar()
        messages.set_verbosity(verbose=False, quiet=True)
        assert not messages.show_progress_bar()


def test_loggers_are_left_as_they_were(run_fit):
    package = logging.getLogger("bayes_mdd")
    before = (package.level, messages.log.level, list(package.handlers))
    run_fit("-v")
    assert (package.level, messages.log.level, list(package.handlers)) == before


def test_seed_replaces_that_of_the_spec(run_fit, asked, small_spec, small_cohort, run_cli):
    run_fit()
    assert asked["sampler"].seed == 1
    run_fit("--seed", 9)
    assert asked["sampler"].seed == 9
    done = run_cli("fit", small_spec, small_cohort, "--seed", "9", "--set", "sampler.seed=9")
    assert done.status == 2
    assert "--seed and --set sampler.seed=... set the same value" in done.err


def test_seed_of_the_demo(asked, tmp_path, run_cli):
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        run_cli("demo", "-o", tmp_path / "demo", "--quick", "--seed", 5)
    assert (asked["sampler"].seed, asked["sampler"].draws) == (5, 300)


def test_renamed_settings_warn_and_deprecations_of_libraries_do_not(capsys):
    with messages.on_stderr():
        bm.DerivativesSpec.from_mapping({"absent_people": "drop"})
        warnings.warn("deprecated in a library", DeprecationWarning, stacklevel=1)
    said = capsys.readouterr().err
    assert "Warning: absent_people is now called absent_subjects" in said
    assert "library" not in said


def test_debug_raises_with_the_handlers_removed():
    with pytest.raises(SpecError):
        main(["fit", "no_such_model", "x", "--debug"])
    assert not logging.getLogger("bayes_mdd").handlers
