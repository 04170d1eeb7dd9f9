"""The words by which runs are found. They are an index: made from the runs, and made again when lost.

A run gets its words in the transaction that submits it: its task, its inputs and the names of its files. Its result or
its error are added by the sweeper after its end, some hundreds of runs in one transaction, because claims and ends are
what workers wait for: on SQLite an end would otherwise hold the only write lock for longer, and on Postgres it would
take one more round trip and an insertion into the index for every word. So a result is found some seconds after its
run has ended, and its inputs all the time.

Parameters are the document with marks in the places of secrets; nothing that is encrypted gets here.
"""

import json
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Dialect, Index, Text, bindparam, case, cast, func, insert, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine

from jobs.runs import search_words
from jobs.runs.run import ENDED, Run, RunId, run_key
from jobs.runs.run_files import RunFileRow
from jobs.storage.database import Base, Database

LONGEST_TEXT = 20_000  # characters of a result that are searched, and of parameters too long to be read as JSON
LONGEST_MESSAGE = 2_000
LONGEST_PARAMETERS = 200_000
AT_ONCE = 50
LOOKED_AT = 500
SWEEP_SECONDS = 0.3


class Words(TypeDecorator[list[str]]):
    """Words in order: on Postgres a tsvector with their places, on SQLite the text that its FTS5 splits again."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(Text())
        from sqlalchemy.dialects.postgresql import TSVECTOR  # 2 MB, which an application on SQLite saves

        return dialect.type_descriptor(TSVECTOR())

    def process_bind_param(self, value: list[str] | None, dialect: Dialect) -> str:
        words = value or []
        if dialect.name == "sqlite":
            return " ".join(words)
        return " ".join(f"'{word}':{place}" for place, word in enumerate(words, 1))


class RunText(Base):
    """A run's words. `is_final` is whether they were made after its end."""

    __tablename__ = "run_texts"
    __table_args__ = (
        Index("ix_run_texts_owner", "owner_id", "run_id"),
        # In the databases it holds only those that are not final, as its migration says.
        Index("ix_run_texts_unfinished", "run_id"),
    )

    run_id: Mapped[int] = mapped_column(run_key("run_texts"), primary_key=True, autoincrement=False)
    owner_id: Mapped[int]
    is_final: Mapped[bool]
    words: Mapped[list[str]] = mapped_column(Words, deferred=True)


class SearchProgress(Base):
    """The only row says how far down the runs that were there before the search have words."""

    __tablename__ = "search_progress"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    down_to: Mapped[int] = mapped_column(RunId)


# The columns from which a run's words are made; a column that is to be searched, too, is added here and in `_words`.
SOURCE = select(
    Run.id,
    Run.owner_id,
    Run.task,
    Run.state,
    case(
        (func.length(cast(Run.parameters, Text)) <= LONGEST_PARAMETERS, cast(Run.parameters, Text)),
        else_=func.substr(cast(Run.parameters, Text), 1, LONGEST_TEXT),
    ).label("parameters"),
    func.substr(cast(Run.result, Text), 1, LONGEST_TEXT).label("result"),
    Run.error_kind,
    Run.name,
    Run.note,
    func.substr(Run.error_message, 1, LONGEST_MESSAGE).label("error_message"),
).where(Run.id.in_(bindparam("run_ids", expanding=True)))
NAMES = select(RunFileRow.run_id, RunFileRow.name).where(RunFileRow.run_id.in_(bindparam("run_ids", expanding=True)))
DOWN_TO = select(SearchProgress.down_to).where(SearchProgress.id == 1)
UNFINISHED = (
    select(RunText.run_id, Run.state)
    .join(Run, Run.id == RunText.run_id)
    .where(text("NOT run_texts.is_final"), RunText.run_id > bindparam("after"))
    .order_by(RunText.run_id)
    .limit(LOOKED_AT)
)
WITHOUT = (
    select(Run.id, RunText.run_id)
    .outerjoin(RunText, RunText.run_id == Run.id)
    .where(Run.id < bindparam("below"))
    .order_by(Run.id.desc())
    .limit(LOOKED_AT)
)


