"""The Python client, downloaded from the application, checked, and run in an environment without any package."""

import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.support.person import Person
from tests.support.stack import Stack
from tests.support.visitor import PASSWORD

DOCUMENT = Path(__file__).parent.parent / "docs/api.md"
SIGN_IN = """
import json, urllib.request
body = json.dumps({{"email": "{email}", "password": "{password}"}}).encode()
request = urllib.request.Request("{url}/api/v1/tokens", body, {{"Content-Type": "application/json"}})
from dumbwaiter import *
dw = Dumbwaiter("{url}", json.load(urllib.request.urlopen(request))["token"])
"""


@pytest.fixture
def folder(tmp_path: Path, stack: Stack) -> Path:
    """A folder with the client and an empty environment."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "empty")], check=True)
    with urllib.request.urlopen(f"{stack.url}/api/client.py") as answer:
        (tmp_path / "dumbwaiter.py").write_bytes(answer.read())
    return tmp_path


def run(folder: Path, person: Person, program: str) -> str:
    begin = SIGN_IN.format(url=person.url, email=person.email, password=PASSWORD)
    (folder / "program.py").write_text(begin + program)
    done = subprocess.run(
        ["empty/bin/python", "program.py"],
        cwd=folder,
        env={},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_client_and_the_documented_program_have_types(folder: Path) -> None:
    program, *_receiver = re.findall("```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    (folder / "program.py").write_text(program)
    strict = [sys.executable, "-m", "mypy", "--strict", "--cache-dir=/dev/null", "dumbwaiter.py", "program.py"]
    checked = subprocess.run(strict, cwd=folder, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_run_is_started_and_its_result_returned(folder: Path, ada: Person) -> None:
    assert run(folder, ada, "print(dw.run('reverse_text', text='stressed').result(timeout=60))") == "desserts"


def test_a_refused_parameter_is_named(folder: Path, ada: Person) -> None:
    program = "try: dw.run('reverse_text', text='')\nexcept ApiError as error: print(error.status, *error.errors)"
    assert run(folder, ada, program) == "422 /text"


def test_a_file_is_uploaded_and_a_file_of_the_result_saved(folder: Path, ada: Person) -> None:
    (folder / "soup.txt").write_text("soup of the day, soup")
    program = "from pathlib import Path\nprint(dw.run('count_words', texts=[Path('soup.txt')]).result(timeout=60))"
    assert "soup" in run(folder, ada, program)
    picture = "dw.run('mandelbrot', zoom=0, iterations=50).result(timeout=60).save('picture.png')"
    run(folder, ada, picture)
    assert (folder / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_progress_is_reported_and_a_run_is_found_again_by_its_id(folder: Path, ada: Person) -> None:
    program = """
run = dw.run("estimate_pi", samples=200_000)
seen = []
run.wait(60, lambda fraction, note: seen.append(fraction))
print(dw.get(run.id).state, seen[-1])
"""
    assert run(folder, ada, program) == "succeeded 1.0"


def test_a_cancelled_run_has_no_result(folder: Path, ada: Person) -> None:
    program = """
run = dw.run("mandelbrot", iterations=20_000)
run.cancel()
try: run.result(timeout=60)
except RunFailed as failed: print(failed.run.state)
"""
    assert run(folder, ada, program) == "cancelled"
