"""When a run is to start, and which run it follows."""

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


def downgrade() -> None:
    op.drop_index("ix_runs_awaited", "runs")
    for column in ("awaited_id", "after_into", "after_id", "scheduled_for"):
        op.drop_column("runs", column)
