"""space that uploads on their way have reserved, and places where users have signed in."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0016"


def upgrade() -> None:
    op.create_table(
        "reserved_space",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_reserved_space_owner", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "known_places",
        sa.Column("owner_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("place", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_known_places_owner", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("owner_id", "place"),
    )
    op.create_index("ix_reserved_space_owner", "reserved_space", ["owner_id"])


def downgrade() -> None:
    op.drop_table("known_places")
    op.drop_table("reserved_space")
