"""Shared and drug-specific factors of brain connectivity in depression.

The names below are the stable surface of the package. They are loaded when first used, so that
``import bayes_mdd`` and ``bayes-mdd --help`` do not wait for PyMC.

Examples
--------
>>> import bayes_mdd as bm
>>> bm.SharedSpecificSpec(n_factors=6, covariates=("site",)).n_factors
6
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from bayes_mdd import plotting, polar_lda
    from bayes_mdd.cohort import Cohort, read_cohort
    from bayes_mdd.diagnostics import (
        Comparison,
        PredictiveChecks,
        compare_models,
        diagnose,
        judge_feature_noise,
        leave_one_out,
        permute_arms,
        predictive_checks,
        prior_predictive,
        prior_sensitivity,
        summarise_prior,
        vary_factors,
    )
    from bayes_mdd.errors import BayesMDDError, DataContractError, RunFolderError, SpecError
    from bayes_mdd.features import (
        Quality,
        change_features,
        check_features,
        check_quality,
        combine_views,
        connectivity_from_timeseries,
        graph_features,
        harmonize_sites,
        read_atlas,
        read_derivatives,
        read_features,
        record_quality,
        reference_to_controls,
        reference_to_training,
        regional_features,
        select_view,
        site_effects,
        structural_features,
        write_features,
    )
    from bayes_mdd.inference import (
        export_projection,
        fit,
        project,
        read_run,
        summarise_projection,
    )
    from bayes_mdd.report import write_report
    from bayes_mdd.signatures import (
        classify_factors,
        explained_by_arm,
        export_signatures,
        signatures,
    )
    from bayes_mdd.simulate import SimulatedCohort, simulate_cohort, write_cohort
    from bayes_mdd.specs import (
        AnalysisSpec,
        DerivativesSpec,
        PolarLDASpec,
        QualitySpec,
        ReferenceSpec,
        SamplerSpec,
        SharedSpecificSpec,
        read_spec,
        write_spec,
    )

__all__ = [
    "AnalysisSpec",
    "BayesMDDError",
    "Cohort",
    "Comparison",
    "DataContractError",
    "DerivativesSpec",
    "PolarLDASpec",
    "PredictiveChecks",
    "Quality",
    "QualitySpec",
    "ReferenceSpec",
    "RunFolderError",
    "SamplerSpec",
    "SharedSpecificSpec",
    "SimulatedCohort",
    "SpecError",
    "change_features",
    "check_features",
    "check_quality",
    "classify_factors",
    "combine_views",
    "compare_models",
    "connectivity_from_timeseries",
    "diagnose",
    "explained_by_arm",
    "export_projection",
    "export_signatures",
    "fit",
    "graph_features",
    "harmonize_sites",
    "judge_feature_noise",
    "leave_one_out",
    "permute_arms",
    "plotting",
    "polar_lda",
    "predictive_checks",
    "prior_predictive",
    "prior_sensitivity",
    "project",
    "read_atlas",
    "read_cohort",
    "read_derivatives",
    "read_features",
    "read_run",
    "read_spec",
    "record_quality",
    "reference_to_controls",
    "reference_to_training",
    "regional_features",
    "select_view",
    "signatures",
    "simulate_cohort",
    "site_effects",
    "structural_features",
    "summarise_prior",
    "summarise_projection",
    "vary_factors",
    "write_cohort",
    "write_features",
    "write_report",
    "write_spec",
]

#: In which room each public name lives.
_ROOMS = {
    "cohort": ("Cohort", "read_cohort"),
    "diagnostics": (
        "Comparison",
        "PredictiveChecks",
        "compare_models",
        "diagnose",
        "judge_feature_noise",
        "leave_one_out",
        "permute_arms",
        "predictive_checks",
        "prior_predictive",
        "prior_sensitivity",
        "summarise_prior",
        "vary_factors",
    ),
    "errors": ("BayesMDDError", "DataContractError", "RunFolderError", "SpecError"),
    "features": (
        "Quality",
        "change_features",
        "check_features",
        "check_quality",
        "combine_views",
        "connectivity_from_timeseries",
        "read_atlas",
        "read_derivatives",
        "graph_features",
        "harmonize_sites",
        "read_features",
        "record_quality",
        "reference_to_controls",
        "reference_to_training",
        "write_features",
        "regional_features",
        "select_view",
        "site_effects",
        "structural_features",
    ),
    "inference": ("export_projection", "fit", "project", "read_run", "summarise_projection"),
    "report": ("write_report",),
    "signatures": ("classify_factors", "explained_by_arm", "export_signatures", "signatures"),
    "simulate": ("SimulatedCohort", "simulate_cohort", "write_cohort"),
    "specs": (
        "AnalysisSpec",
        "DerivativesSpec",
        "QualitySpec",
        "PolarLDASpec",
        "ReferenceSpec",
        "SamplerSpec",
        "SharedSpecificSpec",
        "read_spec",
        "write_spec",
    ),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a public name from its room at first use."""
    if name in ("plotting", "polar_lda"):
        return import_module(f"bayes_mdd.{name}")
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'bayes_mdd' has no attribute {name!r}")
    value = getattr(import_module(f"bayes_mdd.{_ROOM_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List what is public besides what is loaded."""
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """Keeps a public function from being hidden by the room of the same name.

    Importing ``bayes_mdd.signatures`` would else put the room where `bayes_mdd.signatures`,
    the function, is promised.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _ROOM_OF and isinstance(value, ModuleType)):
            super().__setattr__(name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to other processes by name, as modules do; joblib sends what a script names."""
        return import_module, (self.__name__,)


sys.modules[__name__].__class__ = _Package
