"""Starting and stopping everything, as a user does on a terminal."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from websockets.exceptions import ConnectionClosedError

from jobs.runs.run import Run, State
from jobs.storage.database import utcnow
from tests.support.people import make_owner, make_run, note_file, owner_id, read
from tests.support.person import Person, receive_until
from tests.support.stack import ROOT, Stack, free_port
from tests.support.visitor import the
from tests.support.waiting import PATIENCE_SECONDS, until

MENDED = pytest.mark.xdist_group("mended")
MOST_STOP_SECONDS = 10  # it takes two; idle connections used to be waited for for twenty
LARGE = 50_000_000
SCRIPT = "static/vendor/htmx-4.0.1.min.js"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Stack]:
    """A stack that a test may stop, break and start again."""
    stack = Stack(tmp_path)
    yield stack.start()
    stack.stop()


@pytest.fixture(scope="module")
def mended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose parts tests kill: it starts them again."""
    with Stack(tmp_path_factory.mktemp("mended")) as stack:
        yield stack


def descendants(stack: Stack) -> list[psutil.Process]:
    return psutil.Process(stack.process.pid).children(recursive=True)


def names(processes: list[psutil.Process]) -> str:
    return " ".join(filter(None, map(command, processes)))


def command(process: psutil.Process) -> str:
    """Return the command line of a process, or an empty text if it has ended."""
    try:
        running = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        return " ".join(process.cmdline()) if running else ""
    except psutil.NoSuchProcess:
        return ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_stops_all_without_a_wait_for_open_pages_which_are_sent_away_to_come_back(
    own: Stack, number: signal.Signals
) -> None:
    ada = Person(own.url, "ada@example.com")
    started = descendants(own)
    assert all(part in names(started) for part in ("valkey-server", "gunicorn", "-m jobs"))
    with contextlib.ExitStack() as open_pages:
        idle = [asked(own, "GET", "/healthz") for _ in range(10)]
        pages = [open_pages.enter_context(ada.socket()) for _ in range(5)]
        for page in pages:
            page.recv(timeout=PATIENCE_SECONDS)
        asked_at = time.monotonic()
        assert own.stop(number) == 0
        assert time.monotonic() - asked_at < MOST_STOP_SECONDS
        assert names(started) == ""
        for connection in idle:
            assert connection.sock.recv(1) == b""
        for page in pages:
            receive_until(page, lambda frame: "The server is restarting" in frame)
            with pytest.raises(ConnectionClosedError) as closed:
                receive_until(page, lambda _frame: False)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012


def asked(stack: Stack, *request: Any) -> http.client.HTTPConnection:
    """A connection that is kept open behind an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=PATIENCE_SECONDS)
    connection.request(*request)
    answer = connection.getresponse()
    assert answer.read()
    assert not answer.will_close
    return connection


def refuses(stack: Stack) -> bool:
    """Return whether the server refuses connections."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", stack.port)) != 0


def test_stopping_finishes_what_has_been_asked_to_the_last_byte(own: Stack) -> None:
    """Some of an upload, of a request's first line and of a download are under way when the end is asked for."""
    ada = Person(own.url, "ada@example.com")
    download, uploading, begun = downloading(own, ada), asked(own, "GET", "/healthz"), asked(own, "GET", "/healthz")
    body = b"text=" + b"x" * 500
    head = f"POST /tasks/reverse_text HTTP/1.1\r\nHost: 127.0.0.1:{own.port}\r\nCookie: {ada.cookie}\r\n"
    head += f"Origin: {own.url}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    uploading.sock.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:100])
    begun.sock.sendall(b"GET /hea")
    own.process.terminate()
    until(lambda: refuses(own), "the end of what is new")
    assert len(download.read()) == LARGE
    uploading.sock.sendall(body[100:])
    assert uploading.sock.recv(12) == b"HTTP/1.1 303"
    begun.sock.sendall(b"lthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert begun.sock.recv(12) == b"HTTP/1.1 200"
    assert own.process.wait(MOST_STOP_SECONDS) == 0
    backend = own.backend()
    with backend.database.read() as session:
        assert session.query(Run).filter(Run.parameters["text"].as_string() == "x" * 500).count() == 1
    backend.database.close()


def downloading(stack: Stack, person: Person) -> http.client.HTTPResponse:
    """The answer of a file too large for what lies between, of which nothing has been read."""
    backend = stack.backend()
    run = make_run(backend, owner_id(backend, person.email), state=State.SUCCEEDED)
    file = note_file(backend, run.id, bytes(LARGE))
    backend.database.close()
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=PATIENCE_SECONDS)
    connection.request("GET", f"/runs/{run.id}/files/{file.sha256}", headers={"Cookie": person.cookie})
    answer = connection.getresponse()
    assert answer.status == http.HTTPStatus.OK
    return answer


def test_a_request_that_comes_as_all_stops_is_answered_whole_or_refused(own: Stack) -> None:
    answers: list[int] = []
    with ThreadPoolExecutor(8) as threads:
        asking = [threads.submit(ask_on, own, answers) for _ in range(8)]
        until(lambda: len(answers) > 100 or any(one.done() for one in asking), "the first answers")
        own.stop()
        for one in asking:
            one.result()
    assert set(answers) == {(ROOT / SCRIPT).stat().st_size}


