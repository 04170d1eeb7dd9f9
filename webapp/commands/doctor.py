"""`flask doctor`: check the installation and say how to fix each problem."""

from collections.abc import Iterator

import click

import config
from webapp.server import checks
from webapp.server.checks import Finding, Weight

MARKS = {Weight.FINE: ("ok", "green"), Weight.DOUBTFUL: ("warn", "yellow"), Weight.WRONG: ("error", "red")}


@click.command()
def doctor() -> None:
    """Check tasks, settings, database, Redis, workers and clocks, and say how to fix problems."""
    wrong = False
    for finding in examine():
        mark, colour = MARKS[finding.weight]
        click.echo(f"{click.style(f'{mark:>5}', fg=colour)}  {finding.about}: {finding.words}")
        wrong |= finding.weight is Weight.WRONG
    if wrong:
        raise SystemExit(1)


def examine() -> Iterator[Finding]:
    """Yield all findings; if the settings are invalid, only that, because all checks need them."""
    try:
        settings = config.load()
    except config.ConfigError as error:
        yield Finding(Weight.WRONG, "settings", str(error).replace("\n", "; "))
        return
    for check in checks.ALL:
        yield from check(settings)
