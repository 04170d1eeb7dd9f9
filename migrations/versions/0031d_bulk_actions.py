"""Actions on many runs of one owner's, and an index of the largest files."""

import sqlalchemy as sa
from alembic import op

revision = "0031d"
down_revision = "0031c"

RUN_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "bulk_actions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(length=10), nullable=False),
        sa.Column("tag", sa.String(length=40), nullable=False),
        sa.Column("filters", sa.JSON(), nullable=False),
        sa.Column("below", RUN_ID, nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("left_alone", sa.Integer(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("aborted", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_bulk_actions_owner", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_bulk_actions_owner", "bulk_actions", ["owner_id", "id"])
    going_on = sa.text("ended_at IS NULL")
    op.create_index("ix_bulk_actions_due", "bulk_actions", ["due_at"], sqlite_where=going_on, postgresql_where=going_on)

    op.create_index("ix_run_files_size", "run_files", ["owner_id", "size"])


def downgrade() -> None:
    op.drop_index("ix_run_files_size", table_name="run_files")
    op.drop_table("bulk_actions")
