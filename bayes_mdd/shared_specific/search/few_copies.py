"""Search for smooth components among many subjects, where sign-flipped copies cost much."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayes_mdd.shared_specific.search.parallel_analysis import complement
from bayes_mdd.shared_specific.search.weightings import (
    Bins,
    flip_signs,
    group_subjects,
    largest_excess,
    matched_filter,
)
from bayes_mdd.shared_specific.whitening.leading import leading_pairs, rough_leading_value
from bayes_mdd.types import Array, IntArray

#: Number of sign-flipped copies: the largest eigenvalues of many subjects hardly vary.
COPIES = 16


class FewCopies:
    """Search among many subjects, where copies cost much and hardly differ.

    Copies of the first residuals serve all components that exceed them: strong components make
    them larger. New ones are made before the search ends.
    """

    def __init__(self) -> None:
        self._null: Array | None = None

    def find(
        self,
        x: Array,
        bins: Bins,
        arm: NDArray[np.integer],
        taken: Array,
        rng: np.random.Generator,
    ) -> Array | None:
        """Find the component that exceeds noise by most.

        Parameters
        ----------
        x : ndarray, shape (subject, feature)
            Features.
        bins : Bins
            Bins of the features.
        arm : ndarray of int, shape (subject,)
            Arm of each subject.
        taken : ndarray, shape (subject, m)
            Orthonormal basis of the design and of components found before.
        rng : numpy.random.Generator
            For the signs.

        Returns
        -------
        ndarray of shape (subject,) or None
            Scores with norm 1; None if no component exceeds noise.
        """
        left, groups = complement(x, taken), group_subjects(arm, taken)
        single = left.astype(np.float32)
        seen = _statistics_of_many(single, bins, groups)
        best = None if self._null is None else largest_excess(seen, self._null, few=True)
        if best is None:
            copies = (flip_signs(single, rng) for _ in range(COPIES))
            self._null = np.array([_statistics_of_many(c, bins, groups) for c in copies])
            best = largest_excess(seen, self._null, few=True)
        if best is None:
            return None
        group, weighting = divmod(best, len(bins.weights))
        at, inside = groups[group]
        own = complement(x[at], inside)
        weights = np.sqrt(bins.weights[weighting])[bins.of]
        scores, weights = matched_filter(
            own,
            weights,
            bins,
            len(at) - inside.shape[1],
            lambda y: leading_pairs(y, 1)[1][:, 0],
        )
        if group:
            scores = (left * weights) @ ((own * weights).T @ scores)
        scores = complement(scores[:, None], taken)[:, 0]
        return np.asarray(scores / np.linalg.norm(scores))


def _statistics_of_many(
    left: NDArray[np.float32], bins: Bins, groups: list[tuple[IntArray, Array]]
) -> Array:
    """Log ratio of the largest eigenvalue to the mean of the others, by group and weighting."""
    out = []
    for at, inside in groups:
        columns = inside.astype(np.float32)
        own = left[at] - columns @ (columns.T @ left[at])
        square = np.einsum("np,np->p", own, own).astype(float)
        for weights in bins.weights:
            used = np.flatnonzero(weights[bins.of] > 0)
            some = own if used.size == own.shape[1] else own[:, used]
            w = weights[bins.of[used]]
            top, rank = rough_leading_value(some, w), min(used.size, len(at) - inside.shape[1])
            out.append(np.log(top / ((w @ square[used] - top) / (rank - 1))))
    return np.array(out)
