"""`make machines`: walk over a deployment of seven machines, and print each step with its outcome."""

import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.machines.deployment import Deployment
from tests.machines.walk import Walk


def main() -> int:
    """Return 1 if a step failed; its reason and the folder with all logs are printed."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        sys.exit(
            "The machines are network namespaces: run this as root, with iproute2 (Debian: apt-get install iproute2)."
        )
    folder = Path(tempfile.mkdtemp(prefix="dumbwaiter-machines-"))
    with contextlib.ExitStack() as ending:
        walk = Walk(Deployment(folder, ending))
        failed = [name for name, step in walk.steps() if not _succeeds(name, step)]
    sys.stdout.write(f"{len(walk.runs)} runs on 7 machines, {len(failed)} steps failed\n")
    if failed:
        sys.stdout.write(f"The logs are in {folder}\n")
    else:
        shutil.rmtree(folder)
    return bool(failed)


def _succeeds(name: str, step: Callable[[], None]) -> bool:
    begun = time.monotonic()
    try:
        step()
    except Exception as error:  # the other steps are still worth trying
        reason = f"\n       {type(error).__name__}: {error}"
    else:
        reason = ""
    sys.stdout.write(f"{'failed' if reason else 'passed'} {time.monotonic() - begun:5.1f} s  {name}{reason}\n")
    sys.stdout.flush()
    return not reason


if __name__ == "__main__":
    sys.exit(main())
