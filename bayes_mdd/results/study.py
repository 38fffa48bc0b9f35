"""What a result says about its study: name, origin of the data, assignment, time of the scans."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from bayes_mdd.results.result import Result

#: Source of features that were simulated in Python.
SIMULATED: Final = "bayes_mdd.simulate"
_BASELINE = re.compile(r"base|\bbl\b|pre(?:treat|\b)|before", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Study:
    """Facts about a study, where they are stated.

    Parameters
    ----------
    name, doi : str
        From ``dataset_description.json``; empty where not stated.
    synthetic : bool
        Whether the data are said to be simulated or synthetic.
    assignment : str
        "randomised", "observational" or empty.
    session : str
        Session of the scans, without ``ses-``; empty where not stated.
    networks : mapping of str to str
        Names of networks by their code.
    """

    name: str = ""
    doi: str = ""
    synthetic: bool = False
    assignment: str = ""
    session: str = ""
    networks: Mapping[str, str] = field(default_factory=dict)

    @property
    def at_baseline(self) -> bool:
        """Whether the name of the session says that scans were made before treatment."""
        return bool(_BASELINE.search(self.session))


def read_study_facts(result: Result) -> Study:
    """Read the facts about the study of a fit.

    Parameters
    ----------
    result : Result
        A fit.

    Returns
    -------
    Study
        Empty where nothing was recorded (runs of earlier versions, features made in Python).
    """
    features = _first_view(result.features)
    stated = features.get("study")
    facts: Mapping[str, Any] = stated if isinstance(stated, Mapping) else {}
    networks = facts.get("networks")
    return Study(
        name=str(facts.get("name") or ""),
        doi=str(facts.get("doi") or ""),
        synthetic=facts.get("synthetic") is True or features.get("source") == SIMULATED,
        assignment=str(facts.get("assignment") or ""),
        session=str(features.get("session") or "").removeprefix("ses-"),
        networks={str(k): str(v) for k, v in networks.items()}
        if isinstance(networks, Mapping)
        else {},
    )


def _first_view(features: Mapping[str, Any]) -> Mapping[str, Any]:
    """Facts of the features, or of the first of several views that states a study."""
    views = features.get("views")
    if "study" in features or not isinstance(views, Mapping):
        return features
    for text in views.values():
        try:
            facts = json.loads(text) if isinstance(text, str) else text
        except ValueError:
            continue
        if isinstance(facts, Mapping) and ("study" in facts or facts.get("source") == SIMULATED):
            return facts
    return features
