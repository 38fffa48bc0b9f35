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

__all__ = [
    "MODELS",
    "AnalysisSpec",
    "DerivativesSpec",
    "PolarLDASpec",
    "QualitySpec",
    "ReferenceSpec",
    "ResponseSpec",
    "SamplerSpec",
    "SharedSpecificSpec",
    "Spec",
    "kind_of",
    "read_spec",
    "write_spec",
]
