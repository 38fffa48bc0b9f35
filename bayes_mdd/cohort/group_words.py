"""Words for groups of participants: controls, patients, no treatment."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from bayes_mdd.cohort.tables import is_number

#: Words for healthy controls. Case, spaces, hyphens, underscores and a plural "s" do not count.
CONTROL_WORDS: Final = (
    *("HC", "control", "healthy", "healthy control", "normal control", "normal"),
    *("CTRL", "CTL", "CNTRL", "CNTL", "CONT", "CON", "NC", "HV", "NV"),
    *("healthy volunteer", "normal volunteer", "healthy subject", "normal subject"),
    *("healthy participant", "healthy individual", "healthy person", "healthy people"),
    *("healthy adult", "healthy donor", "healthy comparison", "healthy comparison subject"),
    *("healthy comparison participant", "healthy matched control", "matched healthy control"),
    *("never depressed", "never depressed control", "non depressed", "non depressed control"),
    *("healthy never depressed control", "non psychiatric control", "unaffected control"),
)
#: Words for patients, who need no explanation where they have no arm.
PATIENT_WORDS: Final = (
    *("patient", "case", "MDD", "MD", "MDE", "TRD", "PDD", "depression", "depressed", "depressive"),
    *("major depression", "major depressive disorder", "depressive disorder", "unipolar"),
    *("unipolar depression", "depressed patient", "MDD patient", "dysthymia", "remitted MDD"),
    *("rMDD", "cMDD", "current MDD", "LLD", "late life depression", "PPD", "adolescent MDD"),
    *("first episode MDD", "recurrent MDD", "FEDN MDD", "FEMDD", "treatment resistant depression"),
    *("BD", "BP", "BPD", "bipolar", "bipolar disorder", "SCZ", "SZ", "SCHZ", "schizophrenia"),
    *("psychosis", "FEP", "first episode psychosis", "ADHD", "ASD", "autism", "anxiety", "GAD"),
    *("PTSD", "OCD", "SAD", "panic disorder", "MCI", "AD"),
)
#: Names of an arm that say that there was no treatment.
NO_TREATMENT_WORDS: Final = (
    *("none", "no", "untreated", "no treatment", "no drug", "no medication", "unmedicated"),
    *("drug free", "medication free", "null", "0"),
)
#: Other spellings of a missing value.
MISSING_WORDS: Final = frozenset(("na", "nan", "n/a", "n.a.", "#n/a", "<na>", ".", "-", "?"))
#: In the description of a level, these make it no healthy control.
_NOT_HEALTHY: Final = re.compile(
    r"\b(patients?|active|placebo|wait\w*|treat\w*|drug\w*|arm|psychiatric|clinical|disease\w*"
    r"|ill\w*|depress\w*|disorder\w*|non|not|versus|vs)\b"
)
_HEALTHY: Final = re.compile(r"\b(controls?|healthy)\b")
_NEVER_ILL: Final = re.compile(r"never[- ]depressed|non[- ]?depressed|non[- ]?psychiatric")
_QUALIFIERS: Final = re.compile(r"[,;:(]|\b(?:without|with no|no)\b")


def normal_form(text: str) -> str:
    """Reduce a word to what distinguishes it from other words.

    Case, spaces, hyphens, underscores, full stops outside numbers, full-width forms and characters
    without width do not count. Signs before numbers do.

    Parameters
    ----------
    text : str
        A cell of a table.

    Returns
    -------
    str
        The normal form; may be empty.

    Examples
    --------
    >>> [normal_form(word) for word in ("Healthy_Control", " site-1", "n.a.", "-1.5")]
    ['healthycontrol', 'site1', 'na', '-1.5']
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    visible = "".join(c for c in folded if unicodedata.category(c) not in ("Cf", "Cc")).strip()
    return re.sub(r"(?<=.)[\s\-\u2010-\u2015_]+|\.(?!\d)|(?<!\d)\.", "", visible)


