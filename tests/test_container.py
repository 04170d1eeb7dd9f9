"""The container's image has what the application needs, and nothing else."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.stack import ROOT

START = "import jobs.__main__, webapp.__main__, webapp.server.prepare, webapp; webapp.create_app()"


def copied_files() -> list[str]:
    """Return what .dockerignore lets in."""
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert rules[0] == "*"
    return [rule.removeprefix("!") for rule in rules if rule.startswith("!")]


def test_a_start_needs_nothing_that_is_kept_out_of_the_image(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.mkdir()
    for name in copied_files():
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, image / name)
    environment = {"DATA_DIR": str(tmp_path / "data"), "PATH": ""}
    for arguments in (["-m", "webapp.commands.check"], ["-c", START], ["-m", "alembic", "upgrade", "head"]):
        done = subprocess.run([sys.executable, *arguments], cwd=image, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_a_bad_setting_is_named_before_the_migration(tmp_path: Path) -> None:
    environment = {"APP_ENV": "production", "DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "alembic", "upgrade", "head"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("SECRET_KEY: must be set")
