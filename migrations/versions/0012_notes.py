"""notes about what was changed in a result."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    kind = sa.JSON(none_as_null=True).with_variant(sa.Text(), "sqlite")
    op.add_column("runs", sa.Column("notes", kind, nullable=True))


def downgrade() -> None:
    op.drop_column("runs", "notes")
