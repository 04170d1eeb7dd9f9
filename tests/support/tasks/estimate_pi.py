"""A task that takes as long as a test wants, seconds for millions of samples, and reports progress."""

import random
from typing import Annotated

from pydantic import Field

from jobs import Progress, task

CHUNK = 100_000


@task(title="Estimate π", example={"samples": 100_000})
def estimate_pi(
    samples: Annotated[int, Field(ge=1, le=10_000_000_000)] = 10_000_000, *, progress: Progress
) -> dict[str, float]:
    """Draw random points in a square and count those inside the circle."""
    inside = 0
    for thrown in range(0, samples, CHUNK):
        done = min(thrown + CHUNK, samples)
        inside += sum(random.random() ** 2 + random.random() ** 2 <= 1 for _ in range(thrown, done))
        progress(done / samples, f"π ≈ {4 * inside / done:.5f} after {done:,} points")
    return {"estimate": 4 * inside / samples}
