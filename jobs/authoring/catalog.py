"""Discover the tasks in jobs/tasks/. To add a task, add a file there."""

import importlib.util
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

from jobs.authoring.task import Task, TaskError, readable

TASKS = Path(__file__).parents[1] / "tasks"


class Catalog(Mapping[str, Task]):
    """A read-only mapping from task names to tasks, sorted by title."""

    def __init__(self, tasks: Mapping[str, Task]) -> None:
        self._tasks = dict(sorted(tasks.items(), key=lambda item: item[1].title.lower()))

    def __getitem__(self, name: str) -> Task:
        return self._tasks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)


def load_catalog(folder: Path = TASKS, package: str = "jobs.tasks") -> Catalog:
    """Import every file in the folder whose name does not start with an underscore, and return the tasks defined there.

    Raises TaskError, with file and line, when a file cannot be imported, defines no task, or reuses a task name.
    """
    catalog, errors = examine_catalog(folder, package)
    if errors:
        raise errors[0]
    return catalog


def examine_catalog(folder: Path = TASKS, package: str = "jobs.tasks") -> tuple[Catalog, list[TaskError]]:
    """Return the tasks of all valid files, and one error for each invalid file."""
    found: dict[str, Task] = {}
    errors = []
    for path in sorted(folder.glob("[!_]*.py")):
        try:
            _add(found, path, f"{package}.{path.stem}")
        except TaskError as error:
            errors.append(error)
    return Catalog(found), errors


def _add(found: dict[str, Task], path: Path, name: str) -> None:
    tasks = _tasks_in(_import(path, name))
    if not tasks:
        place = f"{readable(str(path))}:1"
        raise TaskError(f"{place}: no task here: put @task on a function, or start the file name with _")
    for task in tasks:
        if task.name in found:
            raise TaskError(f"{task.source}: task {task.name!r} is already defined at {found[task.name].source}")
        found[task.name] = task


def _tasks_in(module: ModuleType) -> list[Task]:
    members = [vars(module)[name] for name in vars(module)]
    tasks = [getattr(member, "__dict__", {}).get("__task__") for member in members if callable(member)]
    return [task for task in tasks if isinstance(task, Task) and task.function.__module__ == module.__name__]


def _import(path: Path, name: str) -> ModuleType:
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except TaskError:
        del sys.modules[name]
        raise
    except (Exception, SystemExit) as error:  # a script that calls sys.exit() must not stop the importer
        del sys.modules[name]
        place = f"{readable(str(path))}:{_line(path, error)}"
        raise TaskError(f"{place}: {type(error).__name__}: {error}") from error
    return module


def _line(path: Path, error: BaseException) -> int:
    if isinstance(error, SyntaxError) and error.lineno:
        return error.lineno
    inside = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return (inside[-1] if inside else 1) or 1
