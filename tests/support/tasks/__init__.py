"""The tasks of the application that tests start, so that no test depends on those in jobs/tasks/."""

from pathlib import Path

FOLDER = Path(__file__).parent
