"""Runs shared with people, groups and by link."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031d"

BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "shares",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", BigId, nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("group_id", sa.Integer(), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("parameters", sa.Boolean(), nullable=False),
        sa.Column("log", sa.Boolean(), nullable=False),
        sa.Column("files", sa.Boolean(), nullable=False),
        sa.Column("signed_in", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("visits", sa.Integer(), server_default="0", nullable=False),
        sa.Column("visited_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_shares_run", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_shares_owner", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["person_id"], ["users.id"], name="fk_shares_person", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name="fk_shares_group", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_shares_run", "shares", ["run_id"])
    op.create_index("ix_shares_owner", "shares", ["owner_id", "id"])
    op.create_index("ix_shares_person", "shares", ["person_id", "run_id"])
    op.create_index("ix_shares_group", "shares", ["group_id", "run_id"])
    op.create_index("ix_shares_email", "shares", ["email"])
    op.create_index("ix_shares_digest", "shares", ["digest"], unique=True)


def downgrade() -> None:
    op.drop_table("shares")
