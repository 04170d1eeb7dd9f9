"""Principal components, in a module of their own so that only the process that computes them imports numpy."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def components(rows: Sequence[Sequence[float]]) -> tuple[Numbers, Numbers, Numbers]:
    """Return the rows projected on the principal components, the components, and each one's share of the variance.

    The columns are standardised first.
    """
    scaled = _standardised(np.array(rows, dtype=float))
    variances, vectors = np.linalg.eigh(scaled.T @ scaled)
    order = np.argsort(variances)[::-1]
    directions = vectors[:, order].T
    directions *= np.sign(directions[np.arange(len(directions)), np.abs(directions).argmax(axis=1)])[:, np.newaxis]
    return scaled @ directions.T, directions, np.clip(variances[order], 0, None) / variances.clip(0).sum()


def _standardised(values: Numbers) -> Numbers:
    spread = values.std(axis=0)
    return np.asarray((values - values.mean(axis=0)) / np.where(spread > 0, spread, 1))
