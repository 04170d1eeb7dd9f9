"""records of tasks, which outlive their code, and the tasks of each worker."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "tasks",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.add_column("workers", sa.Column("tasks", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("workers", "tasks")
    op.drop_table("tasks")
