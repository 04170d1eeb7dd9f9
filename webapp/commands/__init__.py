"""The `flask` commands: `flask task ...`, `flask admin ...` and `flask doctor`."""

import sys

import click
from flask import Flask

import config
import webapp
from jobs.runs import open_backend
from webapp.commands.admin import admin
from webapp.commands.doctor import doctor
from webapp.commands.task import task
from webapp.tasks.catalog import usable


def create_app() -> Flask:
    """Create the application for commands, with the valid tasks; print the errors of the others.

    With invalid settings, or if `flask doctor` was requested, return a bare application that has only that command.
    The doctor depends on nothing that may be missing, reports these errors itself, and changes nothing.
    """
    if sys.argv[1:2] == [doctor.name]:
        return _with_the_doctor_alone()
    try:
        settings = config.load()
        catalog, errors = usable(settings.tasks)
        app = webapp.create_app(open_backend(settings, catalog))
    except (config.ConfigError, OSError) as error:
        click.secho(f"{error}\nOnly `flask doctor` is available until this is fixed.", err=True, fg="red")
        return _with_the_doctor_alone()
    for wrong in errors:
        click.secho(str(wrong), err=True, fg="red")
    for command in (admin, doctor, task):
        app.cli.add_command(command)
    return app


def _with_the_doctor_alone() -> Flask:
    app = Flask("webapp")
    app.cli.add_command(doctor)
    return app
