"""Two ordinal scores of twenty rows in nine patients, small enough to type into R."""

import numpy as np

TRUTH = np.array([0] * 12 + [1] * 8)
FIRST = np.array([1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 5, 2, 3, 3, 4, 4, 4, 5, 5], dtype=float)
SECOND = np.array([1, 2, 3, 1, 2, 1, 4, 2, 3, 2, 2, 1, 3, 2, 4, 1, 5, 4, 4, 3], dtype=float)
PATIENT = np.array([1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 1, 2, 9, 3])