def _forms(words: tuple[str, ...]) -> frozenset[str]:
    forms = [normal_form(word) for word in words]
    return frozenset([*forms, *(f"{form}s" for form in forms)])


_CONTROL_FORMS: Final = _forms(CONTROL_WORDS)
_PATIENT_FORMS: Final = _forms(PATIENT_WORDS)
_NO_PATIENT: Final = frozenset(
    (
        *("non", "not", "no", "never", "without", "or", "and", "vs", "matched", "risk"),
        *("relative", "relatives", "sibling", "siblings"),
        *("control", "controls", "ctrl", "hc", "healthy"),
    )
)
_NO_TREATMENT_FORMS: Final = frozenset(normal_form(w) for w in NO_TREATMENT_WORDS)


def is_control_word(text: str) -> bool:
    """Test whether a word names healthy controls.

    Parameters
    ----------
    text : str
        A diagnosis, or the name of an arm.

    Returns
    -------
    bool
        True for `CONTROL_WORDS` in any spelling.

    Examples
    --------
    >>> [is_control_word(w) for w in ("HC", "Healthy-Volunteers", "ctrl", "active control", "0")]
    [True, True, True, False, False]
    """
    return normal_form(text) in _CONTROL_FORMS


def is_patient_word(text: str) -> bool:
    """Test whether a word names patients.

    Parameters
    ----------
    text : str
        A diagnosis.

    Returns
    -------
    bool
        True for `PATIENT_WORDS` in any spelling, for texts that contain one and no word of health
        or negation, and for codes of ICD-10 such as ``F32.1``.

    Examples
    --------
    >>> [is_patient_word(w) for w in ("mdd", "MDD, untreated", "F33.1", "non-MDD", "1", "group B")]
    [True, True, True, False, False, False]
    """
    if re.fullmatch(r"[Ff]\d{2}(\.\d+)?", text.strip()) or normal_form(text) in _PATIENT_FORMS:
        return True
    parts = [p for p in re.split(r"[^a-z]+", text.lower()) if p]
    return any(p in _PATIENT_FORMS for p in parts) and not any(p in _NO_PATIENT for p in parts)


def is_no_treatment(text: str) -> bool:
    """Test whether the name of an arm says that there was no treatment.

    Parameters
    ----------
    text : str
        Name of an arm.

    Returns
    -------
    bool
        True for `NO_TREATMENT_WORDS` in any spelling.
    """
    return normal_form(text) in _NO_TREATMENT_FORMS


def is_missing_word(text: str) -> bool:
    """Test whether a word is another spelling of a missing value.

    Parameters
    ----------
    text : str
        A cell of a table.

    Returns
    -------
    bool
        True for ``NA``, ``NaN``, ``N/A``, ... but not for ``n/a`` itself, nor for ``none``, which
        may name an arm.
    """
    return text.strip().lower() in MISSING_WORDS and text != "n/a"


def is_code(text: str) -> bool:
    """Test whether a group is named by a number.

    Parameters
    ----------
    text : str
        A diagnosis.

    Returns
    -------
    bool
        True for ``0``, ``1.0``, ``-9``, ``01``.
    """
    return is_number(text) or text.strip().isdigit()


def describes_controls(text: object) -> bool | None:
    """Read the description of a level in a sidecar.

    Parameters
    ----------
    text : object
        For example ``"Healthy control"``; a mapping may hold it under ``Description``.

    Returns
    -------
    bool or None
        Whether the level is that of healthy controls; None if the description does not say it.

    Examples
    --------
    >>> describes_controls("Healthy controls, age-matched"), describes_controls("Waitlist control")
    (True, False)
    >>> describes_controls("") is None
    True
    """
    if isinstance(text, dict):
        text = text.get("Description", text.get("LongName", ""))
    said = re.sub(_NEVER_ILL, "healthy", str(text or "").strip().lower())
    head = re.split(_QUALIFIERS, said)[0]
    if is_control_word(head):
        return True
    if _NOT_HEALTHY.search(head) or is_patient_word(head):
        return False
    return True if _HEALTHY.search(head) else None
