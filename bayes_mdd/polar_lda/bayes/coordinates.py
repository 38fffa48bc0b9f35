r"""Coordinates in which compositions and patterns are nearly independent and nearly Gaussian.

The model of `composition` sees compositions Theta and patterns Lambda through their product. That
product hardly changes when all patterns grow while all compositions draw together (Theta R^-1,
R Lambda with rows of R summing to 1), so a sampler of Theta and Lambda creeps along a long, bent
ridge. Three changes of variables straighten it; none of them changes the posterior:

- **Patterns** are drawn as W = R Lambda with R = (Theta0' Theta0)^-1 Theta0' Theta, which is what
  a regression of everybody's deviations on a fixed first guess Theta0 would give. Data fix W
  wherever on the ridge Theta stands.
- **Compositions** are shares :math:`\theta_k = g_k / \sum_j g_j` of
  :math:`g_k = \epsilon\, \mathrm{softplus}(u_k) \sigma(u_k)^{1/a_k - 1}`,
  :math:`u = x / \epsilon`. Inside the simplex g is nearly x, so that R acts on x as a straight
  stretch. Beyond its edge log g falls as u / a, so that the long tail of a Dirichlet with
  parameter a, of which data know nothing, has the same shape whatever a: else the concentration
  is held by how deep the tails happen to be.
- **The K (K - 1) directions** in which R moves the first guess are drawn in steps `STRETCH` times
  as long as the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from scipy.linalg import helmert

from bayes_mdd.types import Array

#: Width of the edge of the simplex: about what a person's edges tell of a composition.
EDGE_WIDTH = 0.1
#: How much wider the posterior is along the ridge than across, about.
STRETCH = 3.0


@dataclass(frozen=True, eq=False)
class Coordinates:
    """What the first guess fixes.

    Parameters
    ----------
    projection : ndarray or TensorVariable, shape (factor, subject)
        Regression on the first guess.
    basis : ndarray, shape (factor - 1, factor)
        Orthonormal rows, each summing to 0.
    ridge : ndarray or TensorVariable, shape (subject * (factor - 1), factor * (factor - 1))
        Orthonormal directions in which linear maps move the first guess.
    """

    projection: Any
    basis: Array
    ridge: Any


def make_coordinates(guess: Array) -> Coordinates:
    """Set up coordinates around a first guess.

    Parameters
    ----------
    guess : ndarray, shape (subject, factor)
        Compositions; rows sum to 1, columns are linearly independent.

    Returns
    -------
    Coordinates
        For `place_compositions` and `place_patterns`.
    """
    n_factors = guess.shape[1]
    basis = helmert(n_factors)
    # Row j of R moves along axis c: everybody moves along c by what they have of factor j.
    moved = [np.outer(share, axis).ravel() for share in guess.T for axis in np.eye(n_factors - 1)]
    ridge = np.linalg.qr(np.array(moved).T)[0]
    return Coordinates(np.linalg.pinv(guess), basis, ridge)


def place_compositions(position: Any, a: Any, coordinates: Coordinates) -> tuple[Any, Any]:
    """Compositions at given coordinates.

    Parameters
    ----------
    position : TensorVariable, shape (subject, factor - 1)
        Coordinates.
    a : TensorVariable, shape (subject, factor)
        Dirichlet parameters of each person.
    coordinates : Coordinates
        Where they are measured from.

    Returns
    -------
    log_theta : TensorVariable, shape (subject, factor)
        Logarithms of compositions.
    log_jacobian : TensorVariable, shape (subject,)
        Logarithm of the volume of compositions (their orthonormal coordinates in the simplex)
        per volume of x.
    """
    n_factors = coordinates.basis.shape[1]
    flat = position.ravel()
    ridge = pt.as_tensor_variable(coordinates.ridge)
    moved = flat + (STRETCH - 1.0) * pt.dot(ridge, pt.dot(ridge.T, flat))
    x = 1.0 / n_factors + pt.dot(moved.reshape(position.shape), coordinates.basis)
    u = x / EDGE_WIDTH
    above, below = pt.softplus(u), pt.softplus(-u)
    # Far below the edge softplus(u) is exp(u), and would underflow.
    log_softplus = pt.switch(pt.lt(u, -30.0), u, pt.log(pt.softplus(pt.maximum(u, -30.0))))
    power = 1.0 / a - 1.0
    log_g = log_softplus - power * below
    # dg/du = g (sigma / softplus + power (1 - sigma))
    log_slope = log_g + pt.log(pt.exp(-below - log_softplus) + power * pt.exp(-above))
    log_total = pm.math.logsumexp(log_g, axis=1, keepdims=True)
    log_theta = log_g - log_total
    # Normalising projects diag(slope) along theta onto the plane: Sylvester's identity.
    log_jacobian = (
        log_slope.sum(axis=1)
        + pt.log(pt.exp(log_theta - log_slope + log_total).sum(axis=1))
        - n_factors * log_total[:, 0]
        - (n_factors - 1) * np.log(EDGE_WIDTH)
    )
    return log_theta, log_jacobian


def place_patterns(profile: Any, theta: Any, coordinates: Coordinates) -> tuple[Any, Any]:
    """Patterns Lambda at given W, and log |det R|.

    Parameters
    ----------
    profile : TensorVariable, shape (factor, block)
        W.
    theta : TensorVariable, shape (subject, factor)
        Compositions.
    coordinates : Coordinates
        Where R is measured from.

    Returns
    -------
    pattern : TensorVariable, shape (factor, block)
        Patterns.
    log_det : TensorVariable
        The volume of patterns per volume of W is exp(-log_det) for each block.
    """
    # Gauss-Jordan: R is close to the identity, and linking LAPACK would take long to compile.
    left, right = pt.dot(coordinates.projection, theta), profile
    log_det = pt.constant(0.0)
    n_factors = coordinates.basis.shape[1]
    for k in range(n_factors):
        pivot = left[k, k]
        log_det = log_det + pt.log(pt.abs(pivot))
        factor = ((left[:, k] - np.eye(n_factors)[k]) / pivot)[:, None]
        left, right = left - factor * left[k][None, :], right - factor * right[k][None, :]
    return right, log_det


def find_position(composition: Array, coordinates: Coordinates) -> Array:
    """Coordinates near a composition inside the simplex, as initial values.

    Parameters
    ----------
    composition : ndarray, shape (subject, factor)
        Rows sum to 1.
    coordinates : Coordinates
        Where they are measured from.

    Returns
    -------
    ndarray, shape (subject, factor - 1)
        Exact only where softplus is linear; a start need not be more.
    """
    flat = ((composition - 1.0 / composition.shape[1]) @ coordinates.basis.T).ravel()
    along = coordinates.ridge @ (coordinates.ridge.T @ flat)
    return np.asarray((flat + (1.0 / STRETCH - 1.0) * along).reshape(len(composition), -1))
