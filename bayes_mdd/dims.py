"""Names of dimensions and of the coordinates that every room agrees on."""

from __future__ import annotations

from typing import Final

SUBJECT: Final = "subject"
FEATURE: Final = "feature"
REGION: Final = "region"
FACTOR: Final = "factor"
ARM: Final = "arm"
BLOCK: Final = "block"
SYMPTOM: Final = "symptom"
#: Symptoms with a Gaussian link: not the ordinal items.
DIMENSION: Final = "dimension"
CHAIN: Final = "chain"
DRAW: Final = "draw"
LOADING_DRAW: Final = "loading_draw"

SITE: Final = "site"
DIAGNOSIS: Final = "diagnosis"
SESSION: Final = "session"

#: The one mark of a missing value in tables and of "no arm" on the subject axis (BIDS).
MISSING: Final = "n/a"
#: Diagnosis of a healthy control.
CONTROL: Final = "HC"
#: Between the two regions of an edge (``A--B``) and the two networks of a block (``DMN-CCN``).
EDGE_SEPARATOR: Final = "--"
BLOCK_SEPARATOR: Final = "-"
