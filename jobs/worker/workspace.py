"""Workspaces: a private folder for one attempt of a run, removed when the attempt ends.

The worker holds a lock on the folder, and the system releases the lock when the worker dies. A folder without a lock is
therefore abandoned and can be removed, without a list or a clock.
"""

import contextlib
import errno
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from jobs.task_user import TaskUser

PREFIX = "run-"


@contextlib.contextmanager
def workspace(folder: Path | None, user: TaskUser | None = None) -> Iterator[Path]:
    """Create a workspace in this folder, or in the system's temporary folder; as the user's own, if there is one.

    Raises OSError.
    """
    if folder and user:
        _make_passable(folder)
    try:
        path, lock = _locked(folder)
    except FileNotFoundError:
        if folder is None:
            raise
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path, lock = _locked(folder)
    try:
        if user:
            os.chown(path, user.uid, user.gid)
        yield path
    finally:
        _remove(path)
        os.close(lock)


def tidy(folder: Path) -> None:
    """Remove the workspaces in this folder whose worker was killed."""
    with contextlib.suppress(FileNotFoundError):
        for path in list(folder.glob(f"{PREFIX}*")):
            _remove_if_abandoned(path)


def _make_passable(folder: Path) -> None:
    """Create a folder in the temporary folder that others may pass through. Anybody may have been there before."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o711)
    if folder.lstat().st_uid != os.geteuid() or folder.is_symlink():
        raise FileExistsError(errno.EEXIST, "it belongs to another user", str(folder))
    folder.chmod(0o711)


def _locked(folder: Path | None) -> tuple[Path, int]:
    while True:
        path = tempfile.mkdtemp(prefix=PREFIX, dir=folder)
        with contextlib.suppress(FileNotFoundError):  # removed as abandoned before it was locked
            lock = os.open(path, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if os.path.exists(path):
                return Path(path), lock
            os.close(lock)


def _remove_if_abandoned(path: Path) -> None:
    with contextlib.suppress(OSError):  # already removed, or not a workspace
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(path)
        finally:
            os.close(lock)


def _remove(path: Path) -> None:
    """Remove a folder and its contents, including entries whose permissions the task has removed."""
    with contextlib.suppress(OSError):
        path.rmdir()  # most are empty
        return
    if os.geteuid() != 0:  # root needs no permission, and must not follow what TASK_USER could put in their place
        _allow(path)
        for folder, names, _files in os.walk(path):
            for name in names:
                _allow(Path(folder, name))
    shutil.rmtree(path, ignore_errors=True)


def _allow(path: Path) -> None:
    with contextlib.suppress(OSError):
        if not path.is_symlink():
            path.chmod(stat.S_IRWXU)
