import json
import subprocess
import sys
from typing import Any

import pytest

from jobs.worker.template_process import ROOT, SCRIPT

FORKS = """
import json, logging, os, random, threading
from jobs.worker import at_fork

def in_a_fork(function):
    reads, writes = os.pipe()
    if not os.fork():
        os.write(writes, json.dumps(function()).encode())
        os._exit(0)
    os.close(writes)
    with open(reads) as pipe:
        return json.loads(pipe.read())

def as_a_child():
    at_fork.begin_child()
    return {name: function() for name, function in globals().items() if name.startswith("about_")}

def about_the_main_thread():
    return threading.main_thread().native_id == os.getpid()

def about_random():
    return len({in_a_fork(random.random) for _ in range(3)})

def about_threads():
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    counts = [threading.active_count(), in_a_fork(threading.active_count)]
    stop.set()
    thread.join()
    return counts

def about_logging():
    held, stop = threading.Event(), threading.Event()
    def hold():
        with handler.lock:
            held.set()
            stop.wait()
    handler = logging.StreamHandler()
    logging.getLogger().addHandler(handler)
    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    logged = in_a_fork(lambda: logging.getLogger().error("from the fork") or "logged")
    stop.set()
    thread.join()
    return logged

def main():
    deferred = {function.__module__ for handlers in at_fork._set_aside for function in handlers.values()}
    print(json.dumps([in_a_fork(as_a_child) | {"deferred": sorted(filter(None, deferred))} for _ in range(2)]))
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return what two children say, which were forked by a template that has set the handlers aside."""
    folder = tmp_path_factory.mktemp("forks")
    (folder / "forks.py").write_text(FORKS)
    command = [sys.executable, str(SCRIPT), "forks"]
    ended = subprocess.run(
        command, cwd=ROOT, env={"PYTHONPATH": str(folder)}, capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(ended.stdout)


def test_no_handler_of_these_modules_runs_in_a_child(said: Any) -> None:
    assert {"logging", "random", "threading"} <= set(said[0]["deferred"])


def test_a_child_knows_the_id_of_its_main_thread(said: Any) -> None:
    assert [child["about_the_main_thread"] for child in said] == [True, True]


def test_what_a_task_forks_has_random_numbers_of_its_own(said: Any) -> None:
    assert [child["about_random"] for child in said] == [3, 3]


def test_what_a_task_forks_does_not_count_the_threads_that_it_lost(said: Any) -> None:
    assert [child["about_threads"] for child in said] == [[2, 1], [2, 1]]


def test_what_a_task_forks_can_log_though_a_thread_held_the_lock(said: Any) -> None:
    assert [child["about_logging"] for child in said] == ["logged", "logged"]
