"""A temporary Postgres from the system's package: a private server that ends with the tests, however they end."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg.sql import SQL, Composable, Identifier, Literal

from jobs.worker.process import die_with_parent
from tests.support.waiting import until

DEBIANS_FOLDERS = "/usr/lib/postgresql"
ACCOUNT = "postgres"  # made by Debian's package, with a group of this name; Postgres refuses to run as root
HOW_TO_GET_ONE = "These tests need Postgres's server. Install it (Debian, Ubuntu: apt-get install postgresql)."
SUPERUSER, PORT = "tests", "5432"
INITDB = ("initdb", "--pgdata=data", f"--username={SUPERUSER}", "--auth=trust", "--encoding=UTF8", "--no-locale", "-N")
# It listens on a socket in its own folder only, and nothing in it has to outlast a power cut. The time zone is chosen
# so that a time which is not made UTC is noticed.
OPTIONS = {
    "port": PORT,
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "timezone": "Asia/Kathmandu",
}


class NoPostgres(Exception):
    """No Postgres can be started here; the message says what to do."""


class Postgres:
    """A running server, and what is done with whole databases."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def url(self, name: str) -> str:
        """A database's address as platforms spell it."""
        return f"postgresql://{SUPERUSER}@/{name}?host={self._folder}&port={PORT}"

    @property
    def socket(self) -> Path:
        return self._folder / f".s.PGSQL.{PORT}"

    def answers(self) -> bool:
        try:
            return bool(self._execute("SELECT 1"))
        except psycopg.OperationalError:
            return False

    def has(self, name: str) -> bool:
        return bool(self._execute("SELECT 1 FROM pg_database WHERE datname = {}", Literal(name)))

    def create(self, name: str, template: str = "template1") -> None:
        self._execute("CREATE DATABASE {} TEMPLATE {}", Identifier(name), Identifier(template))

    def drop(self, name: str) -> None:
        """Remove a database, also while something is connected to it."""
        self._execute("DROP DATABASE {} WITH (FORCE)", Identifier(name))

    def refuse(self, name: str) -> None:
        """Close a database's connections and refuse new ones."""
        self._execute("ALTER DATABASE {} ALLOW_CONNECTIONS false", Identifier(name))
        self._execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {}", Literal(name))

    def admit(self, name: str) -> None:
        self._execute("ALTER DATABASE {} ALLOW_CONNECTIONS true", Identifier(name))

    def _execute(self, statement: LiteralString, *parts: Composable) -> list[Any]:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            cursor = connection.execute(SQL(statement).format(*parts))
            return cursor.fetchall() if cursor.description else []


@contextmanager
def throw_away(network: str = "", host: str = "") -> Iterator[Postgres]:
    """Run a new server while the block lasts, for a whole network if one is given. Raises NoPostgres."""
    with tempfile.TemporaryDirectory(prefix="dumbwaiter-postgres-") as name:
        folder = Path(name)
        if _spawn(folder, *INITDB).wait() != 0:
            raise NoPostgres(f"Postgres cannot be set up:\n{(folder / 'log').read_text()}")
        if network:
            with (folder / "data" / "pg_hba.conf").open("a") as rules:
                rules.write(f"host all all {network} trust\n")
        chosen = {**OPTIONS, "listen_addresses": host}
        options = [part for option, value in chosen.items() for part in ("-c", f"{option}={value}")]
        process, server = _spawn(folder, "postgres", "-D", "data", "-k", name, *options), Postgres(folder)
        try:
            until(lambda: server.answers() or process.poll() is not None, "Postgres starting")
            assert process.poll() is None, (folder / "log").read_text()
            yield server
        finally:
            process.send_signal(signal.SIGQUIT)  # end at once: what it holds is thrown away
            process.wait()


def _spawn(folder: Path, program: str, *arguments: str) -> "subprocess.Popen[bytes]":
    newest_first = sorted(Path(DEBIANS_FOLDERS).glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    path = shutil.which(program, path=os.pathsep.join([*map(str, newest_first), os.environ["PATH"]]))
    if path is None:
        raise NoPostgres(f"{HOW_TO_GET_ONE} There is no {program} in PATH or {DEBIANS_FOLDERS}/*/bin.")
    parent = os.getpid()
    return subprocess.Popen(
        [path, *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=(folder / "log").open("ab"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=lambda: die_with_parent(parent, signal.SIGQUIT),
        **(_account_for(folder) if os.geteuid() == 0 else {}),
    )


def _account_for(folder: Path) -> dict[str, Any]:
    """Return the options that start a process under Postgres's account, which is made the folder's owner."""
    try:
        account = pwd.getpwnam(ACCOUNT)
    except KeyError:
        raise NoPostgres(f"{HOW_TO_GET_ONE} As root they need its account {ACCOUNT!r}, too.") from None
    os.chown(folder, account.pw_uid, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
