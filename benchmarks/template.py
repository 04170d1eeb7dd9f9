"""A template process with the benchmark's tasks in addition to those that come with the application."""

import socket
import sys

from benchmarks.noop import moment, nothing, nothing_kept
from jobs import task
from jobs.authoring.catalog import Catalog, load_catalog
from jobs.authoring.folders import OF_THE_PROJECT
from jobs.worker.channel import Channel
from jobs.worker.template import serve
from jobs.worker.template_process import start_template

start = start_template([OF_THE_PROJECT], "benchmarks.template")


def catalog() -> Catalog:
    """Return the application's tasks and the benchmark's."""
    ours = (task(nothing), task(moment), task(keep=True)(nothing_kept))
    return Catalog(
        {**load_catalog([OF_THE_PROJECT]), **{function.__name__: function.__dict__["__task__"] for function in ours}}
    )


def main() -> None:
    supervisor, requests = (socket.socket(fileno=int(number)) for number in sys.argv[1:3])
    serve(catalog(), Channel(supervisor), requests)
