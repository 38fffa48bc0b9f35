"""Registry of the model families: the spec class of each kind of model."""

from __future__ import annotations

from collections.abc import Mapping

from bayes_mdd.errors import SpecError
from bayes_mdd.specs.base import Spec
from bayes_mdd.specs.polar_lda import PolarLDASpec
from bayes_mdd.specs.shared_specific import SharedSpecificSpec

#: Spec class of each kind of model.
MODELS: Mapping[str, type[Spec]] = {
    "shared_specific": SharedSpecificSpec,
    "polar_lda": PolarLDASpec,
}
#: Kind of an analysis that does not state one.
DEFAULT_MODEL = "shared_specific"


def kind_of(spec: Spec) -> str:
    """Return the kind of model that a spec describes.

    Parameters
    ----------
    spec : Spec
        An instance of one of the classes in `MODELS`.

    Returns
    -------
    str
        A key of `MODELS`.

    Raises
    ------
    SpecError
        If the spec does not describe a model.

    Examples
    --------
    >>> kind_of(PolarLDASpec())
    'polar_lda'
    """
    for kind, known in MODELS.items():
        if type(spec) is known:
            return kind
    raise SpecError(f"{type(spec).__name__} does not describe a model ({', '.join(MODELS)}).")
