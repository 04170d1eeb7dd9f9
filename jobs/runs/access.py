"""The parts of a run that somebody sees, as `jobs.runs.rights` decides it."""

from dataclasses import dataclass

PARTS = ("parameters", "log", "files")


@dataclass(frozen=True)
class Access:
    """The parts of a run of the task `task` that somebody sees beside its state, times, and result or error.

    The log includes the partial results. Who `owns` the run also changes it. `by` is the address of the owner who
    shares it, empty where strangers read it, and `reruns` is whether the person may run its task with its parameters.
    """

    owner_id: int = 0
    owns: bool = False
    parameters: bool = False
    log: bool = False
    files: bool = False
    task: str = ""
    by: str = ""
    reruns: bool = False

    @property
    def mark(self) -> str:
        """A short text that differs between different parts; empty for the owner."""
        return "" if self.owns else "".join(part[0] for part in PARTS if getattr(self, part)) or "-"


WHOLE = Access(owns=True, parameters=True, log=True, files=True)
