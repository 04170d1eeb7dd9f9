"""How the execution of a run can end inside a worker."""

import signal
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


@dataclass(frozen=True)
class Lost:
    """Nobody knows how the task ended: its process is gone, and whoever would have told is as well."""


Outcome = Success | Failure | Stopped | Interrupted | Lost


def abrupt_end(code: int, memory: int | None = None) -> Failure:
    """Say how a process ended that its task, or something outside, has ended: by its exit code, or minus a signal."""
    return Failure("ProcessKilled", _abrupt_words(code, memory))


def _abrupt_words(code: int, memory: int | None) -> str:
    """Say how a process ended that its task, or something outside, has ended."""
    if code == -signal.SIGKILL:
        limit = f" This task may take {memory:,} MB." if memory else ""
        return f"The process was killed (SIGKILL), most likely because the machine ran out of memory.{limit}"
    if code < 0:
        return f"The process that executed this run ended abruptly (signal {-code}, {_signal_name(-code)})."
    return f"The task ended its process with exit code {code}, and returned nothing."


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
