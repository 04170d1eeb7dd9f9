"""TASK_USER: the operating-system user that executes runs, where the service itself runs as root."""

import ctypes
import logging
import os
import pwd
import sys
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

log = logging.getLogger(__name__)

PR_SET_NO_NEW_PRIVS = 38


class UnusableTaskUser(Exception):
    """A TASK_USER that runs cannot be executed as; the message says what to do."""


class TaskUser(NamedTuple):
    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


def find_task_user(name: str) -> TaskUser | None:
    """Return the user of a name or a number, or None if there is no name. Raises UnusableTaskUser."""
    if not name:
        return None
    try:
        found = pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
    except (KeyError, OverflowError):
        raise UnusableTaskUser(
            f"TASK_USER: there is no user {name!r} on this machine. Create it, or unset TASK_USER."
        ) from None
    if found.pw_uid == 0:
        raise UnusableTaskUser("TASK_USER: must not be root. Choose a user without rights of its own.")
    if os.geteuid() != 0:
        raise UnusableTaskUser("TASK_USER: only root can run tasks as another user. Start as root, or unset TASK_USER.")
    groups = tuple(os.getgrouplist(found.pw_name, found.pw_gid))
    return TaskUser(found.pw_name, found.pw_uid, found.pw_gid, groups, found.pw_dir)


def become(user: TaskUser) -> None:
    """Make this process the user's for good. What it starts cannot gain rights either, as with sudo (Linux).

    Groups go first, because only root may change them. As root, setgid and setuid change the saved ids, too, so that
    there is no way back, and Linux takes all capabilities away.
    """
    os.setgroups(user.groups)
    os.setgid(user.gid)
    os.setuid(user.uid)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    os.environ.update(HOME=user.home, USER=user.name, LOGNAME=user.name)


def check_task_user(name: str, folders: Collection[Path]) -> None:
    """Raise UnusableTaskUser if runs cannot be executed as this user; warn if it cannot import modules."""
    user = find_task_user(name)
    if user is None:
        return
    for folder in (Path(os.__file__).parent, Path(__file__).parent, *folders):
        if not _may_read(user, folder):
            log.warning("TASK_USER: %s cannot read %s. Imports within its tasks will fail; allow it.", name, folder)


def _may_read(user: TaskUser, folder: Path) -> bool:
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1] == 0
    try:
        become(user)
        os._exit(not os.access(folder, os.R_OK | os.X_OK))
    finally:
        os._exit(1)
