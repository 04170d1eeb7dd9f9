"""The version of the code that a run was executed with."""

import sqlalchemy as sa
from alembic import op

revision = "0031b"
down_revision = "0031"


def upgrade() -> None:
    op.add_column("runs", sa.Column("code", sa.String(length=60), nullable=True))


def downgrade() -> None:
    op.drop_column("runs", "code")
