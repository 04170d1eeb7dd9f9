"""Lanes, by which owners take turns, and the index in which a worker finds a lane's first run."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0024"


def upgrade() -> None:
    op.add_column("users", sa.Column("weight", sa.Double(), nullable=False, server_default="1"))
    op.create_table(
        "lanes",
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("vtime", sa.Double(), nullable=False),
        sa.Column("turn", sa.Double(), nullable=False),
        sa.Column("since", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_lanes_owner", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("owner_id"),
    )
    op.create_index("ix_lanes_vtime", "lanes", ["vtime", "since"])
    op.create_index("ix_lanes_turn", "lanes", ["turn"])
    waiting = sa.text("state = 'queued' AND due_at IS NULL")
    op.create_index(
        "ix_runs_turn",
        "runs",
        ["owner_id", "task", "id"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )


def downgrade() -> None:
    op.drop_index("ix_runs_turn", table_name="runs")
    op.drop_table("lanes")
    op.drop_column("users", "weight")
