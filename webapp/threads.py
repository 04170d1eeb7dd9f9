"""Threads for calls that would block the event loop: while one runs, the loop serves other requests."""

from collections.abc import Callable
from functools import cached_property
from typing import ParamSpec, TypeVar

import gevent
from gevent.threadpool import ThreadPool

P = ParamSpec("P")
R = TypeVar("R")


class Threads:
    """A pool of up to `most` threads. It belongs to the event loop that first uses it."""

    def __init__(self, most: int) -> None:
        self._most = most

    def call(self, function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
        """Call a function in a thread and return its result."""
        result: R = self._pool.apply(function, arguments, named)
        return result

    @cached_property
    def _pool(self) -> ThreadPool:
        return ThreadPool(self._most, hub=gevent.get_hub())


# For checking passwords at sign-in, which takes 19 MiB each time. New ones are hashed apart: strangers may cause it.
CHECKING = Threads(2)
HASHING = Threads(1)
# For drawing charts and formatting texts.
DRAWING = Threads(2)
# For writing uploads. They are apart because a slow disk can hold them for seconds.
WRITING = Threads(4)
