"""A long history, written with one statement for each table."""

from sqlalchemy import Connection, text

from jobs.runs import search_words
from jobs.storage.database import Database

AGE_SECONDS = 3600  # what ended longer ago is no news to any page
RARE_RUNS = 10
"""The oldest runs of the history: they have a task and states that no others have."""

TASKS = "CASE WHEN i <= 10 THEN 'mandelbrot' WHEN i % 2 = 0 THEN 'reverse_text' ELSE 'factorise' END"
STATES = "CASE WHEN i <= 3 THEN 'cancelled' WHEN i <= 10 OR i % 20 = 0 THEN 'failed' ELSE 'succeeded' END"

NUMBERS = "WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < {count})"
RUNS = """
INSERT INTO runs (owner_id, task, parameters, state, version, attempt, failures, losses, created_at, queued_at,
                  due_at, started_at, ended_at, progress_note, result, error_kind, error_message)
{numbers}
SELECT {owner}, {task}, {parameters}, {state}, 3, 1, 0, 0, {queued}, {queued}, {due}, {started}, {ended}, '', {result},
       'RuntimeError', 'it broke'
FROM numbers
"""
FILES = (
    """
INSERT INTO run_files (run_id, owner_id, sha256, size, name, media_type)
SELECT id, owner_id, {name}, 1, 'a.txt', 'text/plain' FROM runs WHERE id % 10 = 0 AND state = 'succeeded'
""",
    "INSERT INTO files (sha256, size, object_name, put_at) SELECT sha256, size, sha256, {old} FROM run_files",
    """
INSERT INTO output (run_id, kind, number, count, attempt, bytes, total_bytes, entries, unfinished)
SELECT id, 'log', 1, 1, 1, 9, 9, {lines}, false FROM runs WHERE id % 10 = 0
""",
    """
INSERT INTO checkpoints (run_id, value, saved_at)
SELECT id, {result}, {old} FROM runs WHERE state = 'failed' AND id % 10 = 0
""",
)

# Every run has the words of its text and its result, one in a thousand a word of its own, and the rare runs another.
WORDS = """
INSERT INTO run_texts (run_id, owner_id, is_final, words)
SELECT id, owner_id, true, {words_of} FROM runs
WHERE owner_id = {owner} AND state IN ('succeeded', 'failed', 'cancelled')
"""
TEXT = (
    "'{of_owner} {of_input} hello olleh broke seldom' || (id % 1000) || "
    "CASE task WHEN 'mandelbrot' THEN ' rare {mandelbrot}' WHEN 'factorise' THEN ' {factorise}' ELSE ' {reverse}' END"
)


def write_history(database: Database, owner_id: int, runs: int) -> None:
    """Give an owner runs that have ended, a tenth of them with files and output."""
    words = _words(database)
    with database.change() as connection:
        _add(connection, words, owner_id, runs, state=STATES, started="{at}", ended="{at}")
        for statement in FILES:
            connection.execute(text(statement.format(**words, old=words["at"].format(seconds="86400"))))
        exact = {"of_owner": search_words.of_owner(owner_id), "of_input": search_words.of_input("text", "hello")}
        tasks = {"mandelbrot": "mandelbrot", "factorise": "factorise", "reverse": "reverse_text"}
        its_words = TEXT.format(**exact, **{name: search_words.of_task(task) for name, task in tasks.items()})
        words_of = words["words"].format(text=its_words)
        connection.execute(text(WORDS.format(owner=owner_id, words_of=words_of)))
    refresh_statistics(database)


def write_queue(database: Database, owner_id: int, waiting: int = 0, postponed: int = 0) -> None:
    """Give an owner runs that wait, and runs that wait for their next attempt in an hour."""
    words = _words(database)
    with database.change() as connection:
        if waiting:
            _add(connection, words, owner_id, waiting)
        if postponed:
            _add(connection, words, owner_id, postponed, due=words["at"].format(seconds="-3600"))
    refresh_statistics(database)


def refresh_statistics(database: Database) -> None:
    """Do on Postgres what its autovacuum does after so many changes. Nothing does so on SQLite."""
    if database.engine.dialect.name == "postgresql":
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def _add(
    connection: Connection,
    words: dict[str, str],
    owner_id: int,
    count: int,
    state: str = "'queued'",
    due: str = "NULL",
    started: str = "NULL",
    ended: str = "NULL",
) -> None:
    at = words["at"].format(seconds=f"({count} - i) + {AGE_SECONDS}")
    given = {"numbers": NUMBERS.format(count=count), "owner": owner_id, "task": TASKS, "state": state, "queued": at}
    times = {name: value.format(at=at) for name, value in {"due": due, "started": started, "ended": ended}.items()}
    connection.execute(text(RUNS.format(**words, **given, **times)))


def _words(database: Database) -> dict[str, str]:
    """Return the expressions that the databases spell differently."""
    if database.engine.dialect.name == "sqlite":
        return {
            "at": "strftime('%Y-%m-%d %H:%M:%f', 'now', '-' || ({seconds}) || ' seconds') || '000'",
            "parameters": """'{"text": "hello"}'""",
            "result": """'"olleh"'""",
            "lines": """'[[0, "out", "hello"]]'""",
            "name": "printf('%064d', id)",
            "words": "{text}",
        }
    return {
        "at": "now() - ({seconds}) * interval '1 second'",
        "parameters": """CAST('{"text": "hello"}' AS json)""",
        "result": """CAST('"olleh"' AS json)""",
        "lines": """CAST('[[0, "out", "hello"]]' AS json)""",
        "name": "lpad(CAST(id AS text), 64, '0')",
        "words": "to_tsvector('simple', {text})",
    }