def ask_on(stack: Stack, answers: list[int]) -> None:
    """Send requests until one is refused, and record the length of each answer. Raises if one is cut short."""
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=PATIENCE_SECONDS)
    while True:
        try:
            connection.request("GET", f"/{SCRIPT}")
            answer = connection.getresponse()
        except ConnectionError:
            return
        answers.append(len(answer.read()))


def test_a_start_that_is_stopped_halfway_leaves_no_process(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path), "PORT": str(free_port())}
    starting = subprocess.Popen([sys.executable, "-m", "webapp"], cwd=ROOT, env=environment)
    process = psutil.Process(starting.pid)
    until(lambda: "webapp.server.prepare" in names(process.children()), "what comes before web server and workers")
    started = process.children(recursive=True)
    starting.send_signal(signal.SIGINT)
    assert starting.wait(PATIENCE_SECONDS) == 0
    assert names(started) == ""


def test_even_a_killed_start_leaves_no_process(own: Stack) -> None:
    started = descendants(own)
    own.process.kill()
    own.process.wait()
    until(lambda: names(started) == "", "the end of every process")


def test_the_first_start_makes_a_database_and_the_next_one_finds_all_data(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    stack.makes_database = True
    with stack:
        ada = Person(stack.url, "ada@example.com")
        run_id = ada.submit("reverse_text", text="hello")
        until(lambda: ada.get(f"/runs/{run_id}").select_one(".result"), "the result")
        stack.stop()
        stack.start()
        assert the(ada.get(f"/runs/{run_id}"), ".result").text == "olleh"


@MENDED
def test_workers_web_server_and_redis_are_started_again_when_they_end(mended: Stack) -> None:
    ada = Person(mended.url, "ada@example.com")
    for process in descendants(mended):
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended with the one before
            process.kill()

    def works() -> bool:
        try:
            run_id = ada.submit("reverse_text", text="hello")
        except OSError:
            return False
        return bool(until(lambda: ada.get(f"/runs/{run_id}").select_one(".result"), "the result"))

    until(works, "everything working again")


@MENDED
def test_a_run_submitted_while_redis_is_down_is_accepted_and_starts_when_redis_is_back(mended: Stack) -> None:
    ada = Person(mended.url, "ben@example.com")
    (redis,) = [process for process in descendants(mended) if "valkey-server" in process.name()]
    redis.suspend()
    run_id = ada.submit("reverse_text", text="hello")
    redis.kill()
    until(lambda: ada.get(f"/runs/{run_id}").select_one(".result"), "the result")


@MENDED
def test_a_run_whose_process_is_killed_fails_and_says_so(mended: Stack) -> None:
    ada = Person(mended.url, "cleo@example.com")
    run_id = ada.submit("estimate_pi", samples="10000000000")
    until(lambda: ada.get(f"/runs/{run_id}").select_one("progress[value]"), "progress")
    for process in descendants(mended):
        if is_child_of_template_copy(process):
            process.kill()
    until(lambda: ada.get(f"/runs/{run_id}").select_one("article[data-state=failed]"), "the failure")
    assert "The process was killed (SIGKILL)" in ada.get(f"/runs/{run_id}").text


def is_child_of_template_copy(process: psutil.Process) -> bool:
    """Return whether a process executes runs, as a grandchild of the template process."""
    try:
        return len([parent for parent in process.parents() if " jobs.worker.template " in command(parent)]) == 2
    except psutil.NoSuchProcess:
        return False


def test_a_second_ctrl_c_stops_a_long_run_at_once(own: Stack) -> None:
    ada, started = Person(own.url, "ada@example.com"), descendants(own)
    run_id = ada.submit("estimate_pi", samples="10000000000")
    until(lambda: ada.get(f"/runs/{run_id}").select_one("progress[value]"), "progress")
    own.process.send_signal(signal.SIGINT)
    own.process.send_signal(signal.SIGINT)  # the same key press, passed on by another program
    until(lambda: "Waiting up to" in own.output, "saying so")
    assert "Stopping. Press Ctrl-C again to stop at once." in own.output
    assert "for the workers to end their runs" in own.output
    assert own.process.poll() is None
    asked_at = time.monotonic()
    assert own.stop(signal.SIGINT) == 0
    assert time.monotonic() - asked_at < MOST_STOP_SECONDS
    until(lambda: names(started) == "", "the end of every process")
    assert "Traceback" not in own.output
    backend = own.backend()
    with backend.database.read() as session:
        run = session.get_one(Run, run_id)
    backend.database.close()
    assert (run.state, run.lease_token) == (State.QUEUED, None), "it need not wait for the end of a lease"


def test_a_run_whose_worker_vanished_is_executed_again_when_its_lease_has_expired(tmp_path: Path) -> None:
    with Stack(tmp_path, LEASE_SECONDS="3") as stack:
        backend = stack.backend()
        held: dict[str, Any] = {
            "worker": "vanished",
            "lease_token": "0" * 32,
            "lease_expires_at": utcnow() + timedelta(seconds=3),
        }
        run = make_run(backend, make_owner(backend), state=State.RUNNING, **held)
        until(lambda: read(backend, run).state is State.SUCCEEDED, "the second attempt")
        assert (read(backend, run).attempt, read(backend, run).result) == (2, "olleh")
        backend.database.engine.dispose()
