"""How the execution of a run can end inside a worker."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Success:
    """The task returned; `result` is plain JSON."""

    result: Any


@dataclass(frozen=True)
class Failure:
    """Why a run failed: a kind to group by, a message for its owner, where it happened, and whether that is final."""

    kind: str
    message: str
    traceback: str | None = None
    final: bool = False


@dataclass(frozen=True)
class Stopped:
    """The run's owner asked for its end."""


@dataclass(frozen=True)
class Interrupted:
    """The worker is leaving, or holds the run no longer: it is for another one to execute."""


Outcome = Success | Failure | Stopped | Interrupted
