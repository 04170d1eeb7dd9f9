"""A process that sends what is due to webhooks, for tests that kill it: `python -m tests.support.sender`."""

import config
from jobs.authoring.catalog import Catalog
from jobs.runs.backend import open_backend
from jobs.worker.sender import send_all
from jobs.worker.wakeup_pipe import WakeupPipe

if __name__ == "__main__":
    send_all(open_backend(config.load(), Catalog({})), WakeupPipe(), lambda: True)
