"""Discover the tasks in the folders of TASKS. To add a task, add a file there."""

import contextlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType

from jobs.authoring.folders import package_of
from jobs.authoring.task import Task, TaskError, readable


class FolderError(TaskError):
    """A folder of TASKS that cannot be read."""


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


def load_catalog(folders: Sequence[Path]) -> Catalog:
    """Import every file in the folders whose name starts with neither _ nor a dot, and return the tasks defined there.

    Raises TaskError, with file and line, when a folder or file cannot be imported, a file defines no task, or two tasks
    have the same name.
    """
    catalog, errors = examine_catalog(folders)
    if errors:
        raise errors[0]
    return catalog


def examine_catalog(folders: Sequence[Path]) -> tuple[Catalog, list[TaskError]]:
    """Return the tasks of all valid files, and one error for each invalid folder and file."""
    found: dict[str, Task] = {}
    errors = []
    for folder in folders:
        try:
            package, paths = _open(folder)
        except TaskError as error:
            errors.append(error)
            continue
        for path in paths:
            try:
                _add(found, path, f"{package}.{path.stem}")
            except TaskError as error:
                errors.append(error)
    return Catalog(found), errors


def errors_that_stop(catalog: Catalog, errors: Sequence[TaskError]) -> list[TaskError]:
    """Return the errors that must stop a start: unreadable folders, and all if no task is left.

    Any other error concerns one file, and the tasks of the other files can be run.
    """
    return [error for error in errors if isinstance(error, FolderError) or not catalog]


def _open(folder: Path) -> tuple[str, list[Path]]:
    """Import a folder's package, and return its name and the files that define tasks."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        reason = f"{readable(str(folder))} cannot be read: {error.strerror}"
        raise FolderError(f"TASKS: {reason}. Create this folder, or name another one.") from error
    importlib.invalidate_caches()  # a file that has just been written may not be in them
    package = package_of(folder)
    with _naming(folder / "__init__.py"):
        importlib.import_module(package)
    return package, [folder / name for name in names if name.endswith(".py") and name[0] not in "_."]


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
        with _naming(path):
            spec.loader.exec_module(module)
    except TaskError:
        del sys.modules[name]
        raise
    return module


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn any error of a file's import into a TaskError with the file and line."""
    try:
        yield
    except TaskError:
        raise
    except (Exception, SystemExit) as error:  # a script that calls sys.exit() must not stop the importer
        place = f"{readable(str(path))}:{_line(path, error)}"
        raise TaskError(f"{place}: {type(error).__name__}: {error}{_advice(path, error)}") from error


def _advice(path: Path, error: BaseException) -> str:
    name = error.name if isinstance(error, ModuleNotFoundError) else None
    beside = name is not None and path.with_name(f"{name}.py").exists()
    return f". It is beside this file: write from . import {name}, or from .{name} import ..." if beside else ""


def _line(path: Path, error: BaseException) -> int:
    if isinstance(error, SyntaxError) and error.lineno and error.filename == str(path):
        return error.lineno
    inside = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return (inside[-1] if inside else 1) or 1
