"""Pinned tasks."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    op.create_table(
        "pins",
        sa.Column("owner_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("task", sa.String(length=100), nullable=False),
        sa.Column("pinned_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_pins_owner", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("owner_id", "task"),
    )


def downgrade() -> None:
    op.drop_table("pins")
