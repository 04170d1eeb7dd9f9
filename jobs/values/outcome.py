"""The possible outcomes of executing a run in a worker."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Success:
    """The task returned normally; `result` is plain JSON, and `notes` say what was changed in it or left out."""

    result: Any
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Failure:
    """The run failed: a kind to group by, a message for its owner, the traceback, and whether retries are ruled out."""

    kind: str
    message: str
    traceback: str | None = None
    final: bool = False


@dataclass(frozen=True)
class Stopped:
    """The run's owner cancelled it."""


@dataclass(frozen=True)
class Interrupted:
    """The worker is shutting down or has lost the run's lease: another worker will execute the run."""


@dataclass(frozen=True)
class Lost:
    """The outcome is unknown: the task's process is gone, and so is the process that would have reported its end."""


Outcome = Success | Failure | Stopped | Interrupted | Lost


def abrupt_end(code: int, memory: int | None = None) -> Failure:
    """Return the failure for a process that exited before the task returned. A negative `code` is minus the signal."""
    return Failure("ProcessKilled", _abrupt_words(code, memory))


def _abrupt_words(code: int, memory: int | None) -> str:
    if code == -signal.SIGKILL:
        limit = f" This task's memory limit is {memory:,} MB." if memory else ""
        return f"The process was killed (SIGKILL), most likely because the machine ran out of memory.{limit}"
    if code < 0:
        return f"The process of this run was terminated by signal {-code} ({_signal_name(-code)})."
    return f"The process exited with code {code} before the task returned."


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
