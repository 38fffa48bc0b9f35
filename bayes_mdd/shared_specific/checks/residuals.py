r"""Residuals of the features under each draw, and of replicates.

Given scores H, the residual of a feature after regression on the design and H is, under the
model, noise of known standard deviation in the space orthogonal to both: independent between
features and, in any orthonormal basis C of that space, between its coordinates. So

.. math:: C^\top y_p / (c_p \sigma_b) \sim N(0, I), \qquad C^\top C = I, \quad C^\top [X, H] = 0

and a replicate under the same draw is a matrix of standard normal numbers. No draw of loadings is
needed, so the noise of such a draw does not dilute deviations.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bayes_mdd.errors import DataContractError
from bayes_mdd.shared_specific.new_subjects.fitted import Fitted
from bayes_mdd.types import Array

#: Smallest number of residual degrees of freedom for correlations and tails.
LEAST_FREE = 5
#: A subject whose residual keeps less than this share is fitted by the design alone.
LEAST_KEPT = 0.05


@dataclass(frozen=True, eq=False)
class Residuals:
    """Standardised residuals of one draw, or of a replicate under it.

    Parameters
    ----------
    coordinates : ndarray, shape (free, feature)
        Under the model independent standard normal.
    basis : ndarray, shape (subject, free)
        Orthonormal; turns coordinates into residuals of subjects.
    """

    coordinates: Array
    basis: Array

    @property
    def kept(self) -> Array:
        """Share of each subject's noise that the residual keeps, shape (subject,)."""
        return np.asarray((self.basis**2).sum(axis=1))

    def by_subject(self) -> Array:
        """Residuals by subject, each with variance 1 under the model, shape (subject, feature).

        Returns
        -------
        ndarray
            NaN for subjects of whom the design leaves almost nothing.
        """
        kept = np.where(self.kept > LEAST_KEPT, self.kept, np.nan)
        return np.asarray(self.basis @ self.coordinates / np.sqrt(kept)[:, None])


def residual_pairs(
    fitted: Fitted, rng: np.random.Generator
) -> Iterator[tuple[Residuals, Residuals]]:
    """Residuals of the data and of a replicate, draw by draw.

    Parameters
    ----------
    fitted : Fitted
        The fit, with the draws to use.
    rng : numpy.random.Generator
        For the replicates.

    Yields
    ------
    data, replicate : Residuals
        Under the same draw.

    Raises
    ------
    DataContractError
        If design and factors leave too few degrees of freedom.
    """
    design = fitted.regressors
    orthogonal = np.linalg.qr(design, mode="complete")[0][:, design.shape[1] :]
    y = orthogonal.T @ fitted.y
    draws = fitted.draws
    for scores, tau, noise in zip(
        fitted.scaled_scores, draws.block_scale, draws.noise, strict=True
    ):
        on = tau.any(axis=0)
        own = np.linalg.qr(orthogonal.T @ scores[:, on], mode="complete")[0][:, on.sum() :]
        if own.shape[1] < LEAST_FREE:
            raise DataContractError(
                "residuals",
                [
                    f"{len(design)} subjects, {design.shape[1]} design columns and {on.sum()} "
                    f"factors leave {own.shape[1]} degrees of freedom; at least {LEAST_FREE} are "
                    "needed for predictive checks."
                ],
            )
        basis = orthogonal @ own
        found = own.T @ y / noise[fitted.block]
        yield (
            Residuals(found, basis),
            Residuals(rng.standard_normal(found.shape), basis),
        )
