"""The files of a new task: where they are written, and when they are not."""

from pathlib import Path

import pytest

from webapp.commands import scaffold


def test_no_file_is_written_over(tmp_path: Path) -> None:
    tasks = tmp_path / "jobs/tasks"
    for folder in (tasks, tmp_path / "tests"):
        folder.mkdir(parents=True)
    file, test = scaffold.write("shout", [tasks], tmp_path)
    assert [file, test] == [Path("jobs/tasks/shout.py"), Path("tests/tasks/test_shout.py")]
    (tmp_path / file).unlink()
    with pytest.raises(scaffold.CannotWrite, match=r"^tests/tasks/test_shout\.py already exists"):
        scaffold.write("shout", [tasks], tmp_path)
    assert not (tmp_path / file).exists()


def test_a_new_task_goes_into_the_first_folder_and_has_a_name_that_no_folder_has(tmp_path: Path) -> None:
    first, second = folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
    assert scaffold.write("shout", folders) == [first / "shout.py", first / "tests/test_shout.py"]
    with pytest.raises(scaffold.CannotWrite, match="first/shout\\.py already exists"):
        scaffold.write("shout", folders[::-1])
    assert list(second.iterdir()) == []


@pytest.mark.parametrize(
    ("test", "words"),
    [
        ("tests/tasks/test_shout.py", "pytest tests/tasks/test_shout.py"),
        ("/srv/mine/tests/test_shout.py", "pytest -p tests.conftest /srv/mine/tests/test_shout.py"),
        ("submodule/tests/test_shout.py", "pytest -p tests.conftest submodule/tests/test_shout.py"),
    ],
)
def test_a_test_elsewhere_is_run_with_the_fixtures_of_the_projects_tests(test: str, words: str) -> None:
    assert scaffold.command_for(Path(test)) == f".venv/bin/python -m {words}"


def test_a_new_task_is_not_written_where_there_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(scaffold.CannotWrite, match=f"TASKS: there is no folder {tmp_path}/none. Create it first"):
        scaffold.write("shout", [tmp_path / "none"])
    (tmp_path / "tests").write_text("a file")
    with pytest.raises(scaffold.CannotWrite, match=f"{tmp_path}/tests cannot be written: File exists"):
        scaffold.write("shout", [tmp_path])
    assert [path.name for path in tmp_path.iterdir()] == ["tests"]
