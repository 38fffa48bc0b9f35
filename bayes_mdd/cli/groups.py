"""What the command line says about controls: ``--controls`` and ``--no-controls``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import bayes_mdd as bm
from bayes_mdd.errors import SpecError, some

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ControlWords:
    """Diagnoses that mark controls, as the options of a command name them.

    Parameters
    ----------
    words : tuple of str or None
        Words of ``--controls``; None where none are given.
    none : bool
        Whether ``--no-controls`` is given.
    """

    words: tuple[str, ...] | None = None
    none: bool = False

    def reading(self, spec: bm.AnalysisSpec) -> tuple[str, ...] | None:
        """Tell what marks controls when participants are read.

        Parameters
        ----------
        spec : AnalysisSpec
            The spec; a reference of patients states that no other word marks controls.

        Returns
        -------
        tuple of str or None
            For `bayes_mdd.read_cohort`.
        """
        if self.words is not None:
            return self.words
        unneeded = getattr(spec.model, "controls", "reference") != "arm"
        return () if self.none or (spec.reference.group == "patients" and unneeded) else None

    def check(self, participants: pd.DataFrame) -> None:
        """Refuse ``--no-controls`` for a cohort that has controls.

        Parameters
        ----------
        participants : pandas.DataFrame
            Indexed by ``participant_id``.

        Raises
        ------
        SpecError
            If participants are controls by their diagnosis.
        """
        problem = self.contradiction(participants)
        if problem:
            raise SpecError(problem)

    def contradiction(self, participants: pd.DataFrame) -> str:
        """Find controls that ``--no-controls`` denies.

        Parameters
        ----------
        participants : pandas.DataFrame
            Indexed by ``participant_id``.

        Returns
        -------
        str
            The problem; empty if there is none.
        """
        from bayes_mdd.cohort.group_words import is_control_word

        if not self.none or "diagnosis" not in participants:
            return ""
        diagnosis = participants["diagnosis"].astype(str)
        words = diagnosis[diagnosis.map(is_control_word)]
        if words.empty:
            return ""
        return (
            f"--no-controls is given, but {len(words)} participants have the diagnosis "
            f"{some(words.unique())}, which means healthy control. Omit --no-controls; to "
            "standardise features within the patients all the same, set reference.group=patients "
            "(--set)."
        )


def control_words(words: Sequence[str] | None, none: bool) -> ControlWords:
    """Check the options ``--controls`` and ``--no-controls``.

    Parameters
    ----------
    words : sequence of str or None
        Words of ``--controls``.
    none : bool
        Whether ``--no-controls`` is given.

    Returns
    -------
    ControlWords
        Both.

    Raises
    ------
    SpecError
        If both are given, or a word is empty.
    """
    if words and none:
        raise SpecError("--controls and --no-controls exclude each other: give one of them.")
    if any(not word.strip() for word in words or ()):
        raise SpecError("--controls expects a word of the column diagnosis, e.g. --controls NC.")
    return ControlWords(tuple(words) if words else None, none)


def with_reference(spec: bm.AnalysisSpec, controls: ControlWords) -> bm.AnalysisSpec:
    """Take the patients as reference where the command says that there are no controls.

    Parameters
    ----------
    spec : AnalysisSpec
        The spec of the command.
    controls : ControlWords
        The options.

    Returns
    -------
    AnalysisSpec
        With ``reference.group`` patients (and ``model.reference`` of polar LDA), or unchanged.
    """
    if not controls.none:
        return spec
    changes = {"reference.group": "patients"}
    if hasattr(spec.model, "reference"):
        changes["model.reference"] = "patients"
    return spec.with_overrides(changes)
