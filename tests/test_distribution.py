"""Distribution of the tests to testers, tried with a run of its own."""

import subprocess
import sys
from collections import Counter

import pytest

from tests.support.stack import ROOT

# Of one group, in two modules, are so many tests that chance would spread them; one of another group ends its tester.
MODULE = """
import os
from pathlib import Path

import pytest

def note(group):
    line = f"{group} {os.environ['PYTEST_XDIST_WORKER']}\\n"
    with Path("ran").open("a") as ran:
        ran.write(line)

@pytest.mark.parametrize("number", range(20))
def test_of_no_group(number):
    note(__name__)

@pytest.mark.xdist_group("shared")
@pytest.mark.parametrize("number", ["a@b", *range(20)])
def test_of_a_group(number):
    note("shared")
"""
ENDS_ITS_TESTER = """
@pytest.mark.xdist_group("ending")
@pytest.mark.parametrize("number", range(20))
def test_that_ends_its_tester(number):
    note("ending")
    if number == 10:
        os._exit(1)
"""
COMMAND = (sys.executable, "-m", "pytest", "-q", "--numprocesses=2", "--dist=loadgroup")
PLUGINS = ("-p", "tests.support.distribution", "-p", "no:cacheprovider")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Counter[str], str]:
    """Return how often a tester ran a test of a group, and what was printed."""
    folder = tmp_path_factory.mktemp("distributed")
    for name in ("first", "second"):
        (folder / f"test_{name}.py").write_text(MODULE + (ENDS_ITS_TESTER if name == "first" else ""))
    done = subprocess.run(
        [*COMMAND, *PLUGINS, f"--rootdir={folder}", "-c", "/dev/null", str(folder)],
        cwd=folder,
        env={"PATH": "", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return Counter((folder / "ran").read_text().splitlines()), done.stdout


def test_a_group_is_run_by_one_tester_wherever_its_tests_are(run: tuple[Counter[str], str]) -> None:
    ran, printed = run
    assert [count for who, count in ran.items() if who.startswith("shared")] == [42], printed


def test_tests_of_no_group_stay_with_their_module(run: tuple[Counter[str], str]) -> None:
    ran, printed = run
    assert [count for who, count in ran.items() if who.startswith("test_")] == [20, 20], printed


def test_a_test_that_ends_its_tester_is_named_and_all_others_run_once(run: tuple[Counter[str], str]) -> None:
    ran, printed = run
    assert sum(count for who, count in ran.items() if who.startswith("ending")) == 20, printed
    assert "crashed while running 'test_first.py::test_that_ends_its_tester@ending[10]'" in printed
    assert "1 failed, 101 passed" in printed
