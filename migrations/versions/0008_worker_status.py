"""Runs count their work in columns, and workers report into a table instead of into files."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
COLUMNS = {
    "n_done": sa.Integer(),
    "n_total": sa.Integer(),
    "unit": sa.String(12),
    "per_minute": sa.Float(),
}


def upgrade() -> None:
    for name, kind in COLUMNS.items():
        op.add_column("training_runs", sa.Column(name, kind, nullable=True))
    op.create_table(
        "worker_status",
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("subject_id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("executor_id", sa.String(64), nullable=True),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kind", "subject_id", name="pk_worker_status"),
    )


def downgrade() -> None:
    op.drop_table("worker_status")
    for name in COLUMNS:
        op.drop_column("training_runs", name)
