"""The options of a submission, beside its parameters."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from jobs.storage.database import utcnow

LONGEST_DAYS = 366


@dataclass(frozen=True)
class WebhookAsked:
    """A webhook for one run: its address and the secret that signs its message."""

    url: str
    secret: str


@dataclass(frozen=True)
class After:
    """Another run of the same owner that must succeed first, and the parameter that takes its result, if any."""

    run_id: int
    into: str | None = None


@dataclass(frozen=True)
class Asked:
    """Options of a submission: a key that makes it repeatable, a webhook, and when and after which run its run starts.

    With `anyway`, no earlier result is used again. `given` names the parameters that were sent; a default that is made
    for each run does not count as other content.
    """

    key: str | None = None
    given: Collection[str] = ()
    webhook: WebhookAsked | None = None
    due_at: datetime | None = None
    after: After | None = None
    anyway: bool = False


NOTHING_MORE = Asked()


class OtherOption(Exception):
    """An idempotency key that was used with another value of an option, which `name` says."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class NoSuchRun(Exception):
    """A run to follow that does not exist, or is somebody else's."""


class TooFar(Exception):
    """A time to start at that is more than LONGEST_DAYS away."""


def still_to_come(moment: datetime | None) -> datetime | None:
    """Return a time to start at, or None if it has passed and the run is to start at once. Raises TooFar."""
    now = utcnow()
    if moment and moment > now + timedelta(days=LONGEST_DAYS):
        raise TooFar
    return moment if moment and moment > now else None
