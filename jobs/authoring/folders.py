"""The folders that hold task files; each is a package, so that its files can import each other.

The project's own folder is the package `jobs.tasks`. Any other folder is a package of this module, named after its
path: /srv/mine is `jobs.authoring.folders._2fsrv_2fmine`. The name alone is enough to import it. So it needs no place
on sys.path, two folders never share a module, and a process that a task starts with multiprocessing can unpickle
objects whose class is defined in a task file.
"""

import importlib.util
import os
import re
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

OF_THE_PROJECT = Path(__file__).parents[1] / "tasks"

__path__: list[str] = []  # makes this module a package; the finder below finds what is in it


def package_of(folder: Path) -> str:
    """Return the name of the package that an absolute path of a folder is imported as."""
    if os.path.realpath(folder) == os.path.realpath(OF_THE_PROJECT):
        return "jobs.tasks"
    return f"{__name__}.{_encoded(folder)}"


def _encoded(folder: Path) -> str:
    return re.sub(rb"[^a-zA-Z0-9]", lambda found: b"_%02x" % found[0][0], os.fsencode(folder)).decode()


def _decoded(name: str) -> Path:
    return Path(os.fsdecode(re.sub(rb"_([0-9a-f]{2})", lambda found: bytes.fromhex(found[1].decode()), name.encode())))


class FolderFinder:
    """Finds the packages of folders, in addition to the finders in sys.meta_path."""

    @staticmethod
    def find_spec(name: str, _path: Sequence[str] | None, _target: ModuleType | None = None) -> ModuleSpec | None:
        parent, _, encoded = name.rpartition(".")
        if parent != __name__:
            return None
        folder = _decoded(encoded)
        if not (folder.is_absolute() and folder.is_dir()):
            return None
        init, places = folder / "__init__.py", [str(folder)]
        if init.is_file():
            return importlib.util.spec_from_file_location(name, init, submodule_search_locations=places)
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = places
        return spec


sys.meta_path.append(FolderFinder)
