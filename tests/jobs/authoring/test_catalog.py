"""The catalog: every file in the folders is a task, and none vanishes silently."""

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jobs.authoring.catalog import examine_catalog, load_catalog
from jobs.authoring.folders import OF_THE_PROJECT, package_of
from jobs.authoring.task import TaskError
from tests.support.stack import ROOT

GOOD = "from jobs import task\n\n\n@task\ndef {name}(number: int) -> int:\n    return number\n"
NOBODY = 65534


def load(*folders: Path) -> list[str]:
    return list(load_catalog(folders))


def test_adding_a_task_is_adding_a_file(tmp_path: Path) -> None:
    (tmp_path / "double.py").write_text(GOOD.format(name="double"))
    (tmp_path / "_shared.py").write_text("nothing here is a task")
    (tmp_path / ".#double.py").write_text("an editor keeps this while it has the file open")
    assert load(tmp_path) == ["double"]
    (tmp_path / "half.py").write_text(GOOD.format(name="half"))
    assert load(tmp_path) == ["double", "half"]


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
        load(tmp_path)
    assert str(refusal.value).startswith(f"{tmp_path}/broken.py:{line}: ")


def test_a_broken_file_of_the_project_is_named_from_where_the_project_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.py").write_text("x = 1\n\n1 / 0\n")
    with pytest.raises(TaskError, match=r"^broken\.py:3: ZeroDivisionError"):
        load(tmp_path)


def test_two_tasks_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(GOOD.format(name="same"))
    (tmp_path / "b.py").write_text(GOOD.format(name="same"))
    with pytest.raises(TaskError, match=r"b\.py:4: task 'same' is already defined at .*a\.py:4"):
        load(tmp_path)


def test_an_imported_task_is_not_defined_twice(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(GOOD.format(name="one"))
    other = "from .one import one\n" + GOOD.format(name="two")
    (tmp_path / "two.py").write_text(other)
    assert load(tmp_path) == ["one", "two"]


def test_a_file_that_imports_a_broken_one_is_named_with_the_line_of_the_import(tmp_path: Path) -> None:
    (tmp_path / "_helpers.py").write_text("x = 1\ny = 2\nz = (\n")
    (tmp_path / "double.py").write_text("import os\nfrom ._helpers import x\n")
    with pytest.raises(TaskError, match=r"double\.py:2: SyntaxError: .*\(_helpers\.py, line 3\)"):
        load(tmp_path)


def test_a_neighbour_that_is_not_imported_relatively_is_named_with_what_to_write(tmp_path: Path) -> None:
    (tmp_path / "_helpers.py").write_text("x = 1\n")
    (tmp_path / "double.py").write_text("import _helpers\n")
    with pytest.raises(TaskError, match=r"double\.py:1: ModuleNotFoundError: .* write from \. import _helpers"):
        load(tmp_path)


def test_one_task_in_two_folders_is_refused_with_both_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same.py").write_text(GOOD.format(name="same"))
    with pytest.raises(TaskError, match=r"b/same\.py:4: task 'same' is already defined at .*a/same\.py:4"):
        load(tmp_path / "a", tmp_path / "b")


def test_files_of_one_name_in_two_folders_stay_apart(tmp_path: Path) -> None:
    folders = [tmp_path / "a b.c/tasks", tmp_path / "größe_2d/tasks"]
    for number, folder in enumerate(folders):
        folder.mkdir(parents=True)
        (folder / "_shared.py").write_text(f"NUMBER = {number}\n")
        function = f"@task\ndef from_{number}() -> int:\n    return NUMBER\n"
        (folder / "same.py").write_text(f"from jobs import task\n\nfrom ._shared import NUMBER\n\n\n{function}")
    tasks = load_catalog(folders)
    assert [tasks[f"from_{number}"].function() for number in (0, 1)] == [0, 1]


def test_a_folder_may_be_a_package_with_code_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text("NUMBER = 7\n")
    source = "from jobs import task\n\nfrom . import NUMBER\n\n\n@task\ndef seven() -> int:\n    return NUMBER\n"
    (tmp_path / "seven.py").write_text(source)
    assert load_catalog([tmp_path])["seven"].function() == 7


def test_a_folder_that_cannot_be_imported_is_named_and_spoils_no_other(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"of_{name}.py").write_text(GOOD.format(name=f"of_{name}"))
    (tmp_path / "a" / "__init__.py").write_text("x = 1\n1 / 0\n")
    catalog, errors = examine_catalog([tmp_path / "a", tmp_path / "b"])
    assert list(catalog) == ["of_b"]
    assert [str(error) for error in errors] == [f"{tmp_path}/a/__init__.py:2: ZeroDivisionError: division by zero"]


@contextmanager
def as_nobody() -> Iterator[None]:
    """Do without the rights of root, whom no file refuses."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    yield
    os.seteuid(user)


def test_a_folder_that_cannot_be_read_is_refused_by_the_name_of_the_setting(tmp_path: Path) -> None:
    file, shut = tmp_path / "file.py", tmp_path / "shut"
    file.write_text(GOOD.format(name="file"))
    shut.mkdir(mode=0)
    for folder, reason in ((tmp_path / "none", "No such file or directory"), (file, "Not a directory")):
        with pytest.raises(TaskError, match=rf"^TASKS: {folder} cannot be read: {reason}\. Create this folder, or"):
            load(folder)
    with as_nobody(), pytest.raises(TaskError, match=rf"^TASKS: {shut} cannot be read: Permission denied"):
        load(shut)


def test_what_a_file_defines_can_be_unpickled_in_a_process_that_has_loaded_nothing(tmp_path: Path) -> None:
    source = "from dataclasses import dataclass\n\n\n@dataclass\nclass Dish:\n    name: str\n\n\n"
    (tmp_path / "dishes.py").write_text(source + GOOD.format(name="dishes"))
    dish = vars(sys.modules[load_catalog([tmp_path])["dishes"].function.__module__])["Dish"]("soup")
    command = [sys.executable, "-c", "import pickle, sys; print(pickle.load(sys.stdin.buffer))"]
    done = subprocess.run(command, cwd=ROOT, input=pickle.dumps(dish), capture_output=True)
    assert (done.stdout, done.stderr) == (b"Dish(name='soup')\n", b"")


def test_the_projects_own_folder_is_a_package_of_the_project(tmp_path: Path) -> None:
    assert package_of(OF_THE_PROJECT) == "jobs.tasks"
    (tmp_path / "link").symlink_to(OF_THE_PROJECT)
    assert package_of(tmp_path / "link") == "jobs.tasks"
