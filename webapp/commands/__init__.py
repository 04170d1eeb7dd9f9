"""The commands of `flask`: `flask task ...`, `flask admin ...`, `flask doctor`."""

import click
from flask import Flask

import config
import webapp
from jobs import open_backend
from webapp.commands.admin import admin
from webapp.commands.catalog import usable
from webapp.commands.doctor import doctor
from webapp.commands.task import task


def create_app() -> Flask:
    """The application for commands: with those tasks that can be used; what is wrong with the others is printed.

    With settings that are wrong the doctor alone is there.
    """
    try:
        settings = config.load()
    except config.ConfigError as error:
        click.secho(f"{error}\nUntil this is right there is `flask doctor` only.", err=True, fg="red")
        app = Flask("webapp")
        app.cli.add_command(doctor)
        return app
    catalog, errors = usable()
    for wrong in errors:
        click.secho(str(wrong), err=True, fg="red")
    app = webapp.create_app(open_backend(settings, catalog))
    for command in (admin, doctor, task):
        app.cli.add_command(command)
    return app
