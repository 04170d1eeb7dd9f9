"""Deferred registration of the standard library's fork handlers.

The handlers of threading, logging and random repair the state that other threads leave at a fork. The template has no
other threads, and running the handlers in every child copies 200 pages of memory, most of a millisecond. Processes that
a task forks do need them, so the task's first fork registers them.
"""

import os
import threading
from collections.abc import Callable

Handlers = dict[str, Callable[[], object]]

_set_aside: list[Handlers] = []
_main_thread = threading.main_thread()
_is_child = False


def set_aside(handlers: list[Handlers]) -> None:
    """Store the arguments of os.register_at_fork calls for later."""
    _set_aside.extend(handlers)
    os.register_at_fork(before=_before_fork)


def begin_child() -> None:
    """Register the handlers at the next fork, and update the main thread's native id now."""
    global _is_child
    _is_child = True
    _main_thread._native_id = threading.get_native_id()  # type: ignore[attr-defined]  # there is no public way


def register() -> None:
    """Register the stored handlers."""
    while _set_aside:
        os.register_at_fork(**_set_aside.pop(0))


def _before_fork() -> None:
    if _is_child and _set_aside:
        for handlers in _set_aside:
            if before := handlers.get("before"):  # registering during a fork is too late for this one
                before()
        register()
