r"""Coordinates in which compositions and patterns are nearly independent and nearly Gaussian.

The likelihood of `composition` depends on compositions Theta and patterns Lambda through their
product. The product hardly changes when all patterns grow while all compositions become more
similar (Theta R^-1, R Lambda with rows of R summing to 1), so the posterior of Theta and Lambda
has a long, bent ridge, along which a sampler moves slowly. Three changes of variables straighten
it; none of them changes the posterior:

- **Patterns** are sampled as W = R Lambda with R = (Theta0' Theta0)^-1 Theta0' Theta. These are
  the coefficients of a regression of all subjects' deviations on a fixed initial estimate Theta0.
  The data determine W at every point of the ridge.
- **Compositions** are shares :math:`\theta_k = g_k / \sum_j g_j` of
  :math:`g_k = \epsilon\, \mathrm{softplus}(u_k) \sigma(u_k)^{1/a_k - 1}`,
  :math:`u = x / \epsilon`. Inside the simplex g is nearly x, so R acts on x linearly.
  Beyond its boundary log g falls as u / a. The long tail of a Dirichlet distribution with
  parameter a, about which the data carry no information, then has the same shape for every a;
  otherwise the concentration would be tied to how far in the tails a chain is.
- **The K (K - 1) directions** in which R moves the initial estimate are sampled with a scale
  `STRETCH` times that of the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from scipy.linalg import helmert

from bayes_mdd.types import Array

#: Width of the boundary of the simplex: about the posterior SD of a composition.
BOUNDARY_WIDTH = 0.1
#: Approximate ratio of the posterior SDs along the ridge and across it.
STRETCH = 3.0


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Constants that follow from the initial estimate.

    Parameters
    ----------
    projection : ndarray or TensorVariable, shape (factor, subject)
        Regression on the initial estimate.
    basis : ndarray, shape (factor - 1, factor)
        Orthonormal rows, each of sum 0.
    ridge : ndarray or TensorVariable, shape (subject * (factor - 1), factor * (factor - 1))
        Orthonormal directions in which linear maps move the initial estimate.
    """

    projection: Any
    basis: Array
    ridge: Any


def build_coordinates(initial: Array) -> Coordinates:
    """Build coordinates around an initial estimate.

    Parameters
    ----------
    initial : ndarray, shape (subject, factor)
        Compositions; rows sum to 1, columns are linearly independent.

    Returns
    -------
    Coordinates
        For `transform_compositions` and `transform_patterns`.
    """
    n_factors = initial.shape[1]
    basis = helmert(n_factors)
    # A change of row j of R along axis c moves each subject along c by its share of factor j.
    moved = [np.outer(share, axis).ravel() for share in initial.T for axis in np.eye(n_factors - 1)]
    ridge = np.linalg.qr(np.array(moved).T)[0]
    return Coordinates(np.linalg.pinv(initial), basis, ridge)


def transform_compositions(position: Any, a: Any, coordinates: Coordinates) -> tuple[Any, Any]:
    """Compute compositions from coordinates.

    Parameters
    ----------
    position : TensorVariable, shape (subject, factor - 1)
        Coordinates.
    a : TensorVariable, shape (subject, factor)
        Dirichlet parameters of each subject.
    coordinates : Coordinates
        Constants of the transform.

    Returns
    -------
    log_theta : TensorVariable, shape (subject, factor)
        Logarithms of compositions.
    log_jacobian : TensorVariable, shape (subject,)
        Logarithm of the volume of compositions (in orthonormal coordinates of the simplex) per
        volume of x.
    """
    n_factors = coordinates.basis.shape[1]
    flat = position.ravel()
    ridge = pt.as_tensor_variable(coordinates.ridge)
    moved = flat + (STRETCH - 1.0) * pt.dot(ridge, pt.dot(ridge.T, flat))
    x = 1.0 / n_factors + pt.dot(moved.reshape(position.shape), coordinates.basis)
    u = x / BOUNDARY_WIDTH
    above, below = pt.softplus(u), pt.softplus(-u)
    # For very negative u softplus(u) is exp(u), which would underflow.
    log_softplus = pt.switch(pt.lt(u, -30.0), u, pt.log(pt.softplus(pt.maximum(u, -30.0))))
    power = 1.0 / a - 1.0
    log_g = log_softplus - power * below
    # dg/du = g (sigma / softplus + power (1 - sigma))
    log_slope = log_g + pt.log(pt.exp(-below - log_softplus) + power * pt.exp(-above))
    log_total = pm.math.logsumexp(log_g, axis=1, keepdims=True)
    log_theta = log_g - log_total
    # Normalisation projects diag(slope) along theta onto the plane of the simplex: Sylvester's
    # determinant identity.
    log_jacobian = (
        log_slope.sum(axis=1)
        + pt.log(pt.exp(log_theta - log_slope + log_total).sum(axis=1))
        - n_factors * log_total[:, 0]
        - (n_factors - 1) * np.log(BOUNDARY_WIDTH)
    )
    return log_theta, log_jacobian


def transform_patterns(profile: Any, theta: Any, coordinates: Coordinates) -> tuple[Any, Any]:
    """Compute patterns Lambda from W, and log |det R|.

    Parameters
    ----------
    profile : TensorVariable, shape (factor, block)
        W.
    theta : TensorVariable, shape (subject, factor)
        Compositions.
    coordinates : Coordinates
        Constants of the transform.

    Returns
    -------
    pattern : TensorVariable, shape (factor, block)
        Patterns.
    log_det : TensorVariable
        The volume of patterns per volume of W is exp(-log_det) for each block.
    """
    # Gauss-Jordan elimination: R is close to the identity, and linking LAPACK takes long.
    left, right = pt.dot(coordinates.projection, theta), profile
    log_det = pt.constant(0.0)
    n_factors = coordinates.basis.shape[1]
    for k in range(n_factors):
        pivot = left[k, k]
        log_det = log_det + pt.log(pt.abs(pivot))
        factor = ((left[:, k] - np.eye(n_factors)[k]) / pivot)[:, None]
        left, right = left - factor * left[k][None, :], right - factor * right[k][None, :]
    return right, log_det


def initial_position(composition: Array, coordinates: Coordinates) -> Array:
    """Compute coordinates of compositions inside the simplex, as initial values.

    Parameters
    ----------
    composition : ndarray, shape (subject, factor)
        Rows sum to 1.
    coordinates : Coordinates
        Constants of the transform.

    Returns
    -------
    ndarray, shape (subject, factor - 1)
        Exact where softplus is linear, which suffices for initial values.
    """
    flat = ((composition - 1.0 / composition.shape[1]) @ coordinates.basis.T).ravel()
    along = coordinates.ridge @ (coordinates.ridge.T @ flat)
    return np.asarray((flat + (1.0 / STRETCH - 1.0) * along).reshape(len(composition), -1))
