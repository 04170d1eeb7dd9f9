"""Workspaces: a private folder for one attempt of a run, gone after it, however that ends.

A folder is locked by the worker whose run it is for, and the system drops a lock with its process. So a folder that
nobody has locked is nobody's, and whoever finds it may remove it: it needs no list, and no clock.
"""

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX = "run-"


@contextlib.contextmanager
def workspace(folder: Path | None) -> Iterator[Path]:
    """Make a workspace in this folder, or where the system keeps what is temporary. Raises OSError."""
    try:
        path, lock = _locked(folder)
    except FileNotFoundError:
        if folder is None:
            raise
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path, lock = _locked(folder)
    try:
        yield path
    finally:
        _remove(path)
        os.close(lock)


def tidy(folder: Path) -> None:
    """Remove the workspaces in this folder that a process has left behind when it was killed."""
    with contextlib.suppress(FileNotFoundError):
        for path in list(folder.glob(f"{PREFIX}*")):
            _remove_if_abandoned(path)


def _locked(folder: Path | None) -> tuple[Path, int]:
    while True:
        path = tempfile.mkdtemp(prefix=PREFIX, dir=folder)
        with contextlib.suppress(FileNotFoundError):  # somebody has tidied up before the lock was there
            lock = os.open(path, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if os.path.exists(path):
                return Path(path), lock
            os.close(lock)


def _remove_if_abandoned(path: Path) -> None:
    with contextlib.suppress(OSError):  # it is gone, or no folder of ours
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(path)
        finally:
            os.close(lock)


def _remove(path: Path) -> None:
    """Remove a folder with all that is in it, also what a task has taken its own rights to."""
    with contextlib.suppress(OSError):
        path.rmdir()  # most are empty
        return
    _allow(path)
    for folder, names, _files in os.walk(path):
        for name in names:
            _allow(Path(folder, name))
    shutil.rmtree(path, ignore_errors=True)


def _allow(path: Path) -> None:
    with contextlib.suppress(OSError):
        if not path.is_symlink():
            path.chmod(stat.S_IRWXU)
