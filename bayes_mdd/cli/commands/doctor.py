"""``bayes-mdd doctor``."""

from __future__ import annotations

import warnings

import typer

from bayes_mdd.cli import installation, messages, options, output
from bayes_mdd.cli.status import ExitStatus

WORDS = {"ok": "ok", "note": "note", "broken": "BROKEN"}


def doctor(
    as_json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Check the installation: Python, packages, compiled code, folders, fonts, disk, threads.

    Exit status: 0 it works; 1 something is broken, with the remedy.
    """
    messages.set_verbosity(verbose=verbose, quiet=quiet)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of imports; what matters is whether they succeed
        findings = installation.check_installation()
    found = installation.summarise(findings)
    if as_json:
        output.print_json(found)
    else:
        output.print_lines(_lines(findings))
        if found["passed"]:
            output.print_lines(["The installation works. To test a fit: bayes-mdd demo --quick"])
        else:
            output.print_lines(["The installation is broken: see the lines above."])
    if not found["passed"]:
        raise typer.Exit(ExitStatus.CHECK_FAILED)


def _lines(findings: list[installation.Finding]) -> list[str]:
    lines = []
    for f in findings:
        lines.append(f"{WORDS[f.status]:<7} {f.name}: {f.found}")
        if f.remedy:
            lines.append(f"{'':<7} {f.remedy}")
    return lines
