"""Change detection for task files, so that developers need not restart after an edit."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


class TaskFiles:
    """The files of tasks and result templates.

    Of a folder with tasks, these are its modules, those of the packages in it, and results/*.html. Other subfolders may
    hold anything, such as a virtual environment, and are not looked at.
    """

    def __init__(self, folders: Sequence[str], root: Path = ROOT) -> None:
        self._root = root
        self._folders = [Path(folder) for folder in folders]
        self._running = self._taken_up = self._before = self._look()

    def changed(self) -> bool:
        """Return whether the files differ from the last loaded state and have not changed since the last call."""
        now, before = self._look(), self._before
        self._before = now
        if now == self._taken_up or now != before:
            return False
        self._taken_up = now
        return True

    def hold_up(self, problems: str) -> bool:
        """Return whether a problem may come from a change that is not running yet, and not from an earlier start.

        A change in a file that others import may have spoiled any of them.
        """
        both = self._taken_up.keys() | self._running.keys()
        changed = [path for path in both if self._taken_up.get(path) != self._running.get(path)]
        return any(self._is_imported(path) or f"{self._named(path)}:" in problems for path in changed)

    def reloaded(self) -> None:
        """Note that the files run as they were last seen to have changed."""
        self._running = self._taken_up

    def _is_imported(self, path: Path) -> bool:
        return path.suffix == ".py" and (path.name.startswith("_") or path.parent not in self._folders)

    def _named(self, path: Path) -> Path:
        return path.relative_to(self._root) if path.is_relative_to(self._root) else path

    def problems(self) -> str:
        """Check the current tasks and return the problems, one line per file; empty if there are none."""
        command = [sys.executable, "-m", "webapp.commands.check"]
        done = subprocess.run(command, cwd=self._root, capture_output=True, text=True, check=False)
        # Problems are written to standard error; standard output may contain what tasks print on import.
        said = done.stderr.strip() or done.stdout.strip() or f"a file ended Python with {done.returncode}"
        return "" if done.returncode == 0 else said

    def _look(self) -> Mapping[Path, tuple[int, int]]:
        paths = [*(self._root / "templates" / "results").rglob("*.html")]
        for folder in self._folders:
            paths += [*_modules(folder), *(folder / "results").rglob("*.html")]
        return {path: (found.st_mtime_ns, found.st_size) for path in paths if (found := _stat(path))}


def _modules(folder: Path) -> Iterator[Path]:
    for place, subfolders, names in os.walk(folder):
        subfolders[:] = [name for name in subfolders if Path(place, name, "__init__.py").exists()]
        yield from (Path(place, name) for name in names if name.endswith(".py"))


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:  # editors may replace a file while it is read
        return None
