"""Names of networks that region tables abbreviate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

#: Networks by their code in lower case: circuits of `read_atlas`, and networks of the atlases of
#: Yeo and Schaefer, Power and Seitzman, Dosenbach, and Gordon.
NETWORK_NAMES: Final[Mapping[str, str]] = {
    "dmn": "default mode network",
    "default": "default mode network",
    "defaulta": "default mode network, core",
    "defaultb": "default mode network, dorsomedial prefrontal",
    "defaultc": "default mode network, medial temporal",
    "ccn": "cognitive control network",
    "cont": "frontoparietal control network",
    "conta": "frontoparietal control network A",
    "contb": "frontoparietal control network B",
    "contc": "frontoparietal control network C",
    "fpn": "frontoparietal network",
    "con": "cingulo-opercular network",
    "att": "attention network",
    "dan": "dorsal attention network",
    "dorsattn": "dorsal attention network",
    "dorsattna": "dorsal attention network A",
    "dorsattnb": "dorsal attention network B",
    "van": "ventral attention network",
    "salventattn": "salience and ventral attention network",
    "salventattna": "salience and ventral attention network A",
    "salventattnb": "salience and ventral attention network B",
    "sn": "salience network",
    "sal": "salience network",
    "thr": "salience and threat circuit",
    "rew": "reward circuit",
    "lim": "limbic network",
    "limbic": "limbic network",
    "limbica": "limbic network A, temporal pole",
    "limbicb": "limbic network B, orbitofrontal",
    "sm": "somatomotor network",
    "smn": "somatomotor network",
    "sommot": "somatomotor network",
    "sommota": "somatomotor network A",
    "sommotb": "somatomotor network B",
    "vis": "visual network",
    "viscent": "visual network, central",
    "visperi": "visual network, peripheral",
    "temppar": "temporoparietal network",
    "oth": "other regions",
    "subcortex": "subcortical regions",
    "cerebellum": "cerebellum",
    "brainstem": "brainstem",
    "unassigned": "regions without a network",
    "all": "all regions (no networks given)",
}


def spell_networks(
    networks: Iterable[str], given: Mapping[str, str] | None = None
) -> list[tuple[str, str]]:
    """Spell out the codes of networks.

    Parameters
    ----------
    networks : iterable of str
        Codes as the features have them.
    given : mapping of str to str, optional
        Names that the cohort gives (Levels of ``network`` in ``features/regions.json``); they come
        before those of the package.

    Returns
    -------
    list of (str, str)
        Code and name, sorted by code; the name is empty where it is not known.

    Examples
    --------
    >>> spell_networks(["DMN", "X1"], {"X1": "network of the study"})
    [('DMN', 'default mode network'), ('X1', 'network of the study')]
    """
    own = dict(given or {})
    return [
        (code, own.get(code) or NETWORK_NAMES.get(code.lower(), ""))
        for code in sorted(dict.fromkeys(map(str, networks)))
    ]
