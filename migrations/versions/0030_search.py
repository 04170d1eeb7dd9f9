"""The words by which runs are searched: for Postgres a tsvector with its index, for SQLite a table of FTS5.

Runs that exist already get their words from the sweeper afterwards, the newest first.
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"

# FTS5 keeps an index of the words in run_texts, and these keep it true, also when a run is deleted with all it has.
FTS5 = (
    """
CREATE VIRTUAL TABLE run_words USING fts5(
  words, content='run_texts', content_rowid='run_id', columnsize=0, tokenize='unicode61 remove_diacritics 0'
)
""",
    """
CREATE TRIGGER run_texts_added AFTER INSERT ON run_texts BEGIN
  INSERT INTO run_words (rowid, words) VALUES (new.run_id, new.words);
END
""",
    """
CREATE TRIGGER run_texts_deleted AFTER DELETE ON run_texts BEGIN
  INSERT INTO run_words (run_words, rowid, words) VALUES ('delete', old.run_id, old.words);
END
""",
    """
CREATE TRIGGER run_texts_changed AFTER UPDATE OF words ON run_texts WHEN old.words <> new.words BEGIN
  INSERT INTO run_words (run_words, rowid, words) VALUES ('delete', old.run_id, old.words);
  INSERT INTO run_words (rowid, words) VALUES (new.run_id, new.words);
END
""",
)
# Without a list of pending words, which every search would have to read.
GIN = "CREATE INDEX ix_run_texts_words ON run_texts USING gin (words) WITH (fastupdate = off)"


def upgrade() -> None:
    in_postgres = op.get_bind().dialect.name == "postgresql"
    run_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "run_texts",
        sa.Column("run_id", run_id, autoincrement=False, nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("is_final", sa.Boolean(), nullable=False),
        sa.Column("words", _words(in_postgres), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_run_texts_run", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id"),
    )
    op.create_index("ix_run_texts_owner", "run_texts", ["owner_id", "run_id"])
    unfinished = sa.text("NOT is_final")
    op.create_index(
        "ix_run_texts_unfinished", "run_texts", ["run_id"], sqlite_where=unfinished, postgresql_where=unfinished
    )
    for statement in (GIN,) if in_postgres else FTS5:
        op.execute(statement)
    op.create_table(
        "search_progress",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("down_to", run_id, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.execute("INSERT INTO search_progress (id, down_to) SELECT 1, coalesce(max(id) + 1, 0) FROM runs")


def downgrade() -> None:
    op.drop_table("search_progress")
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE run_words")
    op.drop_table("run_texts")


def _words(in_postgres: bool) -> sa.types.TypeEngine[str]:
    if not in_postgres:
        return sa.Text()
    from sqlalchemy.dialects.postgresql import TSVECTOR

    return TSVECTOR()
