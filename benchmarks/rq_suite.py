"""RQ's own tests on our worker: `python -m benchmarks.rq_suite [--stock] [--source PATH] [options of pytest]`.

It tells where our worker does not keep what RQ promises of one. The tests come from RQ's source distribution of the
version installed here, which pip downloads (`pip download --no-binary rq --no-deps rq==…`), or from the PATH of an
unpacked one or of a checkout. It starts a Redis of its own, puts our worker in the place of RQ's `Worker` and
`SimpleWorker`, and runs all modules in which a worker works. Their jobs are no runs: they execute in the worker's
process, as those of a SimpleWorker do. `--stock` leaves RQ's SimpleWorker in its place, for comparison.
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
from jobs.worker.template_process import TemplateProcess
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

# What does not apply, by its reason: names of tests or of their classes. Only the last two reasons are differences of
# ours; the other tests fail on a SimpleWorker too, or never reach it.
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
    "they stop a job by a command or a second signal: one in the worker's own process does not hear it": {
        "test_kill_horse_command",
        "test_stop_execution_command",
        "test_stop_job_command",
        "test_working_worker_cold_shutdown",
    },
    "they expect the short expiries of a worker that shows signs of life while a job runs": {
        "test_execution_added_to_started_job_registry",
        "test_get_heartbeat_ttl",
        "TestRegistry::test_heartbeat",
        "TestRegistry::test_registry_cleanup",
    },
    "they start the program `rqworker`": {"TestWorkerSubprocess"},
    "they need a Redis at port 6379": {"test_custom_connection_pool", "test_no_custom_connection_pool"},
    "they are about workers of RQ's that stay RQ's": {
        "HerokuWorkerShutdownTestCase",
        "TestRandomWorker",
        "TestRoundRobinWorker",
    },
    "our worker does not log how long a result is kept: RQ keeps none": {"test_log_result_lifespan_true"},
    "our worker remembers a stop that came while it was idle, because code that it interrupts may swallow it": {
        "test_idle_worker_warm_shutdown"
    },
}


class Given(BaseWorker):
    """Stands between our worker and RQ's: whatever ours tells RQ's constructor, it hears what the test said."""

    given: tuple[tuple[Any, ...], dict[str, Any]]

    def __init__(self, *_ours: Any, **_own: Any) -> None:
        arguments, options = self.given
        super().__init__(*arguments, **options)


class Ours(RunWorker, Given):
    """Our worker, made with the arguments of RQ's.

    Unlike ours it believes any job and executes it as a SimpleWorker does, and does not wait out whatever error comes
    while it waits for a job: with such errors these tests end their workers.
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
    """Leaves out what does not apply, says why, and ends the children that a test leaves waiting."""

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
    """Put RQ's package `tests` into the folder, and nothing else of RQ's: the installed one is what is tested."""
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
    """A Redis that listens on TCP: the application's own does not, and these tests know nothing else."""
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
    parser = argparse.ArgumentParser(description="RQ's own tests on our worker")
    parser.add_argument("--source", type=Path, help="a folder that holds RQ's tests, instead of pip's download")
    parser.add_argument("--stock", action="store_true", help="test RQ's SimpleWorker instead of ours")
    options, pytests = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as name, redis_at_a_port(folder := Path(name)) as port:
        fetch_tests(folder, options.source)
        Ours.template = TemplateProcess()
        Ours.template.look()
        Ours.backend = open_empty(folder, port)
        worker = SimpleWorker if options.stock else Ours
        for module in (rq, rq.worker):
            vars(module).update(Worker=worker, SimpleWorker=worker)
        os.environ["RUN_SLOW_TESTS_TOO"] = "1"
        os.chdir(folder)
        sys.path.insert(0, name)  # before this repository, which has a package of the same name
        import tests

        vars(tests)["Redis"] = functools.partial(Redis, port=port)
        paths = [f"tests/test_{module}.py" for module in MODULES]
        quiet = ["-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", name, "-W", "ignore"]
        status = pytest.main([*quiet, *paths, *pytests], plugins=[Plugin()])
        os.chdir(ROOT)
    sys.exit(status)


if __name__ == "__main__":
    main()
