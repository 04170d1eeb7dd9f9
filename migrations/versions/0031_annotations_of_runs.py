"""Names, notes, tags and stars of runs."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030b"


def upgrade() -> None:
    op.add_column("runs", sa.Column("name", sa.String(length=100), nullable=False, server_default=""))
    op.add_column("runs", sa.Column("note", sa.Text(), nullable=False, server_default=""))
    op.add_column("runs", sa.Column("tags", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("runs", sa.Column("starred", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index(
        "ix_runs_starred",
        "runs",
        ["owner_id", "id"],
        sqlite_where=sa.text("starred = 1"),
        postgresql_where=sa.text("starred"),
    )
    op.create_table(
        "run_tags",
        sa.Column("run_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tag", sa.String(length=40), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_run_tags_run", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_run_tags_owner", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "tag"),
    )
    op.create_index("ix_run_tags_tag", "run_tags", ["owner_id", "tag", "run_id"])


def downgrade() -> None:
    op.drop_table("run_tags")
    op.drop_index("ix_runs_starred", table_name="runs")
    for name in ("starred", "tags", "note", "name"):
        op.drop_column("runs", name)
