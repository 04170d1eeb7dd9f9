"""Developers' own secrets for tasks that run on the terminal."""

import os
import sys

import click

from jobs import Secrets
from jobs.authoring import Task

PREFIX = "SECRET_"
# Settings with the same prefix, which tasks must not receive.
SETTINGS = frozenset({"SECRET_KEY", "SECRET_KEY_PREVIOUS"})


def secrets_for(task: Task) -> dict[str, str]:
    """Return a task's secrets from the environment, where API_TOKEN is called SECRET_API_TOKEN.

    Prompt for secrets that the task declares but the environment lacks, without echoing the input. Raises UsageError
    if there is no terminal to prompt on.
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
        raise click.UsageError(f"The task needs the secret {name}; set {PREFIX}{name}.")
    return str(click.prompt(name, hide_input=True, err=True))
