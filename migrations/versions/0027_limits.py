"""Limits of running runs: the key that a run counts under, with indexes of those that wait, and the cap of a user."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"

INDEXES = {"ix_runs_limit": ["owner_id", "task", "limit_key", "id"], "ix_runs_limit_key": ["limit_key", "id"]}


def upgrade() -> None:
    op.add_column("runs", sa.Column("limit_key", sa.String(32)))
    op.add_column("user_caps", sa.Column("running_runs", sa.Integer()))
    capped = sa.text("running_runs IS NOT NULL")
    op.create_index("ix_user_caps_running", "user_caps", ["running_runs"], sqlite_where=capped, postgresql_where=capped)
    waiting = sa.text("state = 'queued' AND due_at IS NULL AND limit_key IS NOT NULL")
    for name, columns in INDEXES.items():
        op.create_index(name, "runs", columns, sqlite_where=waiting, postgresql_where=waiting)


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(name, table_name="runs")
    op.drop_index("ix_user_caps_running", table_name="user_caps")
    op.drop_column("user_caps", "running_runs")
    op.drop_column("runs", "limit_key")
