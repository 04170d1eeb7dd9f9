"""Principal components: apart from their task, so that numpy is imported by who computes them only."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def components(rows: Sequence[Sequence[float]]) -> tuple[Numbers, Numbers, Numbers]:
    """The rows as points along the principal components, the components, and the share of variance of each.

    The columns are standardised before.
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
