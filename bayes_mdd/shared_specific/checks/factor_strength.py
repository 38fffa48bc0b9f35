r"""Strength of each factor relative to noise with correlated features.

In the space of subjects, the features contribute
:math:`S = H \Lambda^\top \Lambda H^\top + \ldots + E E^\top`. With loadings unrelated to the
correlations R of the noise, the error of a factor's scores has two parts, in units of
the noise variance:

* :math:`1 / \lambda^\top\lambda`, from the noise along the loadings, whatever R is;
* :math:`\mathrm{tr} R^2 / (h^\top h\, (\lambda^\top\lambda)^2)`, from the fluctuation of
  :math:`E E^\top`, which is that of :math:`P / d` independent features,
  :math:`d = \mathrm{tr} R^2 / P`.

With the strength :math:`s = h^\top h\, \lambda^\top\lambda / P` their sum exceeds the model's value
by :math:`(1 + d / s) / (1 + 1 / s)`, and by that times w where the fit raised the likelihood
of the features to the power w. This holds for factors that are
clearly stronger than noise. Correlated noise has components of its own; those that the fit took for
factors are about as strong as the largest remaining one, which is why both are reported.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayes_mdd.shared_specific.new_subjects.fitted import Fitted
from bayes_mdd.types import Array


def largest_pattern(residual: Array) -> float:
    """Strength of the largest component of the residuals.

    Parameters
    ----------
    residual : ndarray, shape (free, feature)
        Residuals in units of their noise.

    Returns
    -------
    float
        Largest eigenvalue of the similarity of subjects over the average one, minus the noise (1).
    """
    values = np.linalg.eigvalsh(residual @ residual.T)
    return float(values[-1] / values.mean() - 1)


def factor_strength(fitted: Fitted, n_effective: float, left: float) -> pd.DataFrame:
    """Compare each factor with the components of correlated noise.

    Parameters
    ----------
    fitted : Fitted
        The fit.
    n_effective : float
        Effective number of features, see `effective_number`.
    left : float
        From `largest_pattern`, of the residuals of the fit.

    Returns
    -------
    DataFrame
        ``factor``, ``strength``, ``largest_left`` and ``scores_too_narrow``, for factors that were
        sampled.
    """
    on = np.flatnonzero(fitted.draws.block_scale.any(axis=(0, 1)))
    size = fitted.size.sum()
    length2 = np.diagonal(fitted.gram, axis1=1, axis2=2)
    loading2 = np.einsum("tbk,b->tk", fitted.draws.block_scale**2, fitted.size)
    strength = (length2 * loading2 / size).mean(axis=0)[on]
    dependence = size / n_effective
    inflation = (1 + dependence / strength) / (1 + 1 / strength)
    return pd.DataFrame(
        {
            "factor": [fitted.factors[k] for k in on],
            "strength": strength,
            "largest_left": left,
            "scores_too_narrow": np.sqrt(inflation * fitted.weight),
        }
    )
