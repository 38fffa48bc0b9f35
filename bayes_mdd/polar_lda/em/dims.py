"""Names of the dimensions of polar LDA Datasets that no other module of the package shares."""

from __future__ import annotations

from typing import Final

PERSON: Final = "person"
EDGE: Final = "edge"
RESTART: Final = "restart"
RESAMPLE: Final = "resample"
