"""Run RQ's own tests on our worker: `python -m benchmarks.rq_suite [--stock] [--source PATH] [options of pytest]`.

The tests show where our worker deviates from RQ's contract. They come from RQ's source distribution of the installed
version, which pip downloads (`pip download --no-binary rq --no-deps rq==…`), or from the PATH of an unpacked
distribution or a checkout. The suite starts its own Redis, replaces RQ's `Worker` and `SimpleWorker` with our worker,
and runs all modules that use a worker. Their jobs are not runs: they execute in the worker's process, as with a
SimpleWorker. `--stock` tests RQ's SimpleWorker instead, for comparison.
"""

import argparse
import functools
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import pytest
import rq.worker
from alembic import command
from alembic.config import Config
from redis import Redis
from rq.job import Job
from rq.worker import BaseWorker, SimpleWorker

from config import Settings
from jobs.authoring.catalog import Catalog
from jobs.runs.backend import Backend, open_backend
from jobs.worker.template_process import TemplateProcess, start_template
from jobs.worker.worker import RunWorker
from webapp.server.embedded_redis import _binary

ROOT = Path(__file__).parent.parent
# fmt: off
MODULES = (
    "worker", "callbacks", "commands", "decorator", "dependencies", "executions", "group", "intermediate_queue", "job",
    "job_dependency", "queue", "rate_limit", "registry", "repeat", "results", "retry", "scheduler", "timeouts",
    "webhooks", "worker_registration",
)
# fmt: on

# Names of inapplicable tests or test classes, by reason. Only the last two reasons are differences of our worker; the
# other tests also fail on a SimpleWorker, or never use it.
NOT_OURS = {
    "they watch, count or kill the process that RQ's Worker forks for each job": {
        "test_allow_failures_when_work_horse_killed",
        "test_heartbeat_busy",
        "test_horse_fails",
        "test_monitor_work_horse_handles_performed_job_with_non_zero_exit_code_and_result_ttl_0",
        "test_stopped_job_failed_even_if_stopped_callback_raises",
        "test_work_horse_death_sets_job_failed",
        "test_work_horse_force_death",
    },
    "they stop a job by a command or a second signal, which a job in the worker's own process cannot receive": {
        "test_kill_horse_command",
        "test_stop_execution_command",
        "test_stop_job_command",
        "test_working_worker_cold_shutdown",
    },
    "they expect the short expiry times of a worker that sends heartbeats while a job runs": {
        "test_execution_added_to_started_job_registry",
        "test_get_heartbeat_ttl",
        "TestRegistry::test_heartbeat",
        "TestRegistry::test_registry_cleanup",
    },
    "they start the program `rqworker`": {"TestWorkerSubprocess"},
    "they need a Redis at port 6379": {"test_custom_connection_pool", "test_no_custom_connection_pool"},
    "they test other worker classes of RQ, which are not replaced": {
        "HerokuWorkerShutdownTestCase",
        "TestRandomWorker",
        "TestRoundRobinWorker",
    },
    "our worker does not log how long RQ keeps a result, because RQ keeps none": {"test_log_result_lifespan_true"},
    "our worker remembers a stop request while idle, because the interrupted code may swallow the exception": {
        "test_idle_worker_warm_shutdown"
    },
}


class Given(BaseWorker):
    """A class between our worker and RQ's that passes the test's arguments to RQ's constructor instead of ours."""

    given: tuple[tuple[Any, ...], dict[str, Any]]

    def __init__(self, *_ours: Any, **_own: Any) -> None:
        arguments, options = self.given
        super().__init__(*arguments, **options)


class Ours(RunWorker, Given):
    """Our worker with the constructor arguments of RQ's.

    Unlike the real one, it trusts any job and executes it like a SimpleWorker, and does not retry after errors while
    waiting for a job, because these tests stop their workers with such errors.
    """

    job_class = Job
    execute_job = SimpleWorker.execute_job
    perform_job = SimpleWorker.perform_job
    dequeue_job_and_maintain_ttl = SimpleWorker.dequeue_job_and_maintain_ttl

    backend: ClassVar[Backend]
    template: ClassVar[TemplateProcess]
    made: ClassVar[list[RunWorker]] = []

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.given = arguments, options
        self.made.append(self)
        super().__init__(self.backend, "ours", self.template.ask_for_copy)


