"""An idempotency key belongs to its user and project, and remembers the request it came with."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

# One key in two projects: only the oldest act can keep it where keys belong to users alone.
_RENAME_REPEATED_KEYS = """
    UPDATE acts SET key = 'act-' || id || '-' || substr(key, 1, 60)
    WHERE EXISTS (
        SELECT 1 FROM acts AS older
        WHERE older.user_id = acts.user_id AND older.key = acts.key AND older.id < acts.id
    )
"""


def upgrade() -> None:
    with op.batch_alter_table("acts") as acts:
        acts.add_column(sa.Column("request_hash", sa.String(64), nullable=True))
        acts.drop_constraint("uq_acts_user_id_key", type_="unique")
        acts.create_unique_constraint(
            "uq_acts_project_id_user_id_key", ["project_id", "user_id", "key"]
        )


def downgrade() -> None:
    op.execute(_RENAME_REPEATED_KEYS)
    with op.batch_alter_table("acts") as acts:
        acts.drop_constraint("uq_acts_project_id_user_id_key", type_="unique")
        acts.create_unique_constraint("uq_acts_user_id_key", ["user_id", "key"])
        acts.drop_column("request_hash")
