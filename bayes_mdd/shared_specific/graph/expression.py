"""Variances of the scores of each arm: sharing, and arm means that are integrated out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayes_mdd.dims import ARM, FACTOR
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.prior.arms import fixed_sharing, mean_variance
from bayes_mdd.specs import SharedSpecificSpec


@dataclass(frozen=True, eq=False)
class Expression:
    """Variances of the scores of an arm: across its mean, and along it.

    The scores of the n subjects of an arm have the covariance
    ``across (I - 11'/n) + along 11'/n``, whose powers act separately on the mean of a vector and
    on its deviations from the mean.

    Parameters
    ----------
    across, along : TensorVariable, shape (arm, factor)
        Variances.
    """

    across: Any
    along: Any

    @classmethod
    def prior(cls, spec: SharedSpecificSpec, data: ModelData, ratio: Any) -> Expression:
        """Prior variances, with the arm means integrated out.

        Parameters
        ----------
        spec : SharedSpecificSpec
            For the scale of the means.
        data : ModelData
            For the arms.
        ratio : TensorVariable, shape (arm, factor)
            Variance A w around the mean.

        Returns
        -------
        Expression
            The two variances.
        """
        return cls(ratio, ratio + data.arm_size[:, None] * mean_variance(spec, data.arms))

    def map(self, function: Callable[[Any], Any]) -> Expression:
        """Apply a function to both variances.

        Parameters
        ----------
        function : callable
            Function of a variance.

        Returns
        -------
        Expression
            New variances.
        """
        return Expression(function(self.across), function(self.along))

    def scale(self, data: ModelData, x: Any, power: float) -> Any:
        """Multiply scores by a power of their covariance.

        Parameters
        ----------
        data : ModelData
            For the arm of each subject.
        x : TensorVariable, shape (subject, factor)
            Scores.
        power : float
            0.5 scales standard scores to their variance, -0.5 standardises scores.

        Returns
        -------
        TensorVariable
            Same shape as `x`.
        """
        across = (self.across**power)[data.arm]
        mean = pt.dot(data.arm_average, x)
        return across * x + ((self.along**power - self.across**power) * mean)[data.arm]

    def log_det(self, data: ModelData) -> Any:
        """Log determinant of the covariances of all arms and factors.

        Parameters
        ----------
        data : ModelData
            For the sizes of the arms.

        Returns
        -------
        TensorVariable
            A scalar.
        """
        size = data.arm_size[:, None]
        return ((size - 1) * pt.log(self.across) + pt.log(self.along)).sum()


def relative_variance(spec: SharedSpecificSpec, data: ModelData) -> Any:
    """Declare or fix sharing and compute the variances of scores.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    data : ModelData
        For the arms.

    Returns
    -------
    TensorVariable, shape (arm, factor)
        Variance A w around the mean, 1 on average over arms.
    """
    pattern = fixed_sharing(spec, data.arms)
    if pattern is None:
        alpha = np.full((spec.n_factors, len(data.arms)), spec.sharing_concentration)
        sharing = pm.Dirichlet("sharing", alpha, dims=(FACTOR, ARM))
    else:
        sharing = pm.Deterministic("sharing", pt.as_tensor(pattern), dims=(FACTOR, ARM))
    return len(data.arms) * sharing.T
