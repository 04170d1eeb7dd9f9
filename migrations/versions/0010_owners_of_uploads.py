"""a foreign key from uploads to their owners."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.execute(sa.text("DELETE FROM uploads WHERE owner_id NOT IN (SELECT id FROM users)"))
    # SQLite can add a constraint only by copying the table, which holds the uploads of one day.
    with op.batch_alter_table("uploads") as uploads:
        uploads.create_foreign_key("fk_uploads_owner", "users", ["owner_id"], ["id"], ondelete="CASCADE")


def downgrade() -> None:
    with op.batch_alter_table("uploads") as uploads:
        uploads.drop_constraint("fk_uploads_owner", type_="foreignkey")
