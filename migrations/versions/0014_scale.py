"""64-bit run ids, the owners of runs' files, and an index for each listing and each repeated query.

On Postgres this rewrites `runs` and the tables that refer to it, while nobody else can use them: several seconds for
each million rows.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.drop_index("ix_runs_due", table_name="runs")
    op.drop_index("ix_runs_state", table_name="runs")
    _retype_run_ids(sa.Integer(), sa.BigInteger())
    op.create_index("ix_runs_state", "runs", ["state", "due_at", "queued_at", "id"])
    op.create_index("ix_runs_owner_state", "runs", ["owner_id", "state", "id"])
    op.create_index("ix_runs_owner_task_state", "runs", ["owner_id", "task", "state", "id"])
    succeeded = sa.text("state = 'succeeded'")
    op.create_index("ix_runs_succeeded", "runs", ["task", "id"], sqlite_where=succeeded, postgresql_where=succeeded)
    op.add_column("run_files", sa.Column("owner_id", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE run_files SET owner_id = (SELECT owner_id FROM runs WHERE runs.id = run_files.run_id)")
    op.create_index("ix_run_files_owner", "run_files", ["owner_id", "sha256", "size"])
    op.create_index("ix_stray_objects_delete", "stray_objects", ["delete_at"])
    op.create_index("ix_login_failures_at", "login_failures", ["at"])


def downgrade() -> None:
    op.drop_index("ix_login_failures_at", table_name="login_failures")
    op.drop_index("ix_stray_objects_delete", table_name="stray_objects")
    op.drop_index("ix_run_files_owner", table_name="run_files")
    op.drop_column("run_files", "owner_id")
    for name in ("ix_runs_succeeded", "ix_runs_owner_task_state", "ix_runs_owner_state", "ix_runs_state"):
        op.drop_index(name, table_name="runs")
    _retype_run_ids(sa.BigInteger(), sa.Integer())
    op.create_index("ix_runs_state", "runs", ["state", "queued_at", "id"])
    waits = sa.text("due_at IS NOT NULL")
    op.create_index("ix_runs_due", "runs", ["due_at"], sqlite_where=waits, postgresql_where=waits)


def _retype_run_ids(old: sa.Integer, new: sa.Integer) -> None:
    """Change the ids' type on Postgres, and that of every key to them. In SQLite every integer has 64 bits."""
    if op.get_bind().dialect.name == "sqlite":
        return
    op.alter_column("runs", "id", existing_type=old, type_=new)
    tables = sa.inspect(op.get_bind())
    for table in tables.get_table_names():
        for key in tables.get_foreign_keys(table):
            if key["referred_table"] == "runs":
                op.alter_column(table, key["constrained_columns"][0], existing_type=old, type_=new)
    op.execute(f"ALTER SEQUENCE runs_id_seq AS {'bigint' if isinstance(new, sa.BigInteger) else 'integer'}")
