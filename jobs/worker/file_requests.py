"""The files of a run, on their way between its process and the file store, which only the worker has a key to.

A store may take its time, and a worker must not wait: a thread does. One thread, because a store's connection is not
for two; and one request at a time, because a task waits for its answer.
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
    """What is said to the child that asked, with the file that was opened or stored for it, if one was."""

    said: object
    opened: Sequence[int] = ()
    stored: Sequence[RunFile] = ()


class FileRequests:
    """Answers the requests of one worker's children; the wakeup rings when an answer is there."""

    def __init__(self, store: FileStore, wakeup: WakeupPipe) -> None:
        self._store = store
        self._wakeup = wakeup
        self._thread = ThreadPoolExecutor(1, "files")
        self._answers: deque[tuple[Execution, Answer]] = deque()

    def keep(self, child: Execution, request: Keep, may_go_on: Callable[[], bool]) -> None:
        """Put a file into the store; one that is away is waited for, for a while, and as long as the run goes on."""
        self._answer_later(child, lambda: self._kept(request, may_go_on))

    def open(self, child: Execution, request: Open) -> None:
        """Open a file of the store, or fetch a copy of it."""
        self._answer_later(child, lambda: self._opened(request))

    def answer(self, child: Execution) -> list[RunFile]:
        """Give a child the answers that are there, and return the files that were stored for it.

        Those for others are dropped, because they are gone.
        """
        stored: list[RunFile] = []
        while self._answers:
            asker, answer = self._answers.popleft()
            if asker is child:
                child.answer(answer.said, *answer.opened)
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
            except Exception as error:  # an answer that never comes would hold the task until its time is up
                made = Answer(f"The file store failed ({type(error).__name__}).")
            self._answers.append((child, made))
            self._wakeup.wake()

        self._thread.submit(answer)

    def _kept(self, request: Keep, may_go_on: Callable[[], bool]) -> Answer:
        with os.fdopen(request.file, "rb") as stream:
            if not stat.S_ISREG(os.fstat(request.file).st_mode):
                return Answer("It is no file.")
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
