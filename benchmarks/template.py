"""A template process with the benchmark's tasks in addition to the gallery's."""

import socket
import subprocess
import sys
from collections.abc import Mapping

from benchmarks.noop import moment, nothing, nothing_kept
from jobs import task
from jobs.authoring.catalog import Catalog, load_catalog
from jobs.worker.channel import Channel
from jobs.worker.template import serve
from jobs.worker.template_process import start_process


def catalog() -> Catalog:
    """Return the gallery's tasks and the benchmark's."""
    ours = (task(nothing), task(moment), task(keep=True)(nothing_kept))
    return Catalog({**load_catalog(), **{function.__name__: function.__dict__["__task__"] for function in ours}})


def start(
    supervisor: socket.socket, requests: socket.socket, environment: Mapping[str, str]
) -> "subprocess.Popen[bytes]":
    """Start the template process, as the supervisor starts its own."""
    return start_process("benchmarks.template", supervisor, requests, environment)


def main() -> None:
    supervisor, requests = (socket.socket(fileno=int(number)) for number in sys.argv[1:3])
    serve(catalog(), Channel(supervisor), requests)
