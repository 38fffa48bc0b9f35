"""Array types that signatures share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Real numbers in double precision.
Array = NDArray[np.float64]
#: Whole numbers: codes of arms and blocks, positions, counts.
IntArray = NDArray[np.int64]
#: Masks.
BoolArray = NDArray[np.bool_]
