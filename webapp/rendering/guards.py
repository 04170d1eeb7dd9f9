"""Draw results and runs in a plainer form when their template fails, so that one of them cannot break a page."""

import logging
from collections.abc import Callable, Iterable

from jinja2 import TemplateNotFound
from sqlalchemy.exc import SQLAlchemyError

log = logging.getLogger(__name__)

MOST_REMEMBERED = 10_000
NOTHING = '<p class="run__note">This cannot be shown.</p>'

Way = tuple[str, Callable[[], str]]

_failed: set[tuple[int, str]] = set()


def first_drawn(run_id: int, ways: Iterable[Way]) -> str:
    """Return what the first template draws that does not fail. Failures are logged, once per run and template.

    A template that does not exist is skipped. An unavailable database is an error of the whole page.
    """
    for template, draw in ways:
        try:
            return draw()
        except SQLAlchemyError:
            raise
        except Exception as error:
            if not (isinstance(error, TemplateNotFound) and error.name == template):
                _report(run_id, template)
    return NOTHING


def _report(run_id: int, template: str) -> None:
    if (run_id, template) in _failed:
        return
    if len(_failed) >= MOST_REMEMBERED:
        _failed.clear()
    _failed.add((run_id, template))
    log.exception("%s cannot show run %d, which is shown in a plainer form", template, run_id)
