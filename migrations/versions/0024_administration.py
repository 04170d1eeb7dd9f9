"""pauses, how long workers are idle, caps of users, and an index of failures.

Reading what runs keep takes up to a minute for a million of them, and the index a second.
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


KEPT = """
INSERT INTO usage (owner_id, day, runs, kept_bytes)
SELECT owner_id, '', 0, sum(
  length(CAST(parameters AS TEXT)) + coalesce(length(encrypted_parameters), 0)
  + CASE WHEN length(CAST(result AS TEXT)) >= 1000 THEN length(CAST(result AS TEXT)) ELSE 0 END
) FROM runs GROUP BY owner_id
"""


def upgrade() -> None:
    op.create_table(
        "pauses",
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("paused_by", sa.String(length=254), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_pauses_owner", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("kind", "name"),
    )
    op.create_index("ix_pauses_owner", "pauses", ["owner_id"])
    op.create_table(
        "user_caps",
        sa.Column("owner_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("queued_runs", sa.Integer(), nullable=True),
        sa.Column("runs_a_day", sa.Integer(), nullable=True),
        sa.Column("quota_mb", sa.Integer(), nullable=True),
        sa.Column("kept_mb", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_user_caps_owner", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("owner_id"),
    )
    op.create_table(
        "usage",
        sa.Column("owner_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.Column("kept_bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_usage_owner", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("owner_id"),
    )
    op.execute(KEPT)
    failed = sa.text("state = 'failed'")
    op.create_index("ix_runs_failed", "runs", ["state", "ended_at"], sqlite_where=failed, postgresql_where=failed)
    op.add_column("workers", sa.Column("idle_since", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("workers", "idle_since")
    op.drop_index("ix_runs_failed", "runs")
    op.drop_table("usage")
    op.drop_table("user_caps")
    op.drop_table("pauses")
