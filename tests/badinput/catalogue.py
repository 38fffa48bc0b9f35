"""All bad inputs, by kind."""

from __future__ import annotations

from collections.abc import Mapping

from badinput import findings, functions, images, people, runs, settings, symptoms, tables, tools
from badinput.case import Case

#: Cases by kind, in the order of the page.
CATALOGUE: Mapping[str, tuple[Case, ...]] = {
    "Participants": people.PARTICIPANTS,
    "Roles and arms": people.ROLES,
    "Covariates": people.COVARIATES,
    "Symptom tables": symptoms.PHENOTYPE,
    "Outcomes and design of a trial": symptoms.OUTCOMES,
    "Tables of features": tables.FEATURE_TABLES,
    "Matrices": tables.MATRICES,
    "Time series": tables.SERIES,
    "BOLD images and confounds": images.IMAGES,
    "Atlases": images.ATLASES,
    "Maps": images.MAPS,
    "Arrays and outputs of other tools": tools.ARRAYS,
    "Specs": settings.SPECS,
    "Values of --set": settings.SET,
    "Commands and options": settings.OPTIONS,
    "Run folders": runs.RUNS,
    "Exports": runs.EXPORTS,
    "New cohorts": runs.NEW,
    "Findings of the literature": findings.EVIDENCE,
    "Functions of features": functions.FEATURES,
    "Functions of results": functions.RESULTS,
}
