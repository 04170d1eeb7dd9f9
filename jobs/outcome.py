"""How a run can end inside a worker."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Success:
    """The task returned; `result` is plain JSON."""

    result: Any


@dataclass(frozen=True)
class Failure:
    """Why a run failed: a kind to group by, a message for its owner, and where it happened."""

    kind: str
    message: str
    traceback: str | None = None


Outcome = Success | Failure
