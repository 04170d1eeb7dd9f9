"""The version of a task's code: it changes with the file and what that imports from the project, and nothing else."""

import subprocess
from pathlib import Path

import pytest

from jobs.authoring import code_version as versions
from jobs.authoring.code_version import code_version

FILES = {
    "mine.py": "import json, numpy\nfrom jobs import task\nfrom . import _near\nfrom ._package.deep import two\n",
    "_near.py": "ONE = 1\n\n\ndef later():\n    from ._lazy import x\n    return x\n",
    "_lazy.py": "x = 1\n",
    "_package/__init__.py": "",
    "_package/deep.py": "from .. import mine\nimport outside_of_it\ntwo = 2\n",
    "other.py": "unused = 1\n",
    "data.csv": "a,b\n",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path / "path")
    for name, text in {**FILES, "../path/outside_of_it.py": "three = 3\n"}.items():
        path = tmp_path / "tasks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "tasks"


def version(folder: Path) -> str:
    code_version.cache_clear()
    versions._commit.cache_clear()
    return code_version(str(folder / "mine.py"))


def test_it_changes_with_the_file_and_what_it_imports_from_the_project(folder: Path) -> None:
    seen = {version(folder)}
    for name in ("mine.py", "_near.py", "_lazy.py", "_package/__init__.py", "_package/deep.py"):
        with (folder / name).open("a") as file:
            file.write("# changed\n")
        seen.add(version(folder))
    (folder.parent / "path" / "outside_of_it.py").write_text("three = 4\n")
    seen.add(version(folder))
    assert len(seen) == 7
    assert all(len(one) == 12 for one in seen)


def test_it_stays_while_only_other_files_change_or_move(folder: Path) -> None:
    before = version(folder)
    for name in ("other.py", "data.csv"):
        (folder / name).write_text("changed\n")
    assert version(folder) == before
    moved = folder.rename(folder.parent / "elsewhere")
    assert version(moved) == before
    (moved / "_near.py").write_text("not Python at all(\n")
    assert version(moved) != before
    (moved / "_near.py").unlink()
    assert version(moved)


def test_it_names_the_commit_of_the_repository_it_is_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}.items():
        monkeypatch.setenv(name, value)

    def git(*words: str, place: Path = folder) -> str:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words]
        return subprocess.run(command, cwd=place, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q", "-b", "main")
    assert " " not in version(folder), "nothing is committed yet"
    git("add", ".")
    git("commit", "-qm", "first")
    found = version(folder).split(" ")
    assert found[1:] == [git("rev-parse", "HEAD")]
    git("pack-refs", "--all")
    assert version(folder).split(" ") == found
    git("checkout", "-q", "--detach")
    assert version(folder).split(" ") == found
    git("worktree", "add", "-q", "-b", "beside", str(folder.parent / "beside"))
    assert version(folder.parent / "beside").split(" ") == found
