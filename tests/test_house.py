"""The house itself: imports run one way, files stay small, and nothing happens at import."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LONGEST_FILE = 300
LONGEST_TEMPLATE = 60
# Each room, and the rooms it may import from.
ROOMS = {"config": set[str](), "jobs": {"config"}, "webapp": {"config", "jobs"}}


def python_files(room: str) -> list[Path]:
    return [ROOT / f"{room}.py"] if room == "config" else sorted((ROOT / room).rglob("*.py"))


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("room", ROOMS)
def test_imports_run_one_way(room: str) -> None:
    for path in python_files(room):
        others = {name.partition(".")[0] for name in imported(path)} & set(ROOMS) - {room}
        assert others <= ROOMS[room], f"{path} imports {others - ROOMS[room]}"


def test_what_a_task_file_imports_brings_nothing_of_the_server() -> None:
    heavy = ("sqlalchemy", "rq", "redis", "cryptography", "PIL", "config")
    program = f"import sys, jobs; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_jobs_knows_neither_flask_nor_templates() -> None:
    for path in python_files("jobs"):
        assert not {name.partition(".")[0] for name in imported(path)} & {"flask", "jinja2", "flask_login", "gevent"}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def needed(path: Path, modules: set[str]) -> set[str]:
    """The modules of ours a file needs; `from jobs import lease` needs the file lease, not the whole package."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= (inside & modules) or {str(node.module)}
    return names & modules


def test_modules_import_each_other_without_a_cycle() -> None:
    paths = {module_name(path): path for room in ROOMS for path in python_files(room)}
    graph = {name: needed(path, set(paths)) for name, path in paths.items()}
    assert list(TopologicalSorter(graph).static_order())


def test_no_file_is_too_long_to_read() -> None:
    tracked = [path for room in (*ROOMS, "tests", "benchmarks") for path in python_files(room)]
    assert {str(path): n for path in tracked if (n := len(path.read_text().splitlines())) > LONGEST_FILE} == {}
    templates = (ROOT / "templates").rglob("*.html")
    assert {str(path): n for path in templates if (n := len(path.read_text().splitlines())) > LONGEST_TEMPLATE} == {}


def test_importing_the_application_needs_no_environment_and_starts_no_thread() -> None:
    program = (
        "import os; os.environ['PORT'] = 'nonsense'; import webapp, jobs, threading; print(threading.active_count())"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_pinned_requirements_name_no_index() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text()
        assert "index-url" not in text
        assert "://" not in text
        pins = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
        assert pins
        assert all("==" in line for line in pins)
