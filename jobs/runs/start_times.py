"""Simulate when runs that wait may start, from the durations that runs of their tasks took lately.

Each round of the simulation lets the workers execute the runs in their order, with durations drawn from the past ones.
It draws from a sample of them (the bootstrap), because a few durations say little about the true mean. The interval
leaves out the extreme rounds, and is then widened for what no past duration tells: runs that are cancelled, and people
who come later and have had less of the workers' time.
"""

import heapq
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from random import Random

MOST_STEPS = 20_000  # a page is drawn in the meantime: this takes about 15 ms
LEAST_ROUNDS, MOST_ROUNDS = 12, 40
LEFT_OUT = 0.05  # of the rounds, at each end
SOONER, LATER, LATER_SECONDS = 0.8, 1.25, 1.0
SEED = 18  # the same in every simulation, so that an estimate moves only if what it is made from does


@dataclass(frozen=True)
class Interval:
    """The seconds within which something is expected to happen."""

    least: float
    most: float


@dataclass(frozen=True)
class Work:
    """A run: its id, the kind of its past durations, and for how many seconds it has been running."""

    run_id: int
    kind: str
    elapsed: float = 0.0


def start_times(
    order: Sequence[Work],
    running: Sequence[Work],
    workers: int,
    past: Mapping[str, Sequence[float]],
    wanted: Collection[int],
) -> dict[int, Interval]:
    """Return within how many seconds the wanted runs of an order may start.

    Those are left out before which there is a run of a kind without past durations: nobody knows how long it takes.
    """
    running = running[:workers]
    known = _until_unknown(order, past)
    if not workers or (len(running) == workers and any(not past.get(one.kind) for one in running)):
        return {}
    random, starts = Random(SEED), defaultdict[int, list[float]](list)
    last = max((place for place, one in enumerate(known) if one.run_id in wanted), default=-1)
    steps = known[: last + 1]
    for _round in range(min(MOST_ROUNDS, max(LEAST_ROUNDS, MOST_STEPS // max(1, len(steps))))):
        drawn = {kind: random.choices(some, k=len(some)) for kind, some in past.items() if some}
        free = sorted([0.0] * (workers - len(running)) + [_rest(random, one, drawn.get(one.kind)) for one in running])
        for one in steps:
            if one.run_id in wanted:
                starts[one.run_id].append(free[0])
            if some := drawn.get(one.kind):
                heapq.heapreplace(free, free[0] + random.choice(some))
    return {run_id: _interval(sorted(found)) for run_id, found in starts.items()}


def _until_unknown(order: Sequence[Work], past: Mapping[str, Sequence[float]]) -> Sequence[Work]:
    """Return the runs up to the first one that nobody knows the duration of; that one's own start can be told."""
    ends = (place for place, one in enumerate(order) if not past.get(one.kind))
    return order[: next(ends, len(order)) + 1]


def _rest(random: Random, one: Work, past: Sequence[float] | None) -> float:
    """Draw how much longer a run takes that has been running: as if it were one of those that took longer still."""
    longer = [seconds for seconds in past or () if seconds > one.elapsed]
    return random.choice(longer) - one.elapsed if longer else random.random() * one.elapsed


def _interval(found: Sequence[float]) -> Interval:
    left_out = int(len(found) * LEFT_OUT)
    least, most = found[left_out], found[-1 - left_out]
    return Interval(SOONER * least, LATER * most + (LATER_SECONDS if most else 0.0))
