"""Words of ``features.json``: other spellings of those that decide how values are read."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

_FUNCTIONAL: Final = "functional_connectivity"
#: Words that decide something, by key.
_KNOWN: Final = {
    "kind": (_FUNCTIONAL, "structural_connectivity"),
    "measure": ("correlation", "partial correlation", "tangent"),
    "units": ("r", "fisher_z", "z"),
}
#: Other words for them, without case and punctuation.
_OTHER: Final = {
    "kind": {"fc": _FUNCTIONAL, "rsfc": _FUNCTIONAL, "connectivity": _FUNCTIONAL},
    "measure": {"pearson": "correlation", "pearsoncorrelation": "correlation"},
    "units": {
        "pearson": "r", "pearsonr": "r", "rvalue": "r", "corr": "r", "correlation": "r",
        "correlations": "r", "fisher": "fisher_z", "fisherrtoz": "fisher_z",
        "fisherr2z": "fisher_z", "ztransformed": "fisher_z", "rtoz": "fisher_z",
        "fisherztransformed": "fisher_z",
    },
}  # fmt: skip


def find_meant(key: str, word: str) -> str | None:
    """Find the word that another spelling stands for.

    Parameters
    ----------
    key : str
        Key of ``features.json``.
    word : str
        Its value.

    Returns
    -------
    str or None
        None for a word that is known, and for one that is like none of them: measures of other
        kinds have names of their own.

    Examples
    --------
    >>> find_meant("units", "Pearson r"), find_meant("kind", "functional_conectivity")
    ('r', 'functional_connectivity')
    >>> find_meant("units", "mm"), find_meant("kind", "thickness")
    (None, None)
    """
    known = _KNOWN.get(key, ())
    if word in known:
        return None
    plain = "".join(c for c in word.lower() if c.isalnum())
    if plain in _OTHER.get(key, {}):
        return _OTHER[key][plain]
    by_plain = {"".join(c for c in k if c.isalnum()): k for k in known}
    near = [k for k in by_plain if k == plain] or (
        get_close_matches(plain, list(by_plain), n=1, cutoff=0.85) if len(plain) > 4 else []
    )
    return by_plain[near[0]] if near else None
