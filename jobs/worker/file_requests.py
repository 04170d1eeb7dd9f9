"""Transfer files between a run's process and the file store, whose credentials only the worker has.

A store may be slow and the worker must not block, so a thread does the work. One thread, because a store's connection
is not thread-safe; and one request at a time, because a task waits for each answer.
"""

import io
import os
import shutil
import stat
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO

from jobs.storage.store import FileStore
from jobs.values.stored_file import RunFile, StoreAway, StoredFile
from jobs.worker.execution import Execution, Keep, Open
from jobs.worker.wakeup_pipe import WakeupPipe

KEEP_SECONDS = 60.0
KEEP_AGAIN_SECONDS = 1.0


@dataclass(frozen=True)
class Answer:
    """The answer to a child's request, with the file that was opened or stored for it, if any."""

    body: object
    opened: Sequence[int] = ()
    stored: Sequence[RunFile] = ()


class FileRequests:
    """The file requests of one worker's children. `wakeup` wakes the worker when an answer is ready."""

    def __init__(self, store: FileStore, wakeup: WakeupPipe) -> None:
        self._store = store
        self._wakeup = wakeup
        self._thread = ThreadPoolExecutor(1, "files")
        self._answers: deque[tuple[Execution, Answer]] = deque()

    def keep(self, child: Execution, request: Keep, may_go_on: Callable[[], bool]) -> None:
        """Store a file. Retry an unavailable store for up to KEEP_SECONDS while `may_go_on` returns True."""
        self._answer_later(child, lambda: self._kept(request, may_go_on))

    def open(self, child: Execution, request: Open) -> None:
        """Open a stored file, or fetch a copy of it."""
        self._answer_later(child, lambda: self._opened(request))

    def answer(self, child: Execution) -> list[RunFile]:
        """Send a child its answers that are ready, and return the files that were stored for it.

        Answers for other children are discarded, because those children have ended.
        """
        stored: list[RunFile] = []
        while self._answers:
            asker, answer = self._answers.popleft()
            if asker is child:
                child.answer(answer.body, *answer.opened)
                stored += answer.stored
            for file in answer.opened:
                os.close(file)
        return stored

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _answer_later(self, child: Execution, make: Callable[[], Answer]) -> None:
        def answer() -> None:
            try:
                made = make()
            except Exception as error:  # without an answer, the task would block until its timeout
                made = Answer(f"The file store failed ({type(error).__name__}).")
            self._answers.append((child, made))
            self._wakeup.wake()

        self._thread.submit(answer)

    def _kept(self, request: Keep, may_go_on: Callable[[], bool]) -> Answer:
        with os.fdopen(request.file, "rb") as stream:
            if not stat.S_ISREG(os.fstat(request.file).st_mode):
                return Answer("The output is not a regular file.")
            deadline = time.monotonic() + KEEP_SECONDS
            while may_go_on():
                stream.seek(request.start)
                try:
                    stored = self._store.put(stream)
                    return _noted(stored, request)
                except StoreAway as error:
                    if time.monotonic() > deadline:
                        return Answer(str(error))
                time.sleep(KEEP_AGAIN_SECONDS)
        return Answer(None)

    def _opened(self, request: Open) -> Answer:
        try:
            with self._store.open(request.sha256) as stream:
                return Answer(None, opened=[descriptor_of(stream)])
        except FileNotFoundError:
            return Answer(None)
        except StoreAway as error:
            return Answer(str(error))


def descriptor_of(stream: BinaryIO) -> int:
    """Return a descriptor of a stored file, or of a copy of one that is elsewhere."""
    try:
        return os.dup(stream.fileno())
    except io.UnsupportedOperation:
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(stream, copy)
            copy.seek(0)
            return os.dup(copy.fileno())


def _noted(stored: StoredFile, request: Keep) -> Answer:
    return Answer(list(stored), stored=[RunFile(*stored, request.name, request.media_type)])
