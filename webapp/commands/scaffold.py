"""The files that `flask task new` creates: a working task and its test."""

import keyword
import re
from collections.abc import Sequence
from pathlib import Path

from jobs.values import label_of

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"[a-z][a-z0-9_]{0,99}", re.ASCII)

TASK = '''\
"""{title}."""

from typing import Annotated

from pydantic import Field

from jobs import Progress, task


@task(example={{"text": "ha"}})
def {name}(
    text: Annotated[str, Field(min_length=1, max_length=200, description="The text to repeat.")],
    times: Annotated[int, Field(ge=1, le=100)] = 3,
    *,
    progress: Progress,
) -> str:
    """Repeat a text."""
    words = []
    for number in range(1, times + 1):
        words.append(text)
        progress(number / times, f"{{number}} of {{times}}")
    return " ".join(words)
'''

TEST = """\
from jobs import Progress
from jobs.runs import State
from jobs.tasks.{name} import {name}
from tests.support.run_task import RunTask
{tests}"""

# A folder elsewhere is no package that a test could import from by a fixed name.
TEST_ELSEWHERE = """\
from pathlib import Path

from jobs import Progress
from jobs.authoring import load_catalog
from jobs.runs import State
from tests.support.run_task import RunTask

{name} = load_catalog([Path(__file__).parents[1]])["{name}"].function
{tests}"""

TESTS = """

def test_it_says_the_text_as_often_as_asked() -> None:
    assert {name}("ha", 3, progress=Progress()) == "ha ha ha"


def test_it_runs_as_its_users_run_it(run_task: RunTask) -> None:
    run = run_task({name}, text="ha", times=2)
    assert (run.state, run.result, run.error) == (State.SUCCEEDED, "ha ha", None)
"""


class CannotWrite(Exception):
    """The files of a new task cannot be created; the message says what to do."""


def write(name: str, folders: Sequence[Path], root: Path = ROOT) -> list[Path]:
    """Create a new task in the first of the folders, and its test; return their paths.

    Paths inside `root` are relative to it. Raises CannotWrite if the name is invalid or a file already exists.
    """
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise CannotWrite(f"{name!r} is not a valid task name. Use lowercase letters, digits and _: resize_images.")
    folder, title = folders[0], label_of(name)
    if not folder.is_dir():
        raise CannotWrite(f"TASKS: there is no folder {folder}. Create it first, or name another one.")
    here = folder == root / "jobs" / "tasks"
    test = (root / "tests" / "tasks" if here else folder / "tests") / f"test_{name}.py"
    for path in (*(folder / f"{name}.py" for folder in folders), test):
        if path.exists():
            raise CannotWrite(f"{_shown(path, root)} already exists. Choose another name.")
    tests = TESTS.format(name=name)
    texts = {
        folder / f"{name}.py": TASK.format(name=name, title=title),
        test: (TEST if here else TEST_ELSEWHERE).format(name=name, tests=tests),
    }
    try:
        test.parent.mkdir(exist_ok=True)
        for path, text in texts.items():
            path.write_text(text)
    except OSError as error:
        raise CannotWrite(f"{error.filename} cannot be written: {error.strerror}.") from error
    return [_shown(path, root) for path in texts]


def command_for(test: Path) -> str:
    """Return the command that runs a test, with the fixtures of this project's tests wherever it is."""
    fixtures = "" if test.is_relative_to("tests") else "-p tests.conftest "
    return f".venv/bin/python -m pytest {fixtures}{test}"


def _shown(path: Path, root: Path) -> Path:
    return path.relative_to(root) if path.is_relative_to(root) else path
