"""A task that takes the time it is given."""

import threading

from jobs import task


@task
def say_backwards(text: str, seconds: float) -> str:
    """Reverse a text after some seconds."""
    threading.Event().wait(seconds)
    return text[::-1]
