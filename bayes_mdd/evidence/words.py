"""Spellings of networks, drug classes, modalities and regions, and the nearest allowed value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final

from bayes_mdd.errors import some

#: Drug classes by drug.
CLASS_OF_DRUG: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("citalopram", "escitalopram", "fluoxetine", "fluvoxamine", "paroxetine", "sertraline"),
        "SSRI",
    ),
    **dict.fromkeys(
        ("desvenlafaxine", "duloxetine", "levomilnacipran", "milnacipran", "venlafaxine"), "SNRI"
    ),
}
#: Spellings of networks in parcellations, by the name in the findings.
NETWORK_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "DMN": ("dmn", "default", "default mode", "defaulta", "defaultb", "defaultc"),
    "CCN": (
        "ccn", "cognitive control", "control", "cont", "conta", "contb", "contc", "fpn", "fpcn",
        "frontoparietal", "fronto parietal",
    ),
    "executive_control": ("executive control", "ecn", "cen", "executive", "central executive"),
    "SN": (
        "sn", "sal", "salience", "salventattn", "salventattna", "salventattnb",
        "salience ventral attention",
    ),
    "attention": (
        "attention", "att", "attn", "dan", "dorsattn", "dorsattna", "dorsattnb",
        "dorsal attention",
    ),
    "threat": ("threat", "thr"),
    "reward": ("reward", "rew"),
}  # fmt: skip
#: Most parcellations have one network of cognitive or executive control.
INSTEAD: Final[Mapping[str, str]] = {"CCN": "executive_control", "executive_control": "CCN"}
#: Other spellings of values of a query.
_SPELLINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "drug_class": {
        "ssris": "SSRI", "selective serotonin reuptake inhibitor": "SSRI", "snris": "SNRI",
        "serotonin noradrenaline reuptake inhibitor": "SNRI",
        "serotonin norepinephrine reuptake inhibitor": "SNRI",
    },
    "modality": {
        "resting state": "rs-fmri", "resting state fmri": "rs-fmri", "rsfmri": "rs-fmri",
        "task": "task-fmri", "tfmri": "task-fmri", "smri": "structural", "t1": "structural",
        "dwi": "dti", "diffusion": "dti",
    },
    "estimand": {"prognostic": "prognosis", "moderator": "moderation"},
    "direction": {"positive": "+", "negative": "-", "plus": "+", "minus": "-"},
    "network": {word: name for name, words in NETWORK_WORDS.items() for word in words},
}  # fmt: skip


def plain(text: object) -> str:
    """Reduce a name to lower case words.

    Parameters
    ----------
    text : object
        The name.

    Returns
    -------
    str
        Words separated by blanks; plus signs are kept.

    Examples
    --------
    >>> plain("Cingulate Gyrus, anterior_division"), plain("SSRI+SNRI")
    ('cingulate gyrus anterior division', 'ssri+snri')
    """
    if str(text).strip() in ("+", "-"):
        return str(text).strip()
    return " ".join(re.split(r"[^a-z0-9+]+", str(text).lower())).strip()


def class_of(arm: str) -> str | None:
    """Find the drug class that the name of an arm states.

    Parameters
    ----------
    arm : str
        Name of an arm: a class or a drug.

    Returns
    -------
    str or None
        ``SSRI`` or ``SNRI``; None for other names.

    Examples
    --------
    >>> class_of("SSRI"), class_of("Venlafaxine XR"), class_of("placebo")
    ('SSRI', 'SNRI', None)
    """
    words = plain(arm).split()
    known = {name: name.upper() for name in ("ssri", "snri")} | dict(CLASS_OF_DRUG)
    found = {known[w.removesuffix("s") if w in ("ssris", "snris") else w] for w in words
             if w in known or w in ("ssris", "snris")}  # fmt: skip
    return found.pop() if len(found) == 1 else None


def match_value(
    name: str, value: str, allowed: Iterable[str], further: Mapping[str, str] | None = None
) -> tuple[str | None, str]:
    """Find the allowed value that a word of a query means.

    Parameters
    ----------
    name : str
        What is queried, for example ``drug_class``.
    value : str
        The word.
    allowed : iterable of str
        Allowed values.
    further : mapping, optional
        Other spellings of allowed values.

    Returns
    -------
    value : str or None
        The allowed value; None if there is none.
    problem : str
        What is wrong, with the nearest allowed value; empty where the value is known.
    """
    names = [a for a in allowed if a]
    known = {plain(a): a for a in names}
    spellings = dict(_SPELLINGS.get(name, {})) | {plain(k): v for k, v in (further or {}).items()}
    word = plain(value)
    found = known.get(word) or spellings.get(word)
    if found in names:
        return found, ""
    near = get_close_matches(word, [*known, *spellings], n=1, cutoff=0.6) or [
        k for k in (*known, *spellings) if word and set(word.split()) & set(k.split())
    ]
    nearest = known.get(near[0]) or spellings.get(near[0]) if near else None
    hint = f" Did you mean '{nearest}'?" if nearest in names else ""
    listed = some(names, 60)
    return None, f"{name} '{value}' is not in the findings.{hint} Known values: {listed}."
