"""What the session page, the map, the records page, progress and the dashboard keep."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

TIME = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(JSONB(), "postgresql")

revision = "0002"
down_revision = "0001"

_SINCE_BEFORE = {
    "sqlite": "(julianday(acted_at) - julianday(lag(acted_at) OVER theirs)) * 86400",
    "postgresql": "extract(epoch FROM acted_at - lag(acted_at) OVER theirs)",
}
# Acts from before the column was there; longer pauses than two minutes count as none.
_ACTIVE_SECONDS = {
    dialect: f"""
    UPDATE acts SET active_seconds = gaps.seconds
    FROM (SELECT id, {seconds} AS seconds FROM acts
          WINDOW theirs AS (PARTITION BY project_id, user_id ORDER BY id)) AS gaps
    WHERE gaps.id = acts.id AND gaps.seconds > 0 AND gaps.seconds <= 120
    """  # noqa: S608 - both are our own words
    for dialect, seconds in _SINCE_BEFORE.items()
}


def upgrade() -> None:
    # Progress: what a project aims for, and how long people were at work.
    op.add_column("projects", sa.Column("goal_n", sa.Integer(), nullable=True))
    op.add_column("projects", sa.Column("goal_share", sa.Float(), nullable=True))
    op.add_column("projects", sa.Column("goal_on", sa.Date(), nullable=True))
    op.add_column(
        "acts", sa.Column("active_seconds", sa.Float(), nullable=False, server_default="0")
    )
    op.execute(_ACTIVE_SECONDS[op.get_bind().dialect.name])
    op.create_index("ix_acts_project_id_acted_at", "acts", ["project_id", "acted_at"])
    op.drop_index("ix_consensus_project_id_act_id", "consensus")
    op.create_index(
        "ix_consensus_project_id_act_id", "consensus", ["project_id", "act_id", "label_id"]
    )
    # What the examples of a run were made of.
    op.add_column("training_runs", sa.Column("dataset", JSON, nullable=True))
    # Filters with a name.
    op.create_table(
        "slices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("name_key", sa.String(240), nullable=False),
        sa.Column("asked", JSON, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_slices"),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], "fk_slices_project_id_projects", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], "fk_slices_user_id_users", ondelete="SET NULL"
        ),
        sa.UniqueConstraint("project_id", "name_key", name="uq_slices_project_id_name_key"),
    )


def downgrade() -> None:
    # Without batch: on SQLite it would drop the old table, and with it all that refers to it.
    op.drop_table("slices")
    op.drop_column("training_runs", "dataset")
    op.drop_index("ix_consensus_project_id_act_id", "consensus")
    op.create_index("ix_consensus_project_id_act_id", "consensus", ["project_id", "act_id"])
    op.drop_index("ix_acts_project_id_acted_at", "acts")
    op.drop_column("acts", "active_seconds")
    op.drop_column("projects", "goal_on")
    op.drop_column("projects", "goal_share")
    op.drop_column("projects", "goal_n")
