"""Immutable specifications of models, data handling and sampling, stored as YAML."""

from bayes_mdd.specs.analysis import AnalysisSpec, read_spec, write_spec
from bayes_mdd.specs.base import Spec
from bayes_mdd.specs.derivatives import DerivativesSpec
from bayes_mdd.specs.models import MODELS, kind_of
from bayes_mdd.specs.polar_lda import PolarLDASpec
from bayes_mdd.specs.quality import QualitySpec
from bayes_mdd.specs.reference import ReferenceSpec
from bayes_mdd.specs.response import ResponseSpec
from bayes_mdd.specs.sampler import SamplerSpec
from bayes_mdd.specs.shared_specific import SharedSpecificSpec
from bayes_mdd.specs.treatment_response import (
    EvaluationSpec,
    OutcomeSpec,
    TreatmentResponseSpec,
    read_response_spec,
    write_response_spec,
)

__all__ = [
    "MODELS",
    "AnalysisSpec",
    "DerivativesSpec",
    "EvaluationSpec",
    "OutcomeSpec",
    "PolarLDASpec",
    "QualitySpec",
    "ReferenceSpec",
    "ResponseSpec",
    "SamplerSpec",
    "SharedSpecificSpec",
    "Spec",
    "TreatmentResponseSpec",
    "kind_of",
    "read_response_spec",
    "read_spec",
    "write_response_spec",
    "write_spec",
]
