"""Polar LDA: latent Dirichlet allocation over hyper- and hypo-connected edges.

The names listed in ``__init__.pyi`` are the public surface of the package. They are loaded when
first used, so that importing the package does not wait for Numba.

Examples
--------
>>> from bayes_mdd import polar_lda
>>> polar_lda.make_counts([[0.26, -0.26, 0.04]]).tolist()
[[3, -3, 0]]
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
