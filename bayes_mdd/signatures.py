"""Deprecated location of names that are now in `bayes_mdd`; removed in the next version.

`bayes_mdd.signatures` is a function. An import of this module therefore yields that function,
with the former contents of the package of the same name as attributes that warn.
"""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

FORMER = (
    "classify_factors",
    "explained_by_arm",
    "export_signatures",
    "region_strength",
    "summarise_symptom_links",
)


def _deprecated(name: str) -> Callable[..., Any]:
    function = getattr(import_module("bayes_mdd"), name)

    @functools.wraps(function)
    def warn_and_call(*args: Any, **kwargs: Any) -> Any:
        warnings.warn(
            f"bayes_mdd.signatures.{name} is deprecated: use bayes_mdd.{name}.",
            DeprecationWarning,
            stacklevel=2,
        )
        return function(*args, **kwargs)

    return warn_and_call


signatures: Any = import_module("bayes_mdd.workflow.maps").signatures
for _name in FORMER:
    setattr(signatures, _name, _deprecated(_name))
signatures.signatures = signatures
# The import system binds what stands here to the name `signatures` of the package.
sys.modules[__name__] = signatures
