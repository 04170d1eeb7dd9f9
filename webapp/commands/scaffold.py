"""The files that `flask task new` creates: a working task and its test."""

import keyword
import re
from pathlib import Path

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


def test_it_says_the_text_as_often_as_asked() -> None:
    assert {name}("ha", 3, progress=Progress()) == "ha ha ha"


def test_it_runs_as_its_users_run_it(run_task: RunTask) -> None:
    run = run_task({name}, text="ha", times=2)
    assert (run.state, run.result, run.error) == (State.SUCCEEDED, "ha ha", None)
"""


class CannotWrite(Exception):
    """The files of a new task cannot be created; the message says what to do."""


def write(name: str, root: Path = ROOT) -> list[Path]:
    """Create the files of a new task and return their paths, relative to `root`.

    Raises CannotWrite if the name is invalid or a file already exists.
    """
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise CannotWrite(f"{name!r} is not a valid task name. Use lowercase letters, digits and _: resize_images.")
    texts = {Path("jobs/tasks", f"{name}.py"): TASK, Path("tests/tasks", f"test_{name}.py"): TEST}
    for path in texts:
        if (root / path).exists():
            raise CannotWrite(f"{path} already exists. Choose another name.")
    title = name.replace("_", " ").strip().capitalize()
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text.format(name=name, title=title))
    return list(texts)
