"""Batches of a run's output: the lines of its log and its partial results.

Stored entries of a run and kind are numbered from 1. A missing number means that an entry was dropped.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

# The limit for each kind and run, stored or waiting to be stored.
LARGEST_BYTES = 1_000_000
# The overhead of an entry beside its content, so that 1 MB holds at most 10,000 lines.
ENTRY_BYTES = 100


class OutputKind(StrEnum):
    LOG = "log"
    EMITTED = "emitted"


class Entry(NamedTuple):
    """A line or value: its time (seconds since 1970), source (out, err or a log level) and content."""

    at: float
    source: str
    content: Any

    @property
    def size(self) -> int:
        text = self.content if isinstance(self.content, str) else json.dumps(self.content)
        return len(text.encode()) + ENTRY_BYTES


@dataclass(frozen=True)
class Batch:
    """Consecutive entries of one kind, their size in bytes, and the number of entries dropped before them."""

    kind: OutputKind
    entries: Sequence[Entry]
    size: int
    dropped: int = 0
