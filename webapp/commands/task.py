"""`flask task ...`: create, list, run and submit tasks."""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import click
from flask.cli import AppGroup, ScriptInfo, with_appcontext

import config
from jobs import File
from jobs.authoring import MB, Catalog, Task, TaskError
from jobs.runs import OutputKind, QuotaExceeded, Run, State, TooManyRuns, caps, note_uploads, owned, read_output
from jobs.storage import FileStore, LocalStore
from jobs.values import Failure, Outcome, RunFile, Success, media_type_of
from jobs.worker.local import run_here
from webapp.accounts import users
from webapp.accounts.users import Account
from webapp.commands import arguments, scaffold
from webapp.commands.saving import SAVE, save
from webapp.commands.secrets import secrets_for
from webapp.commands.terminal import Terminal, show_notes, show_result
from webapp.current import backend, backend_of
from webapp.rendering.files import safe_filename
from webapp.runs.known_tasks import submit_recorded

LOOK_SECONDS = 0.2

task = AppGroup("task", help="Create, list, run and submit tasks.")


class OnePerTask(click.Group):
    """A group with a command for each task, whose options are the fields of the task's form."""

    def __init__(self, callback: Callable[..., None], *options: click.Parameter, **attributes: Any) -> None:
        super().__init__(subcommand_metavar="NAME [OPTIONS]", **attributes)
        self._callback = callback
        self._options = options

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_catalog(ctx))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not args[0].startswith("-") and args[0] not in _catalog(ctx):
            ctx.fail(f"No task named {args[0]!r}. List the available tasks with flask task list.")
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = _catalog(ctx).get(cmd_name)
        if found is None:
            return None
        options = [*arguments.options_of(found), *self._options]
        callback = with_appcontext(partial(self._callback, found))
        return click.Command(cmd_name, params=options, help=found.description, callback=callback)


def _catalog(ctx: click.Context) -> Catalog:
    return backend_of(ctx.ensure_object(ScriptInfo).load_app()).catalog


@task.command("list")
def show() -> None:
    """List the tasks with name, description and location."""
    tasks = list(backend().catalog.values())
    widths = [max((len(text) for text in column), default=0) for column in zip(*map(_columns, tasks), strict=True)]
    for one in tasks:
        cells = (text.ljust(width) for text, width in zip(_columns(one), widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _columns(one: Task) -> tuple[str, str, str]:
    return one.name, one.description, one.source


@task.command("new", with_appcontext=False)
@click.argument("name")
def new(name: str) -> None:
    """Create a new task and its test, in the first folder of TASKS."""
    try:
        file, test = scaffold.write(name, config.load().tasks)
    except (config.ConfigError, scaffold.CannotWrite) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Created {file}")
    click.echo(f"Created {test}")
    click.echo(f"Test it: {scaffold.command_for(test)}")
    click.echo(f"Its page is /tasks/{name}. A running `make run` reloads it automatically after each change.")
    click.echo("docs/tasks.md describes the types of parameters and results.")


def _run(found: Task, **given: Any) -> None:
    targets, example = given.pop("save_to"), _example(found) if given.pop("on_example") else {}
    secrets = secrets_for(found)
    terminal = Terminal()
    with tempfile.TemporaryDirectory() as folder:
        files = FileStore(LocalStore(Path(folder)))
        for file in found.example_files if example else ():
            with file.open() as stream:
                files.put(stream)
        parameters = arguments.read(found, given, partial(_keep, files), example)
        with terminal.stopping_at_ctrl_c():
            outcome = run_here(found, parameters, files, terminal, secrets)
        terminal.close()
        _show_outcome(outcome, files, targets)


def _example(found: Task) -> Mapping[str, Any]:
    if not found.example:
        raise click.UsageError(f"{found.name} has no example. Pass its parameters as options.")
    return found.example


def _keep(store: FileStore, path: Path) -> File:
    with path.open("rb") as stream:
        stored, name = store.put(stream), safe_filename(path.name)
    return File(name, stored.size, stored.sha256, media_type_of(name))


def _keep_for(owner_id: int, path: Path) -> File:
    file, most = _keep(backend().files, path), caps.quota_bytes(backend().database, backend().settings, owner_id)
    noted = RunFile(file.sha256, file.size, file.name, file.media_type)
    try:
        note_uploads(backend().database, owner_id, [noted], most)
    except QuotaExceeded:
        raise click.ClickException(f"Not enough space for {path}: each user's limit is {most // MB:,} MB.") from None
    return file


def _show_outcome(outcome: Outcome, files: FileStore, targets: Sequence[BinaryIO]) -> None:
    match outcome:
        case Success(result, notes):
            show_notes(notes)
            if save(result, files, targets):
                show_result(result)
        case Failure(kind, message, traceback):
            raise click.ClickException(f"{kind}: {message}\n{traceback or ''}".rstrip())
        case _:
            raise click.ClickException("Stopped.")


EXAMPLE = click.Option(["--example", "on_example"], is_flag=True, help="Use the task's example for missing options.")
HELP = "Run a task in this process, without queue and workers. Nothing is stored."
task.add_command(OnePerTask(_run, SAVE, EXAMPLE, name="run", help=HELP))


def _submit(found: Task, **given: Any) -> None:
    email, follow = given.pop("as_owner"), given.pop("follow")
    owner = _owner(email)
    parameters = arguments.read(found, given, partial(_keep_for, owner.id))
    try:
        run, existing = submit_recorded(found, owner.id, parameters)
    except (TaskError, TooManyRuns) as error:
        raise click.ClickException(str(error)) from None
    verb = "was there already" if existing else "submitted"
    click.echo(f"Run {run.id} {verb}. Its page is /runs/{run.id}.", err=True)
    if follow:
        _show_end(_follow(run))


def _owner(email: str) -> Account:
    owner = users.with_email(backend().database, email)
    if owner is None:
        raise click.ClickException(f"No account found for {email}. Register it first.")
    if not owner.is_active:
        address = owner.email
        raise click.ClickException(f"The account {address} is disabled. Enable it with flask admin enable {address}.")
    return owner


OPTIONS = (
    click.Option(["--as", "as_owner"], required=True, metavar="EMAIL", help="The user who owns the run."),
    click.Option(["--follow"], is_flag=True, help="Show progress and output until the run ends, then its result."),
)
task.add_command(OnePerTask(_submit, *OPTIONS, name="submit", help="Submit a run to the queue, as the form does."))


def _follow(run: Run) -> Run:
    """Show a run's progress and output until it ends, and return the ended run."""
    terminal, after = Terminal(), dict.fromkeys(OutputKind, 0)
    while True:
        with backend().database.read() as session:
            now = owned(session, run.owner_id, run.id)
        if now is None:
            raise click.ClickException("The run has been deleted.")
        for kind in OutputKind:
            for batch in read_output(backend().database, run.id, kind, after[kind]).finished:
                after[kind] = batch.end - 1
                for entry in batch.entries:
                    terminal.entry(kind, entry)
        if now.state.ended:
            terminal.close()
            return now
        terminal.progress(now.progress, now.progress_note or now.state)
        time.sleep(LOOK_SECONDS)


def _show_end(run: Run) -> None:
    if run.state is State.SUCCEEDED:
        show_notes(run.notes or ())
        show_result(run.result)
    elif run.state is State.FAILED:
        raise click.ClickException(f"{run.error_kind}: {run.error_message}\n{run.error_traceback or ''}".rstrip())
    else:
        raise click.ClickException("The run was cancelled.")
