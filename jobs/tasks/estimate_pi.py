"""Estimate pi with random points."""

import math
import random
from typing import Annotated

from pydantic import Field

from jobs import Checkpoint, Progress, task

CHUNK = 100_000
KEPT_EVERY = 20 * CHUNK


@task(
    title="Estimate π",
    group="Numbers",
    tags=["simulation"],
    icon="calculator",
    memory=100,
    example={"samples": 100_000},
)
def estimate_pi(
    samples: Annotated[
        int,
        Field(ge=1, le=10_000_000_000, description="Number of random points. 100 million take about a minute."),
    ] = 10_000_000,
    *,
    progress: Progress,
    checkpoint: Checkpoint,
) -> dict[str, float]:
    """Draw random points in a square and count those inside the circle."""
    before, inside = checkpoint.load((0, 0))
    for thrown in range(before, samples, CHUNK):
        inside += _inside(min(CHUNK, samples - thrown))
        done = min(thrown + CHUNK, samples)
        if done % KEPT_EVERY == 0:
            checkpoint.save((done, inside))
        progress(done / samples, f"π ≈ {4 * inside / done:.5f} after {done:,} points")
    share = inside / samples
    return {"estimate": 4 * share, "standard_error": 4 * math.sqrt(share * (1 - share) / samples)}


def _inside(points: int) -> int:
    throw = random.random
    return sum(1 for _ in range(points) if throw() ** 2 + throw() ** 2 <= 1.0)
