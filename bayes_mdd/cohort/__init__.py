"""Who takes part: participants, sites, sessions, and symptom scales as data."""

from __future__ import annotations

from bayes_mdd.cohort.design import check_design
from bayes_mdd.cohort.folder import Cohort, read_cohort
from bayes_mdd.cohort.participants import check_participants, read_participants
from bayes_mdd.cohort.scales import (
    Alternative,
    Dimension,
    Item,
    Scale,
    available_scales,
    read_scale,
)
from bayes_mdd.cohort.scoring import score_items, score_scale
from bayes_mdd.cohort.tables import read_table

__all__ = [
    "Alternative",
    "Cohort",
    "Dimension",
    "Item",
    "Scale",
    "available_scales",
    "check_design",
    "check_participants",
    "read_cohort",
    "read_participants",
    "read_scale",
    "read_table",
    "score_items",
    "score_scale",
]
