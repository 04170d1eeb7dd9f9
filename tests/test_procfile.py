"""The Procfile, line by line, as a platform runs it."""

import os
import stat
import subprocess
import sys
from pathlib import Path

from tests.support import databases
from tests.support.person import Person
from tests.support.stack import ROOT, free_port
from tests.support.tasks import FOLDER
from tests.support.waiting import until


def test_the_procfile_releases_serves_and_works(tmp_path: Path) -> None:
    """Pages are served by one process and runs executed by another, as on platforms that count them apart."""
    lines = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
    url = f"http://127.0.0.1:{(port := free_port())}"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "DATA_DIR": str(tmp_path), "PORT": str(port), "SECRET_KEY": "x" * 40}
    environment |= {"DATABASE_URL": databases.url_of(tmp_path), "TASKS": str(FOLDER), "WEB_WORKERS": "0"}
    environment |= {"PUBLIC_URL": url, "REGISTRATION": "open"}
    tmp_path.chmod(0o755)
    subprocess.run(["sh", "-c", lines["release"]], cwd=ROOT, env=environment, check=True, capture_output=True)

    def started(name: str) -> "subprocess.Popen[bytes]":
        output = (tmp_path / f"{name}.txt").open("w")
        return subprocess.Popen(["sh", "-c", f"exec {lines[name]}"], cwd=ROOT, env=environment, stdout=output)

    web, worker = started("web"), None
    try:
        until(lambda: "is ready" in (tmp_path / "web.txt").read_text(), "the start")
        assert stat.filemode(tmp_path.stat().st_mode) == "drwx------", "also if the folder was there, open to others"
        ada = Person(url, "ada@example.com")
        run_id = ada.submit("reverse_text", text="hello")
        assert "No worker is running." in ada.get(f"/runs/{run_id}").text
        assert "python -m jobs" in (tmp_path / "web.txt").read_text()
        worker = started("worker")
        until(lambda: ada.get(f"/runs/{run_id}").select_one(".result"), "the result")
    finally:
        for one in filter(None, (worker, web)):
            one.terminate()
            assert one.wait(60) == 0
