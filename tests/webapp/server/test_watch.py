"""The files that a development server watches."""

from pathlib import Path

import pytest

from webapp.server.watch import TaskFiles


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("clone/templates/results", "mine/lib/deep", "mine/results", "mine/venv/lib", "mine/data"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("lib", "lib/deep"):
        (tmp_path / "mine" / name / "__init__.py").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "is_watched"),
    [
        ("mine/task.py", True),
        ("mine/_helper.py", True),
        ("mine/lib/deep/module.py", True),
        ("mine/results/task.html", True),
        ("clone/templates/results/task.html", True),
        ("mine/venv/lib/module.py", False),
        ("mine/data/table.csv", False),
    ],
)
def test_a_change_of_what_a_task_consists_of_is_noticed(root: Path, name: str, is_watched: bool) -> None:
    files = TaskFiles([str(root / "mine")], root / "clone")
    (root / name).write_text("new")
    assert not files.changed(), "it may still be being written"
    assert files.changed() is is_watched
    assert not files.changed()


@pytest.mark.parametrize(
    ("changed", "holds_up"), [("broken.py", True), ("_helper.py", True), ("lib/module.py", True), ("other.py", False)]
)
def test_a_problem_holds_up_only_a_change_that_may_have_made_it(root: Path, changed: str, holds_up: bool) -> None:
    files = TaskFiles([str(root / "mine")], root)
    (root / "mine" / changed).write_text("new")
    assert [files.changed() for _look in range(2)] == [False, True]
    assert files.hold_up("mine/broken.py:3: NameError: name 'x' is not defined") is holds_up
    files.reloaded()
    assert not files.hold_up("mine/broken.py:3: NameError: name 'x' is not defined")
