"""The house itself: imports run one way, files stay small, and nothing happens at import."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LONGEST_FILE = 300
LONGEST_CONFIG = 370  # all settings are in one file
LONGEST_TEMPLATE = 60
# Each room, and the rooms it may import from.
ROOMS = {"config": set[str](), "jobs": {"config"}, "webapp": {"config", "jobs"}}
# The rooms of each package, and those beneath each.
ROOMS_WITHIN = {
    "jobs.values": set[str](),
    "jobs.authoring": {"values"},
    "jobs.storage": {"values"},
    "jobs.runs": {"values", "authoring", "storage"},
    "jobs.worker": {"logs", "task_user", "values", "authoring", "storage", "runs"},
    "webapp.accounts": {"connections", "current", "rights", "security", "threads", "rendering"},
    "webapp.admin": {"current", "rights", "accounts", "rendering", "server"},
    "webapp.rendering": {"current", "rights", "threads"},
    "webapp.forms": {"rendering"},
    "webapp.runs": {"current", "rights", "threads", "accounts", "rendering", "forms"},
    "webapp.sharing": {"connections", "converters", "current", "rights", "accounts", "rendering", "runs"},
    "webapp.tasks": {"current", "rights", "rendering", "forms", "runs"},
    "webapp.live": {"connections", "current", "rights", "accounts", "rendering", "runs"},
    "webapp.api": {
        *("current", "problems", "rights", "security", "accounts", "rendering", "forms", "runs", "sharing", "live"),
    },
    "webapp.server": {"accounts", "security", "rendering", "tasks"},
    "webapp.commands": {"current", "security", "accounts", "rendering", "forms", "runs", "tasks", "server"},
}


def python_files(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py")) or [ROOT / f"{room}.py"]


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level and path.parent == ROOT / "jobs" / "tasks":
                continue  # another file there
            assert node.level == 0, f"{path} imports relatively"
            module = str(node.module)
            names |= {f"{module}.{alias.name}" for alias in node.names} if "." not in module else {module}
    return names


@pytest.mark.parametrize("room", ROOMS)
def test_imports_run_one_way(room: str) -> None:
    for path in python_files(room):
        others = {name.partition(".")[0] for name in imported(path)} & set(ROOMS) - {room}
        assert others <= ROOMS[room], f"{path} imports {others - ROOMS[room]}"


@pytest.mark.parametrize("place", ROOMS_WITHIN)
def test_imports_run_downwards_between_the_rooms_of_a_package(place: str) -> None:
    package, _, room = place.partition(".")
    for path in python_files(f"{package}/{room}"):
        within = {name.split(".")[1] for name in imported(path) if name.startswith(f"{package}.")} - {room}
        assert within <= ROOMS_WITHIN[place], f"{path} imports {within - ROOMS_WITHIN[place]}"


def test_webapp_imports_what_the_rooms_of_jobs_offer() -> None:
    # A face of jobs.worker would bring the server into the template process.
    for path in python_files("webapp"):
        inner = {name for name in imported(path) if name.startswith("jobs.") and name.count(".") == 2}
        assert inner <= {"jobs.worker.local"}, f"{path} imports {inner}"


@pytest.mark.parametrize("package", ["jobs", "webapp"])
def test_every_folder_is_a_room_that_is_named_above(package: str) -> None:
    folders = {f"{package}.{path.name}" for path in (ROOT / package).iterdir() if path.is_dir()}
    known = {place for place in ROOMS_WITHIN if place.startswith(f"{package}.")}
    assert folders - {f"{package}.__pycache__", "jobs.tasks"} == known


def test_every_folder_of_templates_is_a_room_of_webapp() -> None:
    """Except `_partials`, which every page uses, and `results`, to which a task may add a template of its own."""
    folders = {path.parent.name for path in (ROOT / "templates").glob("*/*.html")} - {"_partials", "results"}
    assert {f"webapp.{folder}" for folder in folders} <= set(ROOMS_WITHIN)


def test_what_a_task_file_imports_brings_nothing_of_the_server() -> None:
    assert brought_in("import jobs", "sqlalchemy", "rq", "redis", "cryptography", "PIL", "config") == ""


def brought_in(program: str, *names: str) -> str:
    """Return which of the modules a program has imported."""
    tail = f"; import sys; print(*(name for name in {names} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program + tail], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_what_only_starts_and_watches_the_others_imports_nothing_of_the_application() -> None:
    """These two processes stay as long as the application, and would hold its memory once more."""
    ours = ("config", "jobs", "webapp.application")
    heavy = ("pydantic", "flask", "sqlalchemy", "alembic", "rq", "redis", "cryptography")
    assert brought_in("import webapp.server.serve", *ours, *heavy, "gevent", "http.client", "inspect") == ""
    assert brought_in("import runpy; runpy.run_path('gunicorn.conf.py')", *ours, *heavy, "webapp") == ""


def test_nobody_imports_the_dialects_of_a_database_that_is_not_used() -> None:
    program = "import webapp.application, jobs.__main__"
    assert brought_in(program, "sqlalchemy.dialects.postgresql", "psycopg") == ""


def test_nothing_but_the_tests_of_the_example_tasks_imports_them() -> None:
    """An owner can delete both."""
    for path in [path for room in (*ROOMS, "tests", "benchmarks") for path in python_files(room)]:
        if path.parent not in (ROOT / "jobs" / "tasks", ROOT / "tests" / "tasks"):
            assert not {name for name in imported(path) if name.startswith("jobs.tasks")}, f"{path} imports them"


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
    lengths = {path: len(path.read_text().splitlines()) for path in tracked}
    assert lengths.pop(ROOT / "config.py") <= LONGEST_CONFIG
    assert {str(path): length for path, length in lengths.items() if length > LONGEST_FILE} == {}
    templates = (ROOT / "templates").rglob("*.html")
    assert {str(path): n for path in templates if (n := len(path.read_text().splitlines())) > LONGEST_TEMPLATE} == {}


def sentences_in(path: Path) -> list[str]:
    """Return the sentences among a module's texts, without docstrings."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and id(node) not in docstrings]
    return [text for text in texts if isinstance(text, str) and re.fullmatch(r"[A-Z].* .*[.?!]", text)]


def test_messages_for_users_are_in_the_catalogue_of_their_room() -> None:
    pages = [path for path in python_files("webapp") if path.parent.name not in ("commands", "server")]
    elsewhere = {path.name for path in pages if path.name != "messages.py" and sentences_in(path)}
    # The description of the API is nothing but messages.
    assert elsewhere == {"openapi.py", "operations.py", "schemas.py"}


def test_importing_the_application_needs_no_environment_and_starts_no_thread() -> None:
    imports = "import os; os.environ['PORT'] = 'nonsense'; import webapp.application, jobs, threading"
    program = f"{imports}; print(threading.active_count())"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_pinned_requirements_name_no_index() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text()
        assert "index-url" not in text
        assert "://" not in text
        pins = [line for line in text.splitlines() if line and line[0] not in " #"]
        assert pins
        assert all("==" in line for line in pins)
