"""How scores vary in each arm: sharing, and the means that are integrated out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayes_mdd.dims import ARM, CONTROL, FACTOR
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.specs import SharedSpecificSpec


def fixed_sharing(spec: SharedSpecificSpec, arms: tuple[str, ...]) -> np.ndarray | None:
    """Sharing that is not learned, or None.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model; `sharing` is read.
    arms : tuple of str
        Arms in order.

    Returns
    -------
    ndarray of shape (factor, arm), or None
        One arm alone, or a pattern that the spec fixes.
    """
    if spec.sharing is None:
        return np.ones((spec.n_factors, 1)) if len(arms) == 1 else None
    rows = [np.full(len(arms), 1 / len(arms))] * spec.sharing.get("shared", 0)
    for i, arm in enumerate(arms):
        rows += [np.eye(len(arms))[i]] * spec.sharing.get(arm, 0)
    return np.stack(rows)


@dataclass(frozen=True, eq=False)
class Expression:
    """Variances of the scores of an arm: across its mean, and along it.

    The scores of the n people of an arm have the covariance ``across (I - 11'/n) + along 11'/n``,
    whose powers act on a vector's mean and on what is left of it.

    Parameters
    ----------
    across, along : TensorVariable, shape (arm, factor)
        Variances.
    """

    across: Any
    along: Any

    @classmethod
    def prior(cls, spec: SharedSpecificSpec, data: ModelData, ratio: Any) -> Expression:
        """Variances that the model states, with the arm means integrated out.

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
            Of a variance.

        Returns
        -------
        Expression
            New variances.
        """
        return Expression(function(self.across), function(self.along))

    def scale(self, data: ModelData, x: Any, power: float) -> Any:
        """Multiply scores with a power of their covariance.

        Parameters
        ----------
        data : ModelData
            For the arm of each person.
        x : TensorVariable, shape (subject, factor)
            Scores.
        power : float
            0.5 gives standard scores their variance, -0.5 takes it away.

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


def mean_variance(spec: SharedSpecificSpec, arms: tuple[str, ...]) -> np.ndarray:
    """Prior variance of the arm means.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    arms : tuple of str
        Arms in order.

    Returns
    -------
    ndarray, shape (arm, factor)
        Zero for controls, who are the reference, and for arms that a fixed pattern of sharing
        leaves out of a factor.
    """
    variance = np.full((len(arms), spec.n_factors), spec.mean_scale**2)
    variance[[a == CONTROL for a in arms]] = 0.0
    pattern = fixed_sharing(spec, arms)
    return variance if pattern is None else np.where(pattern.T > 0, variance, 0.0)


def relative_variance(spec: SharedSpecificSpec, data: ModelData) -> Any:
    """Declare sharing, or fix it, and turn it into variances of scores.

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
