"""Shell completion."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def complete(**variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "bayes_mdd"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_calls_the_program(shell):
    script = complete(_BAYES_MDD_COMPLETE=f"source_{shell}")
    assert "_BAYES_MDD_COMPLETE=complete_" in script
    assert "bayes-mdd" in script


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("bayes-mdd f", {"features", "fit"}),
        ("bayes-mdd check --pr", {"--predictive", "--privacy"}),
        ("bayes-mdd project --new-levels a", {"average"}),
    ],
)
def test_words_are_completed(words, expected):
    count = str(len(words.split()) - 1)
    found = complete(_BAYES_MDD_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=count)
    assert set(found.split()) == expected
