"""Shared and drug-specific factors of brain connectivity in depression.

The names listed in ``__init__.pyi`` are the stable surface of the package. They are loaded when
first used, so that ``import bayes_mdd`` and ``bayes-mdd --help`` do not wait for PyMC.

Examples
--------
>>> import bayes_mdd as bm
>>> bm.SharedSpecificSpec(n_factors=6, covariates=("site",)).n_factors
6
"""

import lazy_loader

from bayes_mdd.caches import redirect_caches

__version__ = "0.1.0"

redirect_caches()
del redirect_caches

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
