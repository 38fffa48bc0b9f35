"""The part of ``bayes-mdd demo`` on treatment response: a planted crossover and its null twin."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bayes_mdd.cli import response_job
from bayes_mdd.cli.groups import ControlWords
from bayes_mdd.cli.messages import log
from bayes_mdd.files.marks import CROSSOVER, NULL_TWIN

MODEL: Final = "treatment_response"
#: Folder inside the run of the demo, scale of the outcome, and what is planted there.
PARTS: Final = (
    (CROSSOVER, "hamd17", "a crossover is planted: some patients do better on each drug"),
    (NULL_TWIN, "hamd17_null", "the same patients and drugs, nothing is planted"),
)
#: The factors are fitted once, so that the demo takes minutes; a research run fits them again in
#: each fold.
SETTINGS: Final = ("evaluation.stage_one=once",)
#: What ``--quick`` adds.
QUICK: Final = (
    "evaluation.permutations=99",
    "evaluation.policy_permutations=19",
    "evaluation.repeats=1",
)


@dataclass(frozen=True, eq=False)
class Part:
    """An analysed outcome of the demo cohort.

    Parameters
    ----------
    name : str
        Folder of the run inside that of the demo.
    planted : str
        What the outcome holds.
    done : Done
        The run.
    """

    name: str
    planted: str
    done: response_job.Done

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        from bayes_mdd.results.checks import judge

        return judge(self.done.checks).passed

    def to_mapping(self) -> dict[str, Any]:
        """Convert the verdict to values that JSON can represent.

        Returns
        -------
        dict
            Verdict, numbers and files.
        """
        return {
            "planted": self.planted,
            "passed": self.passed,
            **self.done.analysis.to_mapping(),
            "files": {name: str(path) for name, path in self.done.files.items()},
        }

    def describe(self) -> list[str]:
        """Say what was found, in lines for a newcomer.

        Returns
        -------
        list of str
            Lines.
        """
        analysis = self.done.analysis
        outcome, value = analysis.spec.outcome, analysis.value
        lines = [f"{outcome}: {self.planted}.", f"  {analysis.sentence}"]
        if value is not None and not value.changed:
            lines.append(
                f"  Nobody has a preference for {analysis.other_arm}: the declared default, "
                f"{analysis.spec.default_arm}, stands."
            )
        elif value is not None:
            gain = value.table.loc["declared default"]
            lines.append(
                f"  Choosing by the scan instead of giving {analysis.spec.default_arm} to all: "
                f"{gain['gain']:.1f} points better [{gain['lower']:.1f}, {gain['upper']:.1f}] "
                f"(90% interval, patients who did not teach the rule); {value.changed:.0%} of the "
                f"patients would get {analysis.other_arm}."
            )
        if not self.passed:
            lines.append("  A check failed: do not interpret this result; see the report.")
        return [*lines, f"  Report: {self.done.files['report']}"]


def analyse_demo(
    cohort: Path, output: Path, *, force: bool, quick: bool, seed: int | None
) -> list[Part]:
    """Analyse both outcomes of the demo cohort by the fast method.

    Parameters
    ----------
    cohort : Path
        The demo cohort.
    output : Path
        Run folder of the demo; the runs are written inside it.
    force : bool
        Whether earlier ones are replaced.
    quick : bool
        Whether to draw few permutations.
    seed : int or None
        Seed of both stages.

    Returns
    -------
    list of Part
        The crossover and its twin.
    """
    parts: list[Part] = []
    for name, scale, planted in PARTS:
        settings = [*SETTINGS, *(QUICK if quick else ()), f"outcome.scale={scale}"]
        spec = response_job.read_response_argument(MODEL, settings, seed=seed)
        folder = output / name
        log.info("Treatment response: %s (%s)", scale, planted)
        if parts:
            _copy_scans(parts[0].done.scans.files["run"], folder, force=force)
        done = response_job.analyse_cohort(
            spec, cohort, folder, force=force and not parts, fast=True, controls=ControlWords()
        )
        parts.append(Part(name, planted, done))
    return parts


def _copy_scans(source: Path, folder: Path, *, force: bool) -> None:
    """Copy the factors, which do not depend on the outcome, instead of fitting them again."""
    if folder.exists() and not force:
        return
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("response"))


def describe_parts(parts: Sequence[Part], report: Path) -> list[str]:
    """Write the page that ends the demo.

    Parameters
    ----------
    parts : sequence of Part
        From `analyse_demo`.
    report : Path
        Report of the factors.

    Returns
    -------
    list of str
        Lines.
    """
    lines = [
        "",
        "Treatment response (synthetic trial; fast method, approximate)",
        "  Who gains more from which drug? Factors of scans before treatment, fitted without arms",
        "  and outcomes, then HAMD-17 totals at week 8. Points fewer are better.",
        "",
    ]
    for part in parts:
        lines += [*part.describe(), ""]
    return [
        *lines,
        f"Read first: {report} (which connectivity patterns the drugs share),",
        f"then {parts[0].done.files['report']} (who gains from which drug).",
        "The same on your data: bayes-mdd response treatment_response COHORT -o RUN",
    ]
