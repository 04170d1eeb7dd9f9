"""When a run is to start, which run it follows, and by what it is found to be the same as another one."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"

RUN_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("runs", sa.Column("scheduled_for", sa.DateTime(timezone=True), nullable=True))
    op.add_column("runs", sa.Column("after_id", RUN_ID, nullable=True))
    op.add_column("runs", sa.Column("after_into", sa.String(length=100), nullable=True))
    op.add_column("runs", sa.Column("awaited_id", RUN_ID, nullable=True))
    follows = sa.text("state = 'queued' AND awaited_id IS NOT NULL")
    op.create_index("ix_runs_awaited", "runs", ["awaited_id"], sqlite_where=follows, postgresql_where=follows)
    op.add_column("runs", sa.Column("unique_key", sa.String(length=64), nullable=True))
    op.add_column("runs", sa.Column("reuse_key", sa.String(length=64), nullable=True))
    live = sa.text("state IN ('queued', 'running') AND unique_key IS NOT NULL")
    keys = ["owner_id", "unique_key"]
    op.create_index("ix_runs_unique", "runs", keys, unique=True, sqlite_where=live, postgresql_where=live)
    kept = sa.text("reuse_key IS NOT NULL")
    op.create_index("ix_runs_reuse", "runs", ["owner_id", "reuse_key", "id"], sqlite_where=kept, postgresql_where=kept)


def downgrade() -> None:
    for index in ("ix_runs_reuse", "ix_runs_unique", "ix_runs_awaited"):
        op.drop_index(index, "runs")
    for column in ("reuse_key", "unique_key", "awaited_id", "after_into", "after_id", "scheduled_for"):
        op.drop_column("runs", column)