class Plugin:
    """A pytest plugin that deselects inapplicable tests, reports the reasons, and ends leftover child processes."""

    def __init__(self) -> None:
        self._left_out: Counter[str] = Counter()

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        reasons = {item: reason for item in items if (reason := _reason(item))}
        self._left_out.update(reasons.values())
        config.hook.pytest_deselected(items=list(reasons))
        items[:] = [item for item in items if item not in reasons]

    def pytest_runtest_teardown(self) -> None:
        while Ours.made:
            Ours.made.pop()._template.close()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("deselected")
        for reason, number in self._left_out.items():
            terminalreporter.write_line(f"{number:>3}: {reason}")


def _reason(item: pytest.Item) -> str | None:
    parts = item.nodeid.split("::")[1:]
    names = {*parts, "::".join(parts)}
    return next((reason for reason, tests in NOT_OURS.items() if names & tests), None)


def fetch_tests(folder: Path, source: Path | None) -> None:
    """Copy only RQ's package `tests` into the folder, because the installed RQ is to be tested."""
    if source is not None:
        shutil.copytree(source / "tests", folder / "tests")
        return
    name = f"rq-{version('rq')}"
    options = ["--no-binary", "rq", "--no-deps", "--quiet", "--disable-pip-version-check", "--dest", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "download", *options, name.replace("-", "==")], check=True)
    with tarfile.open(folder / f"{name}.tar.gz") as archive:
        members = [member for member in archive.getmembers() if member.name.startswith(f"{name}/tests/")]
        archive.extractall(folder, members, filter="data")
    (folder / name / "tests").rename(folder / "tests")


@contextmanager
def redis_at_a_port(folder: Path) -> Iterator[int]:
    """Run a Redis that listens on TCP, which these tests require, unlike the embedded one; yield its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder), "--databases", "17"]
    server = subprocess.Popen([_binary(), *options], stdout=subprocess.DEVNULL)
    try:
        Redis(port=port).ping()
        yield port
    finally:
        server.terminate()
        server.wait()


def open_empty(folder: Path, port: int) -> Backend:
    settings = Settings.model_validate({"data_dir": folder, "redis_url": f"redis://127.0.0.1:{port}"})
    backend = open_backend(settings, Catalog({}))
    command.upgrade(Config(ROOT / "alembic.ini", attributes={"database": backend.database}), "head")
    backend.database.close()
    return backend


def main() -> None:
    parser = argparse.ArgumentParser(description="Run RQ's own tests on our worker.")
    parser.add_argument("--source", type=Path, help="use RQ's tests from this folder instead of downloading them")
    parser.add_argument("--stock", action="store_true", help="test RQ's SimpleWorker instead of ours")
    options, pytests = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as name, redis_at_a_port(folder := Path(name)) as port:
        fetch_tests(folder, options.source)
        Ours.template = TemplateProcess(start_template([]))
        Ours.template.look()
        Ours.backend = open_empty(folder, port)
        worker = SimpleWorker if options.stock else Ours
        for module in (rq, rq.worker):
            vars(module).update(Worker=worker, SimpleWorker=worker)
        os.environ["RUN_SLOW_TESTS_TOO"] = "1"
        os.chdir(folder)
        sys.path.insert(0, name)  # before this repository, which also has a package `tests`
        import tests

        vars(tests)["Redis"] = functools.partial(Redis, port=port)
        paths = [f"tests/test_{module}.py" for module in MODULES]
        quiet = ["-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", name, "-W", "ignore"]
        status = pytest.main([*quiet, *paths, *pytests], plugins=[Plugin()])
        os.chdir(ROOT)
    sys.exit(status)


if __name__ == "__main__":
    main()
