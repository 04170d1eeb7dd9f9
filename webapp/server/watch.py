"""Notices when a developer has changed a task, so that it can be taken up without a start by hand."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
WATCHED = (("jobs/tasks", "*.py"), ("templates/results", "*.html"))


class TaskFiles:
    """The files of tasks and of their results' templates."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._taken_up = self._before = self._look()

    def changed(self) -> bool:
        """Whether they differ from what was taken up last, and have been left alone since the last look."""
        now, before = self._look(), self._before
        self._before = now
        if now == self._taken_up or now != before:
            return False
        self._taken_up = now
        return True

    def problems(self) -> str:
        """What is wrong with the tasks as they are now, a line for each file; empty when nothing is."""
        command = [sys.executable, "-m", "webapp.commands.check"]
        done = subprocess.run(command, cwd=self._root, capture_output=True, text=True, check=False)
        # The problems are on standard error; tasks that print when they are imported do so on standard output.
        said = done.stderr.strip() or done.stdout.strip() or f"a file ended Python with {done.returncode}"
        return "" if done.returncode == 0 else said

    def _look(self) -> Mapping[Path, tuple[int, int]]:
        paths = [path for folder, name in WATCHED for path in (self._root / folder).rglob(name)]
        return {path: (found.st_mtime_ns, found.st_size) for path in paths if (found := _stat(path))}


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:  # an editor replaces files
        return None
