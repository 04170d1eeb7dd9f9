"""The tasks found under jobs/tasks/: adding a task is adding a file there."""

import importlib.util
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

from jobs.authoring.task import Task, TaskError, readable

TASKS = Path(__file__).parents[1] / "tasks"


class Catalog(Mapping[str, Task]):
    """The tasks by name, in the order of their titles."""

    def __init__(self, tasks: Mapping[str, Task]) -> None:
        self._tasks = dict(sorted(tasks.items(), key=lambda item: item[1].title.lower()))

    def __getitem__(self, name: str) -> Task:
        return self._tasks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)


def load_catalog(folder: Path = TASKS, package: str = "jobs.tasks") -> Catalog:
    """Import every file of the folder whose name does not begin with an underscore, and collect the tasks in it.

    Raises TaskError, with file and line, for a file that cannot be imported, holds no task, or repeats a name.
    """
    catalog, errors = examine_catalog(folder, package)
    if errors:
        raise errors[0]
    return catalog


def examine_catalog(folder: Path = TASKS, package: str = "jobs.tasks") -> tuple[Catalog, list[TaskError]]:
    """The tasks of those files that can be used, and what is wrong with each of the others."""
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
        raise TaskError(f"{place}: no task here: put @task on a function, or begin the file's name with _")
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
    except (Exception, SystemExit) as error:  # a script that ends by itself must not end what imports it
        del sys.modules[name]
        place = f"{readable(str(path))}:{_line(path, error)}"
        raise TaskError(f"{place}: {type(error).__name__}: {error}") from error
    return module


def _line(path: Path, error: BaseException) -> int:
    if isinstance(error, SyntaxError) and error.lineno:
        return error.lineno
    inside = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return (inside[-1] if inside else 1) or 1
