"""PyMC graphs as builder functions, and the closed forms they rest on."""

from bayes_mdd.model.ascent import Climb, climb
from bayes_mdd.model.collapsed import BlockStatistics, collapsed_value_and_grad, reduce_features
from bayes_mdd.model.data import ModelData, prepare
from bayes_mdd.model.shared_specific import build_generative, build_shared_specific
from bayes_mdd.model.start import spectral_start

__all__ = [
    "BlockStatistics",
    "Climb",
    "ModelData",
    "build_generative",
    "build_shared_specific",
    "climb",
    "collapsed_value_and_grad",
    "prepare",
    "reduce_features",
    "spectral_start",
]
