"""roles, groups, and which groups may use a task."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

TABLES = ("users", "invitations")


def upgrade() -> None:
    json = sa.Text() if op.get_bind().dialect.name == "sqlite" else sa.JSON()
    for table in TABLES:
        op.add_column(table, sa.Column("role", sa.String(length=16), server_default="member", nullable=False))
        rows = _columns(table)
        op.execute(rows.update().where(rows.c.is_admin).values(role="administrator"))
        op.drop_column(table, "is_admin")
    op.add_column("invitations", sa.Column("groups", json, nullable=True))
    op.create_table(
        "groups",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "group_members",
        sa.Column("member_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("group_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["users.id"], name="fk_group_members_owner", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name="fk_group_members_group", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("member_id", "group_id"),
    )
    op.create_index("ix_group_members_group", "group_members", ["group_id"])
    op.create_table(
        "task_groups",
        sa.Column("task", sa.String(length=100), nullable=False),
        sa.Column("groups", json, nullable=False),
        sa.PrimaryKeyConstraint("task"),
    )


def _columns(table: str) -> sa.TableClause:
    return sa.table(table, sa.column("role", sa.String()), sa.column("is_admin", sa.Boolean()))


def downgrade() -> None:
    op.drop_table("task_groups")
    op.drop_table("group_members")
    op.drop_table("groups")
    op.drop_column("invitations", "groups")
    for table in TABLES:
        op.add_column(table, sa.Column("is_admin", sa.Boolean(), server_default=sa.false(), nullable=False))
        rows = _columns(table)
        op.execute(rows.update().where(rows.c.role == "administrator").values(is_admin=True))
        op.drop_column(table, "role")
