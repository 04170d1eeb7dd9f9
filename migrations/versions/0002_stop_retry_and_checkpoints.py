"""stop, retry, checkpoints and the sweeper's leadership."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "leaders",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("holder", sa.String(length=40), nullable=False),
        sa.Column("beat", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "checkpoints",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("value", sa.JSON(none_as_null=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_checkpoints_run", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id"),
    )
    # Plain ALTER TABLE, which SQLite supports too, because a batch operation would copy the whole table.
    op.add_column("runs", sa.Column("failures", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("runs", sa.Column("due_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("runs", sa.Column("push_failed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("runs", sa.Column("stop_requested_at", sa.DateTime(timezone=True), nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        _retype_result("TEXT")
    op.drop_index("ix_runs_state", table_name="runs")
    op.create_index("ix_runs_state", "runs", ["state", "queued_at", "id"])
    waits = sa.text("due_at IS NOT NULL")
    op.create_index("ix_runs_due", "runs", ["due_at"], sqlite_where=waits, postgresql_where=waits)


def downgrade() -> None:
    op.drop_index("ix_runs_due", table_name="runs")
    op.drop_index("ix_runs_state", table_name="runs")
    op.create_index("ix_runs_state", "runs", ["state", "id"])
    for name in ("stop_requested_at", "push_failed_at", "due_at", "failures"):
        op.drop_column("runs", name)
    if op.get_bind().dialect.name == "sqlite":
        _retype_result("JSON")
    op.drop_table("checkpoints")
    op.drop_table("leaders")


def _retype_result(kind: str) -> None:
    """Change the column type of `result`. SQLite gives a JSON column numeric affinity, which alters long numbers."""
    op.execute(f"ALTER TABLE runs ADD COLUMN kept {kind}")
    op.execute("UPDATE runs SET kept = CAST(result AS TEXT)")
    op.execute("ALTER TABLE runs DROP COLUMN result")
    op.execute("ALTER TABLE runs RENAME COLUMN kept TO result")
