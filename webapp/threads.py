"""Threads for what computes long enough to block the event loop: hashing a password, drawing a chart."""

from collections.abc import Callable
from functools import cache
from typing import ParamSpec, TypeVar

import gevent
from gevent.threadpool import ThreadPool

P = ParamSpec("P")
R = TypeVar("R")

AT_ONCE = 2  # each hash takes 19 MiB


def in_thread(function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
    """Call a function in a thread and return its result, while the event loop serves others."""
    result: R = _pool().apply(function, arguments, named)
    return result


# The pool belongs to the event loop of the calling process, so it is created on first use.
@cache
def _pool() -> ThreadPool:
    return ThreadPool(AT_ONCE, hub=gevent.get_hub())
