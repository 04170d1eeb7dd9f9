"""The `flask` commands: `flask task ...`, `flask admin ...`, `flask invite` and `flask doctor`."""

import contextlib
import sys

import click
from flask import Flask

import config
import webapp
from jobs.authoring import Catalog
from jobs.runs import open_backend
from webapp.commands.admin import admin, audit_log, invite
from webapp.commands.doctor import doctor
from webapp.commands.task import task
from webapp.tasks.catalog import usable


def create_app() -> Flask:
    """Create the application for commands, with the valid tasks; print the errors of the others.

    With invalid settings, or if `flask doctor` was requested, return an application that has only that command.
    """
    if sys.argv[1:2] == [doctor.name]:
        return _for_doctor()
    try:
        settings = config.load()
        catalog, errors = usable(settings.tasks)
        app = webapp.create_app(open_backend(settings, catalog))
    except (config.ConfigError, OSError) as error:
        click.secho(f"{error}\nOnly `flask doctor` is available until this is fixed.", err=True, fg="red")
        return _for_doctor()
    for wrong in errors:
        click.secho(str(wrong), err=True, fg="red")
    for command in (admin, audit_log, doctor, invite, task):
        app.cli.add_command(command)
    return app


def _for_doctor() -> Flask:
    """Create the application that the doctor examines, a bare one if the settings are invalid.

    It has no tasks, whose errors the doctor reports itself, and no real session key: creating one would write a file,
    and the doctor changes nothing.
    """
    app = Flask("webapp")
    with contextlib.suppress(config.ConfigError):  # the doctor reports it
        unsigned = config.load().model_copy(update={"secret_key": "for nobody's session"})
        app = webapp.create_app(open_backend(unsigned, Catalog({})))
    app.cli.add_command(doctor)
    return app
