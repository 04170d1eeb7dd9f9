"""Store the images and downloads in a task's values as files, also inside lists, tuples and dicts."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jobs.values.downloads import Download, DownloadStore
from jobs.values.images import ImageStore, Keep, Tile, is_image
from jobs.values.json_value import ResultError

LEAVES = (str, int, float)


class ValueStore:
    """Replaces the files in a task's result and partial results with references."""

    def __init__(self, keep: Keep, task: str) -> None:
        self._images = ImageStore(keep, f"{task}.png")
        self._downloads = DownloadStore(keep)
        self._pid = os.getpid()

    def partial(self, value: Any) -> Any:
        """Return the form of a partial result to store. Raises ResultError for a value that cannot be stored."""
        if os.getpid() != self._pid:  # the task has forked: partial results of its children are discarded
            return None
        if isinstance(value, Tile):
            return self._images.partial(value)
        return _each(value, lambda one: self._downloads.kept(self._images.partial(one)))

    def result(self, value: Any) -> Any:
        """Return the form of a result to store. Raises ResultError for a value that cannot be stored, or a tile."""
        return _each(value, lambda one: self._downloads.kept(self._images.result(one)))


def without_files(value: Any) -> Any:
    """Return a value with its files replaced by None: used without a store, in a task called as a plain function."""
    files = (Tile, Download, Path, bytes)
    if isinstance(value, Tile):
        return None
    return _each(value, lambda one: None if isinstance(one, files) or is_image(one) else one)


def _each(value: Any, serve: Callable[[Any], Any], within: bool = False) -> Any:
    """Apply `serve` to each part of a value. A circular value is returned unchanged: encoding it as JSON reports it."""
    if value is None or isinstance(value, LEAVES):
        return value
    if within and isinstance(value, Tile):
        raise ResultError("A tile cannot be part of another value. Emit it on its own.")
    try:
        if isinstance(value, list | tuple):
            return [_each(one, serve, within=True) for one in value]
        if isinstance(value, dict):
            return {name: _each(one, serve, within=True) for name, one in value.items()}
    except RecursionError:
        return value
    return serve(value)
