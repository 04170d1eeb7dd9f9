"""Add the columns for starting later, following another run, being the same as one, and the expected start."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"

RUN_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("runs", sa.Column("input_bytes", sa.BigInteger(), nullable=True))
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
    op.create_table(
        "predictions",
        sa.Column("run_id", RUN_ID, autoincrement=False, nullable=False),
        sa.Column("earliest", sa.DateTime(timezone=True), nullable=False),
        sa.Column("latest", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_predictions_run", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id"),
    )


def downgrade() -> None:
    op.drop_table("predictions")
    for index in ("ix_runs_reuse", "ix_runs_unique", "ix_runs_awaited"):
        op.drop_index(index, "runs")
    for column in ("reuse_key", "unique_key", "awaited_id", "after_into", "after_id", "scheduled_for", "input_bytes"):
        op.drop_column("runs", column)
