"""One deployment over seven machines: Postgres, Redis, a bucket, two web servers and two machines with workers."""

import contextlib
import secrets
import subprocess
import sys
import urllib.request
from pathlib import Path

from config import Settings
from jobs.storage.database import Database
from tests.faults.audit import begin_audit
from tests.machines.network import NETWORK, Machine, Network
from tests.support.objects import KEY, ObjectServer
from tests.support.postgres import throw_away
from tests.support.stack import ROOT
from tests.support.tasks import FOLDER
from tests.support.waiting import until
from webapp.server import migrations
from webapp.server.embedded_redis import _binary

DATABASE = "dumbwaiter"
LEASE_SECONDS = 6
WORKERS = 2
START_SECONDS = 60
STOP_SECONDS = 30
PORT = "8000"
TASKS = (FOLDER, *(ROOT / "tests" / room / "tasks" for room in ("machines", "proxies")))


class Server:
    """A machine on which a part of the application runs."""

    def __init__(self, machine: Machine, folder: Path, arguments: tuple[str, ...], environment: dict[str, str]) -> None:
        self.machine = machine
        self.url = f"http://{machine.address}:{PORT}"
        self.log = folder / f"{machine.name}.txt"
        self._arguments = arguments
        self._environment = {
            **environment,
            "DATA_DIR": str(folder / machine.name),
            "HOST": machine.address,
            "PUBLIC_URL": self.url,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = (sys.executable, *self._arguments)
        self._process = self.machine.spawn(*command, log=str(self.log), cwd=str(ROOT), **self._environment)

    def stop(self) -> None:
        """Ask it to stop, and wait until it has."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(STOP_SECONDS)

    def die(self) -> None:
        assert self._process is not None
        self.machine.kill()
        self._process.wait()

    def ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def sees_workers(self) -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as response:
            return bool(response.status == 200)
        return False


class Deployment:
    """All machines, running. `database` is asked from outside, so that it always answers."""

    def __init__(self, folder: Path, ending: contextlib.ExitStack) -> None:
        network = Network()
        self.postgres, self.redis, self.bucket = (network.connect(name) for name in ("postgres", "redis", "bucket"))
        with self.postgres.entered():
            server = ending.enter_context(throw_away(f"{NETWORK}.0/24", self.postgres.address))
        server.create(DATABASE)
        self.database = Database(Settings(database_url=server.url(DATABASE)).database)
        ending.callback(self.database.close)
        migrations.upgrade(self.database)
        begin_audit(self.database)
        self._start_redis(folder)
        environment = {
            "APP_ENV": "production",
            "REGISTRATION": "open",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "DATABASE_URL": f"postgresql://tests@{self.postgres.address}/{DATABASE}",
            "REDIS_URL": f"redis://{self.redis.address}",
            **self._start_bucket(folder, ending),
            "LEASE_SECONDS": str(LEASE_SECONDS),
            "TASKS": ":".join(map(str, TASKS)),
            "PORT": PORT,
        }
        self.webs = [self._server(network, folder, name, environment) for name in ("web-a", "web-b")]
        self.workers = [self._server(network, folder, name, environment) for name in ("worker-a", "worker-b")]
        ending.callback(self._end)
        for one in (*self.workers, *self.webs):
            one.start()
        for web in self.webs:
            self.await_web(web)

    @property
    def servers(self) -> list[Server]:
        return [*self.webs, *self.workers]

    def await_web(self, web: Server) -> None:
        """Wait until a web server serves pages and knows of a worker."""
        until(lambda: web.ended() or web.sees_workers(), f"{web.machine.name} ready (see {web.log})", START_SECONDS)
        assert not web.ended(), web.log.read_text()

    def _server(self, network: Network, folder: Path, name: str, environment: dict[str, str]) -> Server:
        web = name.startswith("web")
        arguments = ("-m", "webapp") if web else ("-m", "jobs")
        own = {**environment, "WORKERS": "0" if web else str(WORKERS)}
        return Server(network.connect(name), folder, arguments, own)

    def _start_redis(self, folder: Path) -> None:
        options = ("--bind", self.redis.address, "--protected-mode", "no", "--dir", str(folder), "--appendonly", "yes")
        self.redis.spawn(_binary(), *options, log=str(folder / "redis.txt"))

    def _start_bucket(self, folder: Path, ending: contextlib.ExitStack) -> dict[str, str]:
        objects = folder / "objects"
        objects.mkdir()
        with self.bucket.entered():
            server = ObjectServer(objects, self.bucket.address)
            name = server.bucket()
            ending.callback(server.start().stop)
        return {"FILES_URL": f"s3://{name}", "AWS_ENDPOINT_URL": server.url, **KEY}

    def _end(self) -> None:
        for machine in (*(one.machine for one in self.servers), self.redis):
            machine.kill()
