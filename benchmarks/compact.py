"""JSON that is small enough for the repository."""

from __future__ import annotations

import json
from typing import Any

DIGITS = 3


def compact(value: Any) -> str:
    """Write a value as JSON on one line, numbers with three significant digits."""
    return json.dumps(_rounded(value), separators=(",", ":")) + "\n"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, list):
        return [_rounded(v) for v in value]
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    return value
