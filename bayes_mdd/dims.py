"""Names of the dimensions and coordinates that all modules share, and reserved values."""

from __future__ import annotations

from typing import Final

SUBJECT: Final = "subject"
FEATURE: Final = "feature"
REGION: Final = "region"
FACTOR: Final = "factor"
FACTOR_2: Final = "factor_2"
ARM: Final = "arm"
BLOCK: Final = "block"
SYMPTOM: Final = "symptom"
#: Symptoms with a Gaussian link, that is, all but the ordinal items.
DIMENSION: Final = "dimension"
CHAIN: Final = "chain"
DRAW: Final = "draw"
LOADING_DRAW: Final = "loading_draw"
COVARIATE: Final = "covariate"
#: Ordinal items, their covariates and their cutpoints.
ITEM: Final = "item"
ITEM_COVARIATE: Final = "item_covariate"
CUTPOINT: Final = "cutpoint"
#: Consecutive pieces of a scan, and pairs of regions with the diagonal.
PIECE: Final = "piece"
PAIR: Final = "pair"

SITE: Final = "site"
DIAGNOSIS: Final = "diagnosis"
SESSION: Final = "session"

#: Missing value in tables, and subjects without an arm (as in BIDS).
MISSING: Final = "n/a"
#: Diagnosis of a healthy control.
CONTROL: Final = "HC"
#: Arm of the half differences of scans, which are rows of a fit but not subjects.
WITHIN_SCAN: Final = "within_scan"
#: Separators between the two regions of an edge (``A--B``) and the two networks of a block
#: (``DMN-CCN``).
EDGE_SEPARATOR: Final = "--"
BLOCK_SEPARATOR: Final = "-"
