"""Serves a task's values: its images and downloads become files, alone and as parts of lists, tuples and dicts."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jobs.values.downloads import Download, DownloadStore
from jobs.values.images import ImageStore, Keep, Tile, is_image
from jobs.values.json_value import ResultError

LEAVES = (str, int, float)


class ValueStore:
    """What a task's partial results and its result pass through before they are kept as JSON."""

    def __init__(self, keep: Keep, task: str) -> None:
        self._images = ImageStore(keep, f"{task}.png")
        self._downloads = DownloadStore(keep)
        self._pid = os.getpid()

    def partial(self, value: Any) -> Any:
        """What is kept of a partial result. Raises ResultError for what cannot be kept."""
        if os.getpid() != self._pid:  # a process that the task has forked: nothing of it is heard
            return None
        if isinstance(value, Tile):
            return self._images.partial(value)
        return _each(value, lambda one: self._downloads.kept(self._images.partial(one)))

    def result(self, value: Any) -> Any:
        """What is kept of a result. Raises ResultError for what cannot be kept, and for a tile."""
        return _each(value, lambda one: self._downloads.kept(self._images.result(one)))


def without_files(value: Any) -> Any:
    """What is kept where there is no store, as of a task that is called as a plain function."""
    files = (Tile, Download, Path, bytes)
    if isinstance(value, Tile):
        return None
    return _each(value, lambda one: None if isinstance(one, files) or is_image(one) else one)


def _each(value: Any, serve: Callable[[Any], Any], within: bool = False) -> Any:
    """A value with its parts served; what refers to itself is left to whoever writes it as JSON, who says so."""
    if value is None or isinstance(value, LEAVES):
        return value
    if within and isinstance(value, Tile):
        raise ResultError("A tile is a partial result of its own: emit it alone.")
    try:
        if isinstance(value, list | tuple):
            return [_each(one, serve, within=True) for one in value]
        if isinstance(value, dict):
            return {name: _each(one, serve, within=True) for name, one in value.items()}
    except RecursionError:
        return value
    return serve(value)
