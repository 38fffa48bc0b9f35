"""From draws to what people see: factors with names and probabilities, maps, files."""

from __future__ import annotations

from bayes_mdd.signatures.arms import explained_by_arm
from bayes_mdd.signatures.export import export_signatures
from bayes_mdd.signatures.factors import classify_factors
from bayes_mdd.signatures.links import summarise_symptom_links
from bayes_mdd.signatures.maps import region_strength, signatures

__all__ = [
    "classify_factors",
    "explained_by_arm",
    "export_signatures",
    "region_strength",
    "signatures",
    "summarise_symptom_links",
]
