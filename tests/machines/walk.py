"""The walk over all machines, in steps that each can fail alone."""

import contextlib
import http.client
import threading
import time
from collections.abc import Callable, Iterator

from bs4 import BeautifulSoup
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from jobs.runs.heartbeats import WorkerRow
from jobs.runs.run import Run, State
from tests.faults.audit import completions
from tests.machines.deployment import LEASE_SECONDS, Deployment, Server
from tests.machines.network import Machine, cut
from tests.support.person import Person, shows
from tests.support.raw_upload import BOUNDARY, END, head_of
from tests.support.waiting import until

CUT_SECONDS = 2 * LEASE_SECONDS  # longer than a lease: runs behind the cut are given to other workers
LONG_CUT_SECONDS = 30  # longer than a request may wait for a database that has fallen silent
SETTLE_SECONDS = 90
ANSWER_SECONDS = 30
RUN_SECONDS = 3.0
LARGE_BYTES = 20_000_000


class Refused(Exception):
    """A form that was not accepted; people are told so and may try again."""


class Walk:
    """A user at both web servers, and everything that was accepted from them."""

    def __init__(self, deployment: Deployment) -> None:
        self.all = deployment
        self.web_a, self.web_b = deployment.webs
        self.worker_a, self.worker_b = deployment.workers
        self.person = Person(self.web_a.url, f"ada{time.time_ns()}@example.com")
        self.runs: dict[int, str] = {}

    def steps(self) -> Iterator[tuple[str, Callable[[], None]]]:
        yield "submit on one web server, socket on the other", self.submit_here_and_listen_there
        yield "upload on one web server, fetch a range from the other", self.upload_here_and_fetch_there
        services = (self.all.postgres, self.all.redis, self.all.bucket)
        for server in (self.web_a, self.worker_a):
            for service in services:
                yield f"no packets between {server.machine.name} and {service.name}", self.partition(server, service)
        yield "a machine with workers dies with its runs", self.lose_workers
        yield "every machine is restarted in turn", self.restart_all
        yield "every run was completed once", self.count_completions
        yield "both web servers show every run", self.compare_pages

    def submit_here_and_listen_there(self) -> None:
        with self.at(self.web_b).socket() as socket:
            run = self.submit(self.web_a, 0.2)
            self.hear(socket, self.web_b, [run])

    def upload_here_and_fetch_there(self) -> None:
        content = bytes(range(256)) * (LARGE_BYTES // 256)
        head = head_of("file", "large.bin")
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        body = head + content + END
        status, location = self.request(self.web_a, "POST", "/tasks/weigh", body=body, **headers)[:2]
        assert status == 303, status
        run = int(location.rpartition("/")[2])
        self.runs[run] = f"{len(content):,} bytes"
        self.settle()
        address = str(self.page(self.web_b, run).select(".given-file__name")[0]["href"])
        status, _, part = self.request(self.web_b, "GET", address, Range="bytes=256000-256255")
        assert (status, part) == (206, bytes(range(256))), status

    def partition(self, server: Server, service: Machine) -> Callable[[], None]:
        """Cut one link for longer than a lease, use both web servers all the while, and heal it."""

        seconds = LONG_CUT_SECONDS if service is self.all.postgres else CUT_SECONDS

        def step() -> None:
            with contextlib.ExitStack() as pages:
                sockets = [(web, pages.enter_context(self.at(web).socket())) for web in self.all.webs]
                before = [self.submit(web, RUN_SECONDS) for web in self.all.webs]
                until(lambda: self.state(before[0]) is not State.QUEUED, "the run's start", SETTLE_SECONDS)
                with cut(server.machine, service):
                    healed_at = time.monotonic() + seconds
                    while time.monotonic() < healed_at:
                        self.use(cut_off=server)
                        threading.Event().wait(1)
                self.settle()
                for web, socket in sockets:
                    self.hear(socket, web, list(self.runs)[-5:])

        return step

    def use(self, cut_off: Server) -> None:
        """Open a page and submit at both web servers. Those without a cut link must accept it."""
        for web in self.all.webs:
            begun = time.monotonic()
            with contextlib.suppress(*([Refused] if web is cut_off else [])):
                self.submit(web, 0.2)
            took = time.monotonic() - begun
            assert took < ANSWER_SECONDS, f"{web.machine.name} took {took:.0f} s to answer"

    def lose_workers(self) -> None:
        runs = [self.submit(self.web_a, RUN_SECONDS) for _ in range(6)]
        until(lambda: any(self.is_on(self.worker_a, run) for run in runs), "a run on worker-a", SETTLE_SECONDS)
        self.worker_a.die()
        self.settle()
        self.worker_a.start()

    def restart_all(self) -> None:
        for one in self.all.servers:
            other = self.web_b if one is self.web_a else self.web_a
            with self.at(other).socket() as socket:
                runs = [self.submit(other, 1) for _ in range(3)]
                one.stop()
                runs.append(self.submit(other, 0.2))
                one.start()
                self.hear(socket, other, runs)
            if one in self.all.webs:
                self.all.await_web(one)
        self.settle()

    def count_completions(self) -> None:
        completed = completions(self.all.database)
        assert dict(completed) == dict.fromkeys(self.runs, 1), completed

    def compare_pages(self) -> None:
        for web in self.all.webs:
            for run, result in self.runs.items():
                shown = self.page(web, run).select_one(f"#run-{run}[data-state=succeeded] .result")
                assert shown is not None, f"{web.machine.name} does not show run {run} as succeeded"
                assert result in shown.text, f"{web.machine.name} shows {shown.text!r} for run {run}, not {result!r}"

    # --- what a person does

    def at(self, web: Server) -> Person:
        """Return the same person with the same session at one of the web servers."""
        self.person.url = self.person.origin = web.url
        return self.person

    def submit(self, web: Server, seconds: float) -> int:
        """Submit a run. Raises Refused with what the page says."""
        text = f"run {len(self.runs)} of this walk"
        body = f"text={text.replace(' ', '+')}&seconds={seconds}".encode()
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        status, location, page = self.request(web, "POST", "/tasks/say_backwards", body=body, **form)
        if status != 303:
            assert status == 503, f"{web.machine.name} answered {status}"
            raise Refused(
                f"{web.machine.name} refused a run: {BeautifulSoup(page, 'html.parser').get_text(' ', strip=True)}"
            )
        run = int(location.rpartition("/")[2])
        self.runs[run] = text[::-1]
        return run

    def page(self, web: Server, run: int) -> BeautifulSoup:
        status, _, page = self.request(web, "GET", f"/runs/{run}")
        assert status == 200, f"{web.machine.name} answered {status} for the page of run {run}"
        return BeautifulSoup(page, "html.parser")

    def request(self, web: Server, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, str, bytes]:
        """Return the status of the answer, where it leads, and its content."""
        connection = http.client.HTTPConnection(web.machine.address, 8000, timeout=2 * ANSWER_SECONDS)
        with contextlib.closing(connection):
            own = {"Cookie": self.person.cookie, "Origin": web.url}
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, {**own, **named})
            answer = connection.getresponse()
            return answer.status, answer.headers.get("Location", ""), answer.read()

    def hear(self, socket: ClientConnection, web: Server, runs: list[int]) -> None:
        """Read a page's socket, opened anew if the server closes it, until it has shown that all runs succeeded."""
        waiting = {run: shows(run, "succeeded") for run in runs}
        deadline = time.monotonic() + SETTLE_SECONDS
        with contextlib.ExitStack() as opened:
            while waiting:
                assert time.monotonic() < deadline, f"{web.machine.name} never told a page about runs {list(waiting)}"
                try:
                    frame = str(socket.recv(timeout=5))
                except TimeoutError:
                    continue
                except ConnectionClosed:
                    with contextlib.suppress(OSError):
                        socket = opened.enter_context(self.at(web).socket())
                    continue
                waiting = {run: seen for run, seen in waiting.items() if not seen(frame)}

    # --- what the database knows

    def settle(self) -> None:
        """Wait until every accepted run has ended."""
        until(lambda: not self.unfinished(), "the end of every run", SETTLE_SECONDS)

    def unfinished(self) -> list[int]:
        return [run for run in self.runs if not self.state(run).ended]

    def state(self, run: int) -> State:
        return self.row(run).state

    def row(self, run: int) -> Run:
        with self.all.database.read() as session:
            return session.get_one(Run, run)

    def is_on(self, server: Server, run: int) -> bool:
        """Return whether a run is executed on a machine."""
        row = self.row(run)
        with self.all.database.read() as session:
            worker = session.query(WorkerRow).filter(WorkerRow.name == row.worker).one_or_none()
        return row.state is State.RUNNING and worker is not None and worker.pid in server.machine.pids()
