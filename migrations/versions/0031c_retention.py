"""Rules by which ended runs are deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0031c"
down_revision = "0031b"


def upgrade() -> None:
    op.create_table(
        "retention_rules",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("task", sa.String(length=100), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=True),
        sa.Column("days", sa.Integer(), nullable=True),
        sa.Column("runs", sa.Integer(), nullable=True),
        sa.Column("megabytes", sa.Integer(), nullable=True),
        sa.Column("made_by", sa.String(length=254), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    op.drop_table("retention_rules")
