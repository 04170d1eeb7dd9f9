"""A developer's own secrets, for a task that is run on the terminal."""

import os
import sys

import click

from jobs import Secrets
from jobs.authoring import Task

PREFIX = "SECRET_"
# These settings begin alike, and are no task's.
SETTINGS = frozenset({"SECRET_KEY", "SECRET_KEY_PREVIOUS"})


def secrets_for(task: Task) -> dict[str, str]:
    """The secrets of a task that asks for some: SECRET_API_TOKEN in the environment is API_TOKEN.

    Asks on a terminal, without showing it, for one that the task names and the environment has not.
    """
    if not task.asks_for(Secrets):
        return {}
    given = {
        name.removeprefix(PREFIX): value
        for name, value in os.environ.items()
        if name.startswith(PREFIX) and name not in SETTINGS
    }
    if not task.secrets:
        return given
    return {name: given.get(name) or _asked(name) for name in task.secrets}


def _asked(name: str) -> str:
    if not sys.stdin.isatty():
        raise click.UsageError(f"The task needs the secret {name}: set {PREFIX}{name}.")
    return str(click.prompt(name, hide_input=True, err=True))
