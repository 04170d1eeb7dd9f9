"""The version of a task's code: a digest of its file and of all that it imports from the project, and the commit.

What it imports is read in the sources, so that every process finds the same version without importing anything.
Python's own modules, installed packages and this application's own code do not count, and neither do files of data.
"""

import ast
import hashlib
import sysconfig
from collections.abc import Iterator
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path

LENGTH = 12
OURS = Path(__file__).parents[2]
INSTALLED = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]


@cache
def code_version(path: str) -> str:
    """Return the version of the task file at a path, with the commit after a space if the file is in a repository.

    The version is as of the first call, because later changes of the files change nothing in this process.
    """
    found: dict[Path, bytes] = {}
    _collect(Path(path), found)
    digest = hashlib.sha256()
    for one in sorted(found, key=lambda file: (file.name, found[file])):
        digest.update(hashlib.sha256(found[one]).digest() + one.name.encode(errors="replace"))
    return f"{digest.hexdigest()[:LENGTH]} {_commit(Path(path).parent)}".strip()


def _collect(path: Path, found: dict[Path, bytes]) -> None:
    if path in found:
        return
    try:
        found[path] = path.read_bytes()
        tree = ast.parse(found[path])
    except (OSError, SyntaxError, ValueError):
        return  # an import that may fail
    for one in _imported(path, tree):
        _collect(one, found)


def _imported(path: Path, tree: ast.AST) -> Iterator[Path]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files(alias.name.split("."), None)
        elif isinstance(node, ast.ImportFrom):
            folder = str(path.parents[node.level - 1]) if 0 < node.level <= len(path.parents) else None
            steps = node.module.split(".") if node.module else []
            for alias in node.names:
                yield from _files([*steps, alias.name], folder)


def _files(steps: list[str], folder: str | None) -> Iterator[Path]:
    """Yield the files of the project that an import of a dotted name executes; its last step may be no module."""
    places = None if folder is None else [folder]
    for step in steps:
        try:
            spec = PathFinder.find_spec(step, places)
        except (ImportError, ValueError):
            return
        if spec is None:
            return
        if spec.has_location and spec.origin and spec.origin.endswith(".py"):
            origin = Path(spec.origin)
            if _is_installed(origin):
                return
            if not _is_framework(origin):
                yield origin
        if spec.submodule_search_locations is None:
            return
        places = list(spec.submodule_search_locations)


def _is_installed(path: Path) -> bool:
    return "site-packages" in path.parts or any(path.is_relative_to(place) for place in INSTALLED)


def _is_framework(path: Path) -> bool:
    ours = any(path.is_relative_to(OURS / name) for name in ("config.py", "webapp", "jobs"))
    return ours and not path.is_relative_to(OURS / "jobs" / "tasks")


@cache
def _commit(folder: Path) -> str:
    """Return the commit of the repository that a folder is in, as its files say, or an empty string."""
    git = next((one / ".git" for one in (folder, *folder.parents) if (one / ".git").exists()), None)
    try:
        return _head(git)[:40] if git else ""
    except (OSError, ValueError):
        return ""


def _head(git: Path) -> str:
    if git.is_file():  # a worktree
        git = (git.parent / git.read_text().removeprefix("gitdir:").strip()).resolve()
    head = (git / "HEAD").read_text().strip()
    if not head.startswith("ref: "):
        return head
    ref = head.removeprefix("ref: ")
    common = git / (git / "commondir").read_text().strip() if (git / "commondir").exists() else git
    if (common / ref).exists():
        return (common / ref).read_text().strip()
    packed = (line.split(" ") for line in (common / "packed-refs").read_text().splitlines() if line[:1] not in "#^")
    return next((commit for commit, name in packed if name == ref), "")
