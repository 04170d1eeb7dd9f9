"""files of runs."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "run_files",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_run_files_run", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "sha256"),
    )
    op.create_index("ix_run_files_sha256", "run_files", ["sha256"])


def downgrade() -> None:
    op.drop_table("run_files")
