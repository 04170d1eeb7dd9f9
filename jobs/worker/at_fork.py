"""The standard library's fork handlers, which the template process sets aside.

The handlers of threading, logging and random put in order what other threads may have left behind at a fork. The
template has no other threads, and running the handlers in each child copies 200 pages of memory, most of a millisecond.
The processes that a task itself forks need them: its first fork registers them.
"""

import os
import threading
from collections.abc import Callable

Handlers = dict[str, Callable[[], object]]

_set_aside: list[Handlers] = []
_main_thread = threading.main_thread()
_is_child = False


def set_aside(handlers: list[Handlers]) -> None:
    """Keep the arguments of calls of os.register_at_fork that were not made."""
    _set_aside.extend(handlers)
    os.register_at_fork(before=_before_fork)


def begin_child() -> None:
    """Have the next fork register the handlers, and do the part of threading's that is needed at once."""
    global _is_child
    _is_child = True
    _main_thread._native_id = threading.get_native_id()  # type: ignore[attr-defined]  # there is no public way


def register() -> None:
    """Register what was set aside."""
    while _set_aside:
        os.register_at_fork(**_set_aside.pop(0))


def _before_fork() -> None:
    if _is_child and _set_aside:
        for handlers in _set_aside:
            if before := handlers.get("before"):  # of those that are registered now only the later ones are called
                before()
        register()
