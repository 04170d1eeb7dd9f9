"""The start that a posted form asks for: now, tonight, or at a time in the reader's zone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from jobs.runs import LONGEST_DAYS
from jobs.storage import utcnow
from webapp.forms import Form
from webapp.forms.texts import InvalidText, value_of
from webapp.tasks import messages

CHOICE, TIME = "_when", "_due_at"
NOW, TONIGHT = "now", "tonight"
EVENING = time(22)


@dataclass(frozen=True)
class When:
    """The choice and the time as they were posted, the moment they stand for, and what there is to say about it."""

    choice: str = NOW
    text: str = ""
    due_at: datetime | None = None
    problem: str = ""

    @property
    def notice(self) -> str:
        return messages.HAS_PASSED if self.due_at and self.due_at <= utcnow() else ""


def read(posted: Mapping[str, str], form: Form) -> When:
    """Read when a run is to start. A time that is filled in counts, whatever is chosen beside it."""
    choice, text, zone = posted.get(CHOICE, NOW), posted.get(TIME, "").strip(), ZoneInfo(form.zone)
    if not text:
        return When(TONIGHT, due_at=_tonight(zone)) if choice == TONIGHT else When()
    try:
        moment: datetime = value_of("moment", text, zone)
    except InvalidText as invalid:
        return When(choice, text, problem=str(invalid))
    too_far = moment > utcnow() + timedelta(days=LONGEST_DAYS)
    return When(choice, text, None if too_far else moment, messages.TOO_FAR if too_far else "")


def _tonight(zone: ZoneInfo) -> datetime:
    """Return the next time that it is evening in a zone."""
    here = utcnow().astimezone(zone)
    day = here.date() if here.time() < EVENING else here.date() + timedelta(days=1)
    return datetime.combine(day, EVENING, zone).astimezone(UTC)
