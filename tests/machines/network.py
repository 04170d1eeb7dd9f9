"""Machines in network namespaces of this process: a bridge that nothing leads out of, and links that can be cut.

Everything ends with this process: a namespace exists as long as a process or an open file refers to it.
"""

import contextlib
import errno
import os
import signal
import socket
import subprocess
from collections.abc import Iterator

import psutil

from jobs.worker.process import LIBC, die_with_parent

CLONE_NEWNET = 0x40000000
OWN_NAMESPACE = "/proc/thread-self/ns/net"
NETWORK = "10.77.0"
PROBE_SECONDS = 1
NO_PORT = 9
NOBODY = "02:00:00:00:00:01"  # packets to an address that no machine has vanish without a word


class Network:
    """The bridge, in a namespace of its own that this thread enters."""

    def __init__(self) -> None:
        self.home = _new_namespace()
        self._used = 1
        _ip("link set lo up", "link add hub type bridge", f"addr add {NETWORK}.1/24 dev hub", "link set hub up")

    def connect(self, name: str) -> "Machine":
        """Add a machine with an address of its own."""
        self._used += 1
        machine = Machine(name, f"{NETWORK}.{self._used}", _new_namespace(), self.home)
        cable = f"to-{name}"
        _ip(
            "link set lo up",
            f"link add eth0 type veth peer name {cable} netns /proc/{os.getpid()}/fd/{self.home}",
            f"addr add {machine.address}/24 dev eth0",
            "link set eth0 up",
        )
        _enter(self.home)
        _ip(f"link set {cable} master hub", f"link set {cable} up")
        return machine


class Machine:
    """A namespace with one address, and what runs in it."""

    def __init__(self, name: str, address: str, namespace: int, home: int) -> None:
        self.name = name
        self.address = address
        self._namespace = namespace
        self._home = home

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Move this thread, with its future sockets and processes, into the machine's network namespace."""
        _enter(self._namespace)
        try:
            yield
        finally:
            _enter(self._home)

    def spawn(self, *command: str, log: str, cwd: str = "/", **environment: str) -> "subprocess.Popen[bytes]":
        parent = os.getpid()
        with self.entered(), open(log, "ab") as output:
            return subprocess.Popen(
                command,
                cwd=cwd,
                env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=lambda: die_with_parent(parent, signal.SIGTERM),
            )

    def reaches(self, other: "Machine") -> bool:
        """Return whether packets come through: a port where nothing listens is refused at once, or never answers."""
        with self.entered(), socket.socket() as probe:
            probe.settimeout(PROBE_SECONDS)
            return probe.connect_ex((other.address, NO_PORT)) == errno.ECONNREFUSED

    def pids(self) -> set[int]:
        return {process.pid for process in self._processes()}

    def kill(self) -> None:
        """Kill everything that runs here, at once."""
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def _processes(self) -> Iterator[psutil.Process]:
        here = os.fstat(self._namespace).st_ino
        for process in psutil.process_iter():
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{process.pid}/ns/net").st_ino == here:
                    yield process


@contextlib.contextmanager
def cut(one: Machine, other: Machine) -> Iterator[None]:
    """Lose every packet between two machines; neither is told."""
    for here, there in ((one, other), (other, one)):
        with here.entered():
            _ip(f"neigh replace {there.address} lladdr {NOBODY} dev eth0 nud permanent")
    try:
        assert not one.reaches(other), f"the link between {one.name} and {other.name} cannot be cut"
        yield
    finally:
        for here, there in ((one, other), (other, one)):
            with here.entered():
                _ip(f"neigh del {there.address} dev eth0")


def _new_namespace() -> int:
    """Enter a new namespace, and return a file that refers to it."""
    assert LIBC.unshare(CLONE_NEWNET) == 0
    return os.open(OWN_NAMESPACE, os.O_RDONLY | os.O_CLOEXEC)


def _enter(namespace: int) -> None:
    assert LIBC.setns(namespace, CLONE_NEWNET) == 0


def _ip(*commands: str) -> None:
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True)
