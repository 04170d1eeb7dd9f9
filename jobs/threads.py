"""Threads in a work-horse: those that are ours, and those that tasks have started and perhaps left behind."""

import threading
from collections.abc import Callable


class OwnThread(threading.Thread):
    """A thread of ours, which ends with what it was started for."""

    def __init__(self, target: Callable[[], None], name: str) -> None:
        super().__init__(target=target, name=name, daemon=True)


def others() -> set[threading.Thread]:
    """The threads that are neither ours nor the one that asks."""
    return {one for one in threading.enumerate() if not isinstance(one, OwnThread)} - {threading.current_thread()}
