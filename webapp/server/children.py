"""The child processes of the launcher: kept running, and stopped together."""

import contextlib
import logging
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from types import FrameType

from webapp.server.watch import TaskFiles

log = logging.getLogger("dumbwaiter")

STOP_SECONDS = 27  # platforms kill all processes 30 s after the stop request
REDIS_STOP_SECONDS = 2
QUIET_SECONDS = 2.0  # a stop that takes longer says what it waits for
GIVE_BACK_SECONDS = 3.0
AGAIN_SECONDS = 0.5  # programs such as uv and npm pass on one Ctrl-C a second time
RESTART_PAUSE_SECONDS = 1.0
LOOK_SECONDS = 0.5
WAITS_FOR = {"workers": "the workers to end their runs", "web": "the web server to answer its requests"}

Start = Callable[[], "subprocess.Popen[bytes]"]


class Children:
    """The child processes, in start order; each is restarted when it exits, until all are stopped."""

    def __init__(self) -> None:
        self._starts: dict[str, Start] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._leaving: list[subprocess.Popen[bytes]] = []
        self._asked_at, self._kill_at = 0.0, math.inf
        self.stopping = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask_to_stop)

    def start(self, name: str, start: Start) -> None:
        self._starts[name] = start
        self._running[name] = start()

    def ended(self, name: str) -> bool:
        return self._running[name].poll() is not None

    def watch(self, files: TaskFiles | None) -> None:
        """Restart processes that exit, until all are stopped; reload changed tasks if `files` is given."""
        look_at = time.monotonic()
        while not self.stopping:
            if files and time.monotonic() >= look_at:
                self._take_up(files)
                look_at = time.monotonic() + LOOK_SECONDS
            for name in [name for name in self._running if self.ended(name)]:
                log.warning("%s exited with %s; restarting", name, self._running[name].returncode)
                time.sleep(RESTART_PAUSE_SECONDS)
                if not self.stopping:
                    self._running[name] = self._starts[name]()
            time.sleep(0.2)

    def _take_up(self, files: TaskFiles) -> None:
        """Reload changed tasks; the old workers finish their current runs while new ones start."""
        if not files.changed():
            return
        problems = files.problems()
        if problems and files.hold_up(problems):
            log.warning("%s\nRunning processes keep the previous version until this is fixed.", problems)
            return
        files.reloaded()
        log.warning("The tasks have changed; reloading web server and workers.")
        self._leaving = [process for process in self._leaving if process.poll() is None]
        if "workers" in self._running:
            self._leaving.append(self._running["workers"])
            self._running["workers"].terminate()
            self._running["workers"] = self._starts["workers"]()
        self._running["web"].send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """Stop the web server and the workers together, and Redis after them, all within STOP_SECONDS."""
        deadline = time.monotonic() + STOP_SECONDS
        self._kill_at = deadline - REDIS_STOP_SECONDS
        for process in self._all_but_redis():
            process.terminate()
        if self.stopping:
            say("Stopping. Press Ctrl-C again to stop at once.")
        self._await_ends()
        for process in self._all_but_redis():
            _kill(process)
            process.wait()
        end([process for name, process in self._running.items() if name == "Redis"], deadline)
        if self.stopping:
            say("Stopped.")

    def _await_ends(self) -> None:
        """Wait until all but Redis have ended, or are to be killed. Say what is waited for if it takes longer."""
        quiet_until = time.monotonic() + QUIET_SECONDS if self.stopping else math.inf
        while any(process.poll() is None for process in self._all_but_redis()) and time.monotonic() < self._kill_at:
            if time.monotonic() > quiet_until:
                quiet_until = math.inf
                words = [words for name, words in WAITS_FOR.items() if name in self._running and not self.ended(name)]
                say(f"Waiting up to {self._kill_at - time.monotonic():.0f} s for {' and '.join(words)}.")
            time.sleep(0.05)

    def _all_but_redis(self) -> list["subprocess.Popen[bytes]"]:
        return [*(process for name, process in self._running.items() if name != "Redis"), *self._leaving]

    def _ask_to_stop(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.stopping:
            self.stopping, self._asked_at = True, now
        elif number == signal.SIGINT and now - self._asked_at > AGAIN_SECONDS:
            self._kill_at = min(self._kill_at, now + GIVE_BACK_SECONDS)
            for name, process in self._running.items():
                if name == "web":
                    _kill(process)
                elif name == "workers" and process.poll() is None:
                    process.send_signal(signal.SIGINT)  # it kills the workers and gives their runs back


def end(processes: list["subprocess.Popen[bytes]"], deadline: float) -> None:
    """Terminate processes, and kill those that are left at the deadline."""
    for process in processes:
        process.terminate()
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
        _kill(process)
        process.wait()


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process with its process group: each child of the launcher has a session of its own."""
    # Also called by a signal handler: no waiting here, because the interrupted code may hold the lock that it takes.
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def say(words: str) -> None:
    with contextlib.suppress(OSError):  # the terminal may be gone
        sys.stdout.write(f"{words}\n")
        sys.stdout.flush()
