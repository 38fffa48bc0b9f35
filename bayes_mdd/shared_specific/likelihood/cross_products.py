"""Cross-products of the features of each block, as matrices or as the features themselves.

A matrix of a block has the square of the number of subjects as its size. With many subjects the
features themselves take less room and time; the matrices are then computed where they are asked
for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from bayes_mdd.types import Array, IntArray

#: Subjects up to which matrices are computed.
MATRICES_UP_TO = 400
#: Numbers of draws times factors that are multiplied with the features at a time.
COLUMNS = 2048


@dataclass(frozen=True, eq=False)
class CrossProducts:
    """Sums, over the features of a block, of their outer products.

    Parameters
    ----------
    features : ndarray of shape (n, feature), optional
        Features in a basis of the subjects, sorted by block.
    start : ndarray of int, shape (block + 1,), optional
        First feature of each block.
    given : ndarray of shape (block, n, n), optional
        The matrices, where the features are not known.
    weight : float, default 1.0
        By which all sums are multiplied.
    """

    features: Array | None = None
    start: IntArray | None = None
    given: Array | None = None
    weight: float = 1.0
    _shared: dict[str, Array] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, features: Array, code: IntArray) -> CrossProducts:
        """Sort features by block.

        Parameters
        ----------
        features : ndarray, shape (n, feature)
            Features in a basis of the subjects.
        code : ndarray of int, shape (feature,)
            Block of each feature.

        Returns
        -------
        CrossProducts
            Of these features.
        """
        order = np.argsort(code, kind="stable")
        start = np.concatenate([[0], np.cumsum(np.bincount(code))]).astype(np.int64)
        return cls(np.ascontiguousarray(features[:, order]), start)

    def times(self, weight: float) -> CrossProducts:
        """Multiply all sums.

        Parameters
        ----------
        weight : float
            The factor.

        Returns
        -------
        CrossProducts
            The product, which shares the features and what was computed from them.
        """
        return CrossProducts(
            self.features, self.start, self.given, weight * self.weight, self._shared
        )

    @cached_property
    def matrices(self) -> Array:
        """The matrices, shape (block, n, n)."""
        if "matrices" not in self._shared:
            self._shared["matrices"] = self._multiply()
        plain = self._shared["matrices"]
        return plain if self.weight == 1.0 else self.weight * plain

    def _multiply(self) -> Array:
        if self.given is not None:
            return self.given
        parts = [np.ascontiguousarray(part) for part in self.parts]
        return np.stack([part @ part.T for part in parts])

    @property
    def parts(self) -> list[Array]:
        """Features of each block, shape (n, feature); without the weight."""
        if self.features is None or self.start is None:
            raise ValueError("the features are not known")
        return [self.features[:, a:b] for a, b in zip(self.start, self.start[1:], strict=False)]

    @property
    def many(self) -> bool:
        """Whether there are more subjects than matrices serve."""
        return self.features is not None and len(self.features) > MATRICES_UP_TO

    @cached_property
    def traces(self) -> Array:
        """Total sum of squares of each block, shape (block,)."""
        if self.many:
            return np.asarray(self.weight * np.array([(part**2).sum() for part in self.parts]))
        return np.asarray(np.trace(self.matrices, axis1=1, axis2=2))

    def between(self, columns: Array) -> Array:
        """Multiply from both sides by columns of each draw, ``columns.T @ matrix @ columns``.

        Parameters
        ----------
        columns : ndarray, shape (draw, n, k)
            Columns in the basis of the features.

        Returns
        -------
        ndarray, shape (draw, block, k, k)
            The products.
        """
        draws, n, k = columns.shape
        if not self.many:
            turned = np.swapaxes(columns, 1, 2)
            found = [turned @ matrix @ columns for matrix in self.matrices]
            return np.stack(found, axis=1)
        out = np.empty((draws, len(self.parts), k, k))
        step = max(1, COLUMNS // k)
        for at in range(0, draws, step):
            some = np.swapaxes(columns[at : at + step], 1, 2)
            flat = np.ascontiguousarray(some).reshape(-1, n)
            for b, part in enumerate(self.parts):
                projected = (flat @ part).reshape(len(some), k, -1)
                out[at : at + step, b] = projected @ np.swapaxes(projected, 1, 2)
        return out * self.weight
