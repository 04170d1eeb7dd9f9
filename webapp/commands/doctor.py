"""`flask doctor`: looks at everything that has to be right, and says what to do about what is not."""

from collections.abc import Iterator

import click

import config
from webapp.commands import checks
from webapp.commands.checks import Finding, Weight

MARKS = {Weight.FINE: ("ok", "green"), Weight.DOUBTFUL: ("look", "yellow"), Weight.WRONG: ("wrong", "red")}


@click.command()
def doctor() -> None:
    """Say what is wrong: tasks, settings, database, Redis, workers, clocks."""
    wrong = False
    for finding in examine():
        mark, colour = MARKS[finding.weight]
        click.echo(f"{click.style(f'{mark:>5}', fg=colour)}  {finding.about}: {finding.words}")
        wrong |= finding.weight is Weight.WRONG
    if wrong:
        raise SystemExit(1)


def examine() -> Iterator[Finding]:
    """All findings; what cannot be looked at without something that is missing is left out."""
    yield from checks.tasks()
    try:
        settings = config.load()
    except config.ConfigError as error:
        yield Finding(Weight.WRONG, "settings", str(error).replace("\n", "; "))
        return
    for check in checks.ALL:
        yield from check(settings)
