"""What a task puts out while it runs: the lines of its log and its partial results, in batches on their way to the row.

The entries of a run and kind are numbered from 1 when they are stored; a number that is missing was dropped.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

# What is kept, or may wait, of each kind and run.
LARGEST_BYTES = 1_000_000
# What an entry costs beside its content, wherever it is: so 1 MB is 10,000 lines at most.
ENTRY_BYTES = 100


class Kind(StrEnum):
    LOG = "log"
    EMITTED = "emitted"


class Entry(NamedTuple):
    """A line or a value: when it came (seconds since 1970), from where (out, err, a log's level), and what it says."""

    at: float
    source: str
    content: Any

    @property
    def size(self) -> int:
        text = self.content if isinstance(self.content, str) else json.dumps(self.content)
        return len(text.encode()) + ENTRY_BYTES


@dataclass(frozen=True)
class Batch:
    """Entries of one kind that follow each other, their size in bytes, and how many before them were dropped."""

    kind: Kind
    entries: Sequence[Entry]
    size: int
    dropped: int = 0
