"""The catalog: every file under jobs/tasks/ is a task, and none vanishes silently."""

from pathlib import Path

import pytest

from jobs.authoring.catalog import TASKS, load_catalog
from jobs.authoring.task import TaskError

GOOD = "from jobs import task\n\n\n@task\ndef {name}(number: int) -> int:\n    return number\n"


def load(folder: Path, package: str) -> list[str]:
    return list(load_catalog(folder, package))


def test_the_shipped_tasks_are_found() -> None:
    files = {path.stem for path in TASKS.glob("[!_]*.py")}
    assert set(load_catalog()) == files > {"random_number", "reverse_text", "estimate_pi", "factorise"}


def test_adding_a_task_is_adding_a_file(tmp_path: Path) -> None:
    (tmp_path / "double.py").write_text(GOOD.format(name="double"))
    (tmp_path / "_shared.py").write_text("nothing here is a task")
    assert load(tmp_path, "added") == ["double"]


@pytest.mark.parametrize(
    ("source", "line", "words"),
    [
        ("x = 1\ndef broken(:\n    pass\n", 2, "SyntaxError"),
        ("import os\nimport does_not_exist\n", 2, "does_not_exist"),
        ("from jobs import task\n\n@task\ndef f(x):\n    return x\n", 3, "needs a type annotation"),
        ("x = 1\n\n1 / 0\n", 3, "ZeroDivisionError"),
        ("import sys\n\nsys.exit('usage')\n", 3, "SystemExit: usage"),
        ("x = 1\n", 1, "no task here"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, source: str, line: int, words: str) -> None:
    (tmp_path / "broken.py").write_text(source)
    with pytest.raises(TaskError, match=words) as refusal:
        load(tmp_path, f"broken_{line}_{len(source)}")
    assert str(refusal.value).startswith(f"{tmp_path}/broken.py:{line}: ")


def test_a_broken_file_of_the_project_is_named_from_where_the_project_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.py").write_text("x = 1\n\n1 / 0\n")
    with pytest.raises(TaskError, match=r"^broken\.py:3: ZeroDivisionError"):
        load(tmp_path, "nearby")


def test_two_tasks_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(GOOD.format(name="same"))
    (tmp_path / "b.py").write_text(GOOD.format(name="same"))
    with pytest.raises(TaskError, match=r"b\.py:4: task 'same' is already defined at .*a\.py:4"):
        load(tmp_path, "twice")


def test_an_imported_task_is_not_defined_twice(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(GOOD.format(name="one"))
    other = "from imported.one import one\n" + GOOD.format(name="two")
    (tmp_path / "two.py").write_text(other)
    assert load(tmp_path, "imported") == ["one", "two"]
