"""the record of stored files."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    files = op.create_table(
        "files",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("object_name", sa.String(length=120), nullable=False),
        sa.Column("put_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sha256"),
    )
    op.create_table(
        "stray_objects",
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("delete_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    # Everything that is referred to has been stored, under the name that earlier versions made of its hash.
    kept = sa.text("SELECT sha256, size FROM run_files UNION SELECT sha256, size FROM uploads").columns(
        sa.column("sha256", sa.String), sa.column("size", sa.BigInteger)
    )
    one = kept.subquery()
    name = sa.func.substr(one.c.sha256, 1, 2) + "/" + one.c.sha256
    now = sa.literal(datetime.now(UTC), sa.DateTime(timezone=True))
    found = sa.select(one.c.sha256, sa.func.max(one.c.size), name, now).group_by(one.c.sha256)
    op.execute(files.insert().from_select(["sha256", "size", "object_name", "put_at"], found))


def downgrade() -> None:
    op.drop_table("stray_objects")
    op.drop_table("files")
