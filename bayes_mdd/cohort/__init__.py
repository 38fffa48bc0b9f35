"""The cohort: participants, sites, sessions, and symptom scores.

The names listed in ``__init__.pyi`` are loaded when first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
