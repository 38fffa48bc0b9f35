r"""How far a factor stands above noise whose features are correlated.

Seen from people, the features add :math:`S = H \Lambda^\top \Lambda H^\top + \ldots + E E^\top`.
With loadings that have nothing to do with the correlations R of the noise, the error of a factor's
scores has two parts, in units of the noise variance:

* :math:`1 / \lambda^\top\lambda`, from the noise along the loadings, whatever R is;
* :math:`\mathrm{tr} R^2 / (h^\top h\, (\lambda^\top\lambda)^2)`, from the fluctuation of
  :math:`E E^\top`, which is that of :math:`P / d` independent features,
  :math:`d = \mathrm{tr} R^2 / P`.

With the strength :math:`s = h^\top h\, \lambda^\top\lambda / P` their sum exceeds what the model
says by :math:`(1 + d / s) / (1 + 1 / s)`. Noise alone, with n degrees of freedom, makes patterns
up to the edge of its spectrum, :math:`s = (1 + \sqrt{n d / P})^2 - 1`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayes_mdd.inference.fitted import Fitted


def factor_strength(fitted: Fitted, n_effective: float) -> pd.DataFrame:
    """Compare each factor with the patterns that correlated noise alone can make.

    Parameters
    ----------
    fitted : Fitted
        The fit.
    n_effective : float
        Effective number of features, see `effective_number`.

    Returns
    -------
    DataFrame
        ``factor``, ``strength``, ``noise_edge`` and ``scores_too_narrow``, for factors that were
        sampled.
    """
    on = np.flatnonzero(fitted.draws.block_scale.any(axis=(0, 1)))
    size = fitted.size.sum()
    length2 = np.diagonal(fitted.gram, axis1=1, axis2=2)
    loading2 = np.einsum("tbk,b->tk", fitted.draws.block_scale**2, fitted.size)
    strength = (length2 * loading2 / size).mean(axis=0)[on]
    free = fitted.design.shape[0] - fitted.design.shape[1]
    dependence = size / n_effective
    inflation = (1 + dependence / strength) / (1 + 1 / strength)
    return pd.DataFrame(
        {
            "factor": [fitted.factors[k] for k in on],
            "strength": strength,
            "noise_edge": (1 + np.sqrt(free / n_effective)) ** 2 - 1,
            "scores_too_narrow": np.sqrt(inflation),
        }
    )
