"""sys.stdout and sys.stderr of a child."""

import io
import os
import threading
from typing import Any


class Descriptor(io.RawIOBase):
    """A raw stream that writes everything it is given to a file descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def write(self, data: Any) -> int:
        left = memoryview(data).cast("B")
        size = len(left)
        while left:
            left = left[os.write(self._descriptor, left) :]
        return size


class StandardStream(io.TextIOWrapper):
    """An unbuffered text stream, so that output written before a crash is not lost.

    While several threads run, each thread's unfinished line is buffered so that lines of different threads do not mix.
    """

    def __init__(self, descriptor: int) -> None:
        raw: Any = Descriptor(descriptor)
        super().__init__(raw, "utf-8", "backslashreplace", write_through=True)
        self._begun: dict[int, str] = {}

    def write(self, text: str) -> int:
        thread = threading.get_ident()
        whole = self._begun.pop(thread, "") + text
        if threading.active_count() > 1:
            whole, _end, rest = whole.rpartition("\n")
            whole += _end
            if rest:
                self._begun[thread] = rest
        if whole:
            super().write(whole)
        return len(text)

    def flush(self) -> None:
        for thread in list(self._begun):
            if begun := self._begun.pop(thread, ""):
                super().write(begun)
        super().flush()
