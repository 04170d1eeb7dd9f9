"""Tasks that change their process in every way a task can, and one that inspects its process."""

import builtins
import contextlib
import ctypes
import decimal
import faulthandler
import logging
import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
from numpy.random import normal

from jobs import Checkpoint, Download, Emit, Log, Progress, Secrets, Workspace, task

KEPT: list[str] = []


def wait_for(path: str) -> None:
    while not Path(path).exists():
        threading.Event().wait(0.01)


@task
def look() -> dict[str, Any]:
    """Return the process state that this run finds."""
    return {
        "token": os.environ.get("API_TOKEN"),
        "folder": os.listdir("."),
        "umask": os.umask(0o022),
        "precision": decimal.getcontext().prec,
        "recursion": sys.getrecursionlimit(),
        "socket": socket.getdefaulttimeout(),
        "zone": time.tzname[0],
        "logging": logging.root.manager.disable,
        "handlers": len(logging.root.handlers),
        "filters": len(warnings.filters),
        "alarm": signal.getitimer(signal.ITIMER_REAL)[0],
        "alarm's handler": signal.getsignal(signal.SIGALRM) == signal.SIG_DFL,
        "terminate": signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,
        "interrupt": signal.getsignal(signal.SIGINT) == signal.default_int_handler,
        "sum": sum([1, 2]),
        "threads": threading.active_count(),
        "kept": list(KEPT),
        "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    }


@task
def spoil(secrets: Secrets) -> str:
    """Change everything that belongs to the process."""
    os.environ["API_TOKEN"] = secrets["API_TOKEN"]
    os.environ["TZ"] = "Pacific/Kiritimati"
    time.tzset()
    Path("gone").mkdir()
    os.chdir("gone")
    os.rmdir("../gone")
    os.umask(0o777)
    random.seed(42)
    numpy.random.seed(42)
    decimal.getcontext().prec = 3
    sys.setrecursionlimit(500)
    socket.setdefaulttimeout(1)
    logging.basicConfig(force=True, level=logging.CRITICAL)
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("error")
    signal.signal(signal.SIGALRM, lambda *_: print("rang"))
    signal.alarm(2)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    builtins.sum = lambda *_things: 0  # type: ignore[assignment]  # the damage that is done
    KEPT.append(secrets["API_TOKEN"])
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    return "spoilt"


@task
def draw() -> list[float]:
    """Draw numbers from the generators that everybody shares."""
    return [random.random(), float(normal()), float(numpy.random.random())]


@task
def fork(how: str) -> str:
    """Fork, and have the copy go on as if it were the task."""
    if os.fork() == 0:
        if how == "raise":
            raise RuntimeError("the copy fails")
        return "the copy"
    if how == "wait":
        os.wait()
    return "the parent"


@task
def haunt(go: str, progress: Progress, checkpoint: Checkpoint, emit: Emit, log: Log) -> str:
    """Leave a thread behind that uses everything it can after the task has returned."""
    returned = threading.Event()

    def linger() -> None:
        returned.wait()
        Path(go).touch()
        ways: tuple[Callable[[], object], ...] = (
            lambda: progress(0.99, "a ghost"),
            lambda: checkpoint.save("a ghost"),
            lambda: emit("a ghost"),
            lambda: log("a ghost"),
            lambda: print("a ghost"),
            lambda: logging.warning("a ghost"),
        )
        while True:
            for way in ways:
                with contextlib.suppress(BaseException):  # it goes on whatever happens
                    way()

    threading.Thread(target=linger).start()
    threading.Timer(0, returned.set).start()
    return "returned"


@task
def report(word: str, progress: Progress, checkpoint: Checkpoint, emit: Emit, log: Log) -> Any:
    """Use everything, and say what was there before."""
    before = checkpoint.load()
    progress(0.5, word)
    emit(word)
    log(word)
    checkpoint.save(word)
    return {"before": before, "file": Download(word.encode(), name=f"{word}.txt")}


@task
def die(how: str, memory: int = 0) -> None:
    """Print a hundred lines, and end the process in some way."""
    for number in range(100):
        print("line", number)
    print("the last words", end="")
    match how:
        case "exit 1":
            os._exit(1)
        case "exit 0":
            os._exit(0)
        case "segfault":
            ctypes.string_at(0)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "terminate":
            os.kill(os.getpid(), signal.SIGTERM)


@task
def write_in_every_way(go: str, secrets: Secrets) -> str:
    """Write past Python, and wait to be seen."""
    subprocess.run([sys.executable, "-c", "print('a program')"], check=True)
    os.system("echo a shell")
    libc = ctypes.CDLL(None)
    libc.printf(b"from C\n")
    libc.fflush(None)
    os.write(2, b"raw\n")
    faulthandler.dump_traceback(file=2)
    child = multiprocessing.get_context("fork").Process(target=print, args=("a child",))
    child.start()
    child.join()
    if token := secrets.get("API_TOKEN"):
        os.write(1, token[:5].encode())
        threading.Event().wait(0.5)
        os.write(1, token[5:].encode() + b"\n")
        subprocess.run(["echo", token], check=True)
    wait_for(go)
    return "written"


@task
def redraw(go: str) -> str:
    """Draw one line anew, as progress bars do."""
    for number in range(10):
        sys.stderr.write(f"\rstep {number} of 10")
        sys.stderr.flush()
    wait_for(go)
    sys.stderr.write("\rall done\n")
    wait_for(f"{go}-2")
    return "drawn"


@task
def begin_a_line(go: str) -> str:
    """Begin a line, and end it later."""
    print("loading", end="")
    wait_for(go)
    print(" done")
    wait_for(f"{go}-2")
    return "read"


@task(memory=5)
def take_much(progress: Progress) -> int:
    """Take more than allowed."""
    taken = []
    while True:
        progress(None, "taking")
        taken.append(bytearray(1_000_000))


@task(timeout=2, grace=1)
def leave_grandchildren(pids: str, how: str) -> None:
    """Start processes that flee, and go on."""
    program = """
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.setsid()
if os.fork(): os._exit(0)
with open(sys.argv[1], "a") as file: print(os.getpid(), file=file)
while True: signal.pause()
"""
    for _ in range(3):
        subprocess.run([sys.executable, "-c", program, pids], check=True)
    while len(Path(pids).read_text().split()) < 3:
        threading.Event().wait(0.01)
    if how == "return":
        return
    if how == "raise":
        raise RuntimeError("it failed")
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    threading.Event().wait()


@task
def write_files(folder: str, workspace: Workspace) -> str:
    """Write into the working directory."""
    Path("left.txt").write_text("left over")
    Path(folder, "cwd").write_text(os.getcwd())
    return str(Path.cwd() == workspace.resolve())


@task
def environment() -> dict[str, str]:
    """Return the whole environment."""
    return dict(os.environ)