def add(session: Session, run: Run) -> None:
    """Make a new run's words, in the transaction that submits it."""
    words = search_words.of_run(run.owner_id, run.task, run.parameters, ())
    given = {"run_id": run.id, "owner_id": run.owner_id, "is_final": False, "words": words}
    session.execute(insert(RunText), given)


def make_again(transaction: Any, run_id: int) -> None:
    """Mark the words of a run that has ended as outdated: it was queued again, or something else about it changed."""
    transaction.execute(update(RunText).where(RunText.run_id == run_id).values(is_final=False))


def index(session: Session, run_ids: Sequence[int], are_new: bool) -> None:
    """Make the words of runs that have none, or else make them again.

    Rows are locked before the runs are read, so that a run that is queued again meanwhile does not stay final.
    """
    query = SOURCE
    if are_new:
        query = SOURCE.with_for_update(read=True)
    else:
        known = select(RunText.run_id).where(RunText.run_id.in_(run_ids)).order_by(RunText.run_id)
        run_ids = session.scalars(known.with_for_update()).all()
    sources = session.execute(query, {"run_ids": run_ids}).all()
    names: dict[int, list[str]] = {}
    for run_id, name in session.execute(NAMES, {"run_ids": run_ids}):
        names.setdefault(run_id, []).append(name)
    rows = [_row(one, names.get(one.id, [])) for one in sources]
    if rows:
        session.execute(insert(RunText) if are_new else update(RunText), rows)


def _row(source: Any, names: Sequence[str]) -> dict[str, Any]:
    return {
        "run_id": source.id,
        "owner_id": source.owner_id,
        "is_final": source.state in ENDED,
        "words": _words(source, names),
    }


def _words(source: Any, names: Sequence[str]) -> list[str]:
    """Return all words by which a run is found; in the order of importance, because there are only so many."""
    try:
        parameters, rest = json.loads(source.parameters), ""
    except ValueError:  # too long, and so cut off
        parameters, rest = {}, source.parameters
    failed = f"{source.error_kind or ''} {source.error_message or ''}"
    result = (search_words.unescaped(part or "") for part in (rest, source.result))
    texts = (source.name, source.note, *names, failed, *result)
    return search_words.of_run(source.owner_id, source.task, parameters, texts)


class Indexing:
    """The sweeper's part: make the words of runs that have ended, and of those that have none.

    Each pass looks at runs whose words are not final, oldest first, because those that wait longest end first; and,
    newest first, at runs without words. It can be repeated and interrupted at any point.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._after = 0
        self._below: int | None = None

    def sweep(self) -> None:
        """Go on for up to SWEEP_SECONDS."""
        deadline = time.monotonic() + SWEEP_SECONDS
        self._finish(deadline)
        self._fill_in(deadline)

    def _finish(self, deadline: float) -> None:
        while True:
            with self._database.read() as session:
                found = session.execute(UNFINISHED, {"after": self._after}).all()
            self._index([run_id for run_id, state in found if state in ENDED], are_new=False)
            self._after = found[-1][0] if len(found) == LOOKED_AT else 0
            if not self._after or time.monotonic() > deadline:
                return

    def _fill_in(self, deadline: float) -> None:
        """Go down to the first run once, remembering how far; after that, look at a few runs each time."""
        with self._database.read() as session:
            down_to = session.scalars(DOWN_TO).one()
        while True:
            below = down_to or self._below
            with self._database.read() as session:
                newest = (session.scalar(select(func.max(Run.id))) or 0) + 1
                found = session.execute(WITHOUT, {"below": below or newest}).all()
            self._index([run_id for run_id, known in found if known is None], are_new=True)
            self._below = found[-1][0] if len(found) == LOOKED_AT else None
            if not down_to:
                return
            down_to = self._below or 0
            with self._database.change() as connection:
                connection.execute(update(SearchProgress).where(SearchProgress.id == 1).values(down_to=down_to))
            if time.monotonic() > deadline:
                return

    def _index(self, run_ids: Sequence[int], are_new: bool) -> None:
        for start in range(0, len(run_ids), AT_ONCE):
            with self._database.write() as session:
                index(session, run_ids[start : start + AT_ONCE], are_new)
