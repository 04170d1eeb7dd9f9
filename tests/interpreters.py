"""`make interpreters`: install, start, use and stop the application with every Python from 3.11 on that is found here.

Interpreters are looked for on PATH and where pyenv keeps them; arguments name further ones. There is no compiler for
them, because an owner may have none. Prints a table of seconds; the exit code is 1 if one did not get to its end.
"""

import contextlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.support.html_form import sent_by
from tests.support.person import Person
from tests.support.stack import ROOT, Stack
from tests.support.waiting import until

MINORS = range(11, 16)
NO_COMPILER = {"CC": "/bin/false", "CXX": "/bin/false"}
# Run with their examples; each needs compiled packages of its own.
TASKS = ("factorise", "principal_components", "pdf_report", "convert_images")


class Attempt:
    """One interpreter's environment and application, in a folder."""

    def __init__(self, python: Path, folder: Path, ending: contextlib.ExitStack) -> None:
        self._python = python
        self._ending = ending
        self._environment = folder / "environment"
        data = folder / "data"
        data.mkdir()
        self._stack = Stack(data, TASKS=str(ROOT / "jobs" / "tasks"))
        self._stack.python = str(self._environment / "bin" / "python")

    def install(self) -> None:
        _run(self._python, "-m", "venv", self._environment)
        _run(self._stack.python, "-m", "pip", "install", "--quiet", "--requirement", ROOT / "requirements.txt")

    def start(self) -> None:
        self._stack.start()
        self._ending.callback(self._stack.stop)

    def use(self) -> None:
        """Run tasks with their examples, as a person does."""
        person = Person(self._stack.url, "somebody@example.com")
        for task in TASKS:
            (form,) = person.example(task).select("#task-form")
            page = f"/runs/{person.submit_all(task, sent_by(form))}"
            until(partial(_succeeded, person, page), f"the end of {task}")

    def stop(self) -> None:
        assert self._stack.stop() == 0, self._stack.output

    @property
    def steps(self) -> tuple[Callable[[], None], ...]:
        return (self.install, self.start, self.use, self.stop)


def main() -> int:
    pythons = list(dict.fromkeys([*map(Path, sys.argv[1:]), *_on_path(), *_of_pyenv()]))
    print(f"{platform.system()} {platform.machine()}; seconds to install, start, use and stop")
    return 0 if all([_succeeds(python) for python in pythons]) else 1


def _succeeds(python: Path) -> bool:
    """Try an interpreter, and print its row of the table."""
    version = _run(python, "-c", "import platform; print(platform.python_version())").strip()
    print(f"{version:8}", end="", flush=True)
    with tempfile.TemporaryDirectory(prefix="dumbwaiter-") as folder, contextlib.ExitStack() as ending:
        for step in Attempt(python, Path(folder), ending).steps:
            begun = time.monotonic()
            try:
                step()
            except Exception as error:
                print(f"  {step.__name__} failed: {error}", flush=True)
                return False
            print(f"{time.monotonic() - begun:8.1f}", end="", flush=True)
    print(f"  {python}", flush=True)
    return True


def _succeeded(person: Person, page: str) -> bool:
    return bool(person.get(page).select("[data-state=succeeded]"))


def _on_path() -> Iterator[Path]:
    for minor in MINORS:
        found = shutil.which(f"python3.{minor}")
        if found and "shims" not in Path(found).parts:  # pyenv's shims stand for what is found below
            yield Path(found)


def _of_pyenv() -> Iterator[Path]:
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for minor in MINORS:
        yield from sorted(root.glob(f"versions/3.{minor}.*/bin/python"))


def _run(*command: str | Path) -> str:
    """Run a command without a compiler. Raises RuntimeError with the end of what it says."""
    done = subprocess.run(command, env={**os.environ, **NO_COMPILER}, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError((done.stderr or done.stdout).strip()[-1000:])
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
