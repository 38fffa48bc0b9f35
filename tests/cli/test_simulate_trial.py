"""A simulated trial from the command line is a cohort with outcomes."""

import bayes_mdd as bm


def test_a_trial_is_written_and_read_back(run_cli, tmp_path):
    out = tmp_path / "trial"
    done = run_cli(
        *("simulate", "--trial", "-o", out, "--patients", 24, "--benefit-sd", 0),
        *("--missing", "not-random", "--seed", 4),
    )
    assert done.status == 0, done.err
    assert f"Trial written to {out}" in done.out
    assert f"bayes-mdd response treatment_response {out}" in done.out
    table = bm.read_outcomes(out, scale="hamd17", endpoint="ses-week8", baseline="ses-baseline")
    assert len(table) == 24
    assert set(table["missing_reason"]) == {"", "lack_of_efficacy"}
    assert bm.read_features(out).sizes["subject"] == 24 + 40


def test_wrong_options_write_nothing(run_cli, tmp_path):
    out = tmp_path / "trial"
    for words, expected in (
        (("--patients", 20), "--patients: only with --trial"),
        (("--benefit-sd", 0.2, "--missing", "random"), "--benefit-sd, --missing: only with"),
        (("--trial", "--source", "edges"), "--source is for cohorts"),
        (("--trial", "--patients", 2), "n must be a whole number of at least 4"),
        (("--trial", "--benefit-sd", -1), "benefit_sd must be at least 0"),
    ):
        done = run_cli("simulate", "-o", out, *words)
        assert done.status == 2
        assert expected in done.err
        assert not out.exists()
