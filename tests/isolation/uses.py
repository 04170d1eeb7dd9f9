"""The ways in which tasks use processes and threads of their own."""

import concurrent.futures
import multiprocessing
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from typing import Literal

from jobs import task


def square(number: int) -> int:
    return number * number


def pools_left() -> None:
    for _ in range(20):
        assert multiprocessing.Pool(4).map(square, range(4)) == [0, 1, 4, 9]


def pools_closed() -> None:
    for _ in range(20):
        with multiprocessing.Pool(4) as pool:
            assert pool.map(square, range(4)) == [0, 1, 4, 9]


def imap_left_early() -> None:
    with multiprocessing.Pool(2) as pool:
        assert next(iter(pool.imap_unordered(square, range(1000)))) >= 0


def processes_terminated() -> None:
    for _ in range(5):
        process = multiprocessing.Process(target=time.sleep, args=(600,))
        process.start()
        process.terminate()
        process.join()
        assert process.exitcode == -signal.SIGTERM


def executor() -> None:
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        assert list(pool.map(square, range(10))) == [number * number for number in range(10)]


def executor_left() -> None:
    assert concurrent.futures.ProcessPoolExecutor(2).submit(square, 3).result() == 9


def started_anew(how: Literal["spawn", "forkserver"]) -> None:
    with multiprocessing.get_context(how).Pool(2) as pool:
        assert pool.map(square, range(4)) == [0, 1, 4, 9]


def manager() -> None:
    with multiprocessing.Manager() as shared:
        assert list(shared.list([1, 2])) == [1, 2]


def threads() -> None:
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert list(pool.map(square, range(4))) == [0, 1, 4, 9]


def joblib_parallel(backend: str) -> None:
    # Imported here, as by a task that needs a heavy library only when it runs.
    from joblib import Parallel, delayed

    assert Parallel(n_jobs=2, backend=backend)(delayed(square)(number) for number in range(4)) == [0, 1, 4, 9]


def program_terminated() -> None:
    sleeper = subprocess.Popen(["sleep", "600"])
    sleeper.terminate()
    assert sleeper.wait() == -signal.SIGTERM


USES: dict[str, Callable[[], None]] = {
    "pools, left": pools_left,
    "pools, closed": pools_closed,
    "imap, left early": imap_left_early,
    "processes, terminated": processes_terminated,
    "executor": executor,
    "executor, left": executor_left,
    "spawn": partial(started_anew, "spawn"),
    "forkserver": partial(started_anew, "forkserver"),
    "joblib, processes": partial(joblib_parallel, "loky"),
    "joblib, pool": partial(joblib_parallel, "multiprocessing"),
    "manager": manager,
    "threads": threads,
    "program, terminated": program_terminated,
}


@task(timeout=60)
def use(kind: str) -> str:
    """Use processes or threads in one of the ways that people do."""
    USES[kind]()
    return "done"
