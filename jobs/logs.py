"""Log lines that nobody can forge: what a record says is one line, and a traceback below it is indented."""

import logging
from types import TracebackType

FORMAT = "%(levelname)s %(name)s: %(message)s"
Raised = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class OneLine(logging.Formatter):
    """A formatter that escapes line breaks and control characters in messages, which may quote what somebody sent."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return _escaped(super().formatMessage(record))

    def formatException(self, ei: Raised) -> str:
        return "\n".join(f"    {_escaped(line)}" for line in super().formatException(ei).split("\n"))


def begin_log(level: str, form: str = FORMAT) -> None:
    """Log to the standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine(form))
    logging.basicConfig(level=level, handlers=[handler])


def write_one_line(logger: logging.Logger) -> None:
    """Escape the messages of a logger that has handlers of its own, such as a library's."""
    for handler in logger.handlers:
        form = handler.formatter
        handler.setFormatter(OneLine(form._fmt if form else FORMAT, form.datefmt if form else None))


def _escaped(text: str) -> str:
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
