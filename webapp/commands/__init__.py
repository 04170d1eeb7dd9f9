"""The commands of `flask`: `flask task ...`, `flask admin ...`, `flask doctor`."""

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
    """The application for commands: with those tasks that can be used; what is wrong with the others is printed.

    With settings that are wrong the doctor alone is there, as it is when it is asked for: it needs nothing that may be
    missing, finds by itself what would be printed here, and changes nothing.
    """
    if sys.argv[1:2] == [doctor.name]:
        return _with_the_doctor_alone()
    try:
        settings = config.load()
        catalog, errors = usable()
        app = webapp.create_app(open_backend(settings, catalog))
    except (config.ConfigError, OSError) as error:
        click.secho(f"{error}\nUntil this is right there is `flask doctor` only.", err=True, fg="red")
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
