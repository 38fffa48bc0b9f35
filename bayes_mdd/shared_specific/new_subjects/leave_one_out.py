r"""Density of each fitted person given the others, for every draw, without fitting again.

Deleting person i from a regression is adding a column that marks the person. So all sums that
the density of a new person needs follow from those of everybody: with M the annihilator of the
design, v row i of MH, and S the cross-products of a block's residuals,

.. math:: G_{-i} = G - v v^\top / m, \qquad r = R_i / m, \qquad 1 + c = 1 / m, \qquad m = M_{ii}.

The draws come from the posterior that knows person i. Importance sampling with the inverse of
this density leads to the posterior without the person (leave-one-out with the person's scores,
the loadings and the covariate effects integrated out), as far as it can: see Pareto's k.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from bayes_mdd.dims import CHAIN, DRAW, SUBJECT
from bayes_mdd.errors import SpecError
from bayes_mdd.shared_specific.new_subjects.fitted import Fitted, given_loadings
from bayes_mdd.shared_specific.new_subjects.predictive_density import Loadings, integrate_scores
from bayes_mdd.shared_specific.new_subjects.read_fitted import MAX_DRAWS, read_fitted
from bayes_mdd.shared_specific.new_subjects.subject_statistics import Person, in_arm

LOO_STREAM = 20


def person_log_likelihood(
    idata: xr.DataTree,
    *,
    training: xr.Dataset | None = None,
    max_draws: int = MAX_DRAWS,
    candidates: int = 8,
    seed: int = 1,
) -> xr.DataArray:
    """Log density of each fitted person's features given everybody else, per draw.

    Parameters
    ----------
    idata : DataTree
        From `fit`.
    training : Dataset, optional
        FeatureSet of the fit; needed where the run does not hold it.
    max_draws : int, default 1000
        Draws of the posterior to use at most, evenly spaced within chains.
    candidates : int, default 8
        Proposals over which the person's scores are integrated, for each draw.
    seed : int, default 1
        Of the proposals.

    Returns
    -------
    DataArray, dims (chain, draw, subject)
        In the unit of the features. The relative noise of features was estimated with the person.

    Raises
    ------
    DataContractError
        If the features of the fit are not at hand.
    SpecError
        If each feature has a noise of its own (``feature_noise="student"``), or features count
        as fewer ones (``feature_dependence="weighted"``).
    """
    fitted = read_fitted(idata, training, max_draws=max_draws)
    if fitted.spec.feature_noise == "student":
        raise SpecError(
            "leave-one-out does not integrate over noise by feature, which was estimated with the "
            "person: compare models with compare_models (K-fold), which fits without the person."
        )
    if fitted.weight != 1.0:
        raise SpecError(
            "leave-one-out weighs draws by the density that they came from, and this fit took its "
            f"features for {fitted.weight:.2f} as many (feature_dependence 'weighted'): compare "
            "models with compare_models (K-fold), which fits without the person."
        )
    rng = np.random.default_rng([seed, LOO_STREAM])
    unit = np.log(fitted.feature_noise).sum()
    n_draws, n = fitted.draws.noise.shape[0], len(fitted.subjects)
    value = np.empty((n_draws, n))
    for i, arm in enumerate(fitted.arm):
        given, person = without_person(fitted, i)
        seen = in_arm(fitted, person, int(arm))
        value[:, i] = integrate_scores(given, seen, rng, candidates=candidates).log_density - unit
    draws = fitted.draws
    return xr.DataArray(
        value.reshape(len(draws.chain), len(draws.draw), n),
        coords={
            CHAIN: draws.chain,
            DRAW: draws.draw,
            SUBJECT: np.array(fitted.subjects, dtype=object),
        },
        dims=(CHAIN, DRAW, SUBJECT),
        name="person",
    )


def without_person(fitted: Fitted, i: int) -> tuple[Loadings, Person]:
    """Remove a person from the sums and make them a stranger.

    Parameters
    ----------
    fitted : Fitted
        The fit.
    i : int
        Which person.

    Returns
    -------
    given : Loadings
        What the others say of the loadings.
    person : Person
        The person against the others.
    """
    draws = fitted.draws
    x = fitted.design.to_numpy()
    m = 1.0 - float(x[i] @ fitted.regress[:, i])
    v = fitted.score_residual[:, i]
    own = fitted.cross_products[:, i, i]
    row = np.einsum("bn,tnk->tbk", fitted.cross_products[:, i], fitted.score_residual)
    square = v[:, :, None] * v[:, None, :]
    crossed = v[:, None, :, None] * row[:, :, None, :]
    pattern = fitted.pattern - (crossed + np.swapaxes(crossed, 2, 3)) / m
    pattern += square[:, None] * (own / m**2)[:, None, None]
    given = given_loadings(
        fitted.gram - square / m, pattern, draws.block_scale, draws.noise, fitted.size
    )
    pull = row / m - v[:, None, :] * (own / m**2)[:, None]
    return given, Person(
        square=own / m**2,
        pull=np.einsum("tbkl,tbl->tbk", given.spread, pull),
        base=np.full(draws.noise.shape, 1.0 / m),
        predicted=draws.scores[:, i] - v / m,
    )
