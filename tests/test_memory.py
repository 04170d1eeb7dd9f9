"""The application's memory: what it takes while it waits, and while every task that comes with it runs once."""

import sys

import pytest

from benchmarks.memory import Sampler, memory_of, run_examples, running, total
from jobs.authoring.catalog import load_catalog
from jobs.authoring.folders import OF_THE_PROJECT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's share of its memory")

# What `make bench` measures, and a fifth to a third more.
MOST_IDLE_MB = 252
MOST_A_WORKER_MB = 20
MOST_AT_WORK_MB = 400


def test_it_takes_little_memory_idle_and_at_work_and_each_further_worker_adds_little() -> None:
    with running(3) as stack:
        three = total(memory_of(stack))
    with running(2) as stack:
        two = total(memory_of(stack))
        with Sampler(stack) as sampler:
            ended = run_examples(stack)
    assert ended == dict.fromkeys(load_catalog([OF_THE_PROJECT]), "succeeded")
    assert two <= MOST_IDLE_MB
    assert three - two <= MOST_A_WORKER_MB
    assert sampler.peak <= MOST_AT_WORK_MB
