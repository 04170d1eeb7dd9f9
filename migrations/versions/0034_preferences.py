"""People's time zone, and their wish for a mail when a run ends."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0032"


def upgrade() -> None:
    op.add_column("users", sa.Column("mail_at_end", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("users", sa.Column("zone", sa.String(length=64), server_default="", nullable=False))
    op.add_column("mails", sa.Column("run_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True))


def downgrade() -> None:
    op.drop_column("mails", "run_id")
    op.drop_column("users", "zone")
    op.drop_column("users", "mail_at_end")
