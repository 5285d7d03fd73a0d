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
    op.create_index(
        "ix_annotations_who_where_how",
        "annotations",
        ["project_id", "user_id", "session_id", "source", "verdict", "withdrawn_at"],
    )
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

    # Sessions by several people: who shall label what, and which records several shall judge.
    op.add_column(
        "projects", sa.Column("overlap_from", sa.String(64), nullable=False, server_default="")
    )
    op.add_column(
        "projects", sa.Column("overlap_n", sa.Integer(), nullable=False, server_default="2")
    )
    op.add_column("labeling_sessions", sa.Column("hidden_at", TIME, nullable=True))
    op.create_table(
        "assignments",
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("by_id", sa.Integer(), nullable=True),
        sa.Column("assigned_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("session_id", "user_id", name="pk_assignments"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["labeling_sessions.id"],
            "fk_assignments_session_id_labeling_sessions", ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], "fk_assignments_user_id_users", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["by_id"], ["users.id"], "fk_assignments_by_id_users", ondelete="SET NULL"
        ),
    )  # fmt: skip
    op.create_index("ix_assignments_user_id", "assignments", ["user_id"])

    # When runs start by themselves, and who is told what.
    op.add_column("projects", sa.Column("policy", JSON, nullable=False, server_default="{}"))
    # Versions that are kept, explained, or deleted.
    op.add_column(
        "projects", sa.Column("keep_versions", sa.Integer(), nullable=False, server_default="20")
    )
    op.add_column("encoders", sa.Column("note", sa.Text(), nullable=False, server_default=""))
    op.add_column(
        "encoders",
        sa.Column("is_pinned", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column("encoders", sa.Column("deleted_at", TIME, nullable=True))
    op.add_column("users", sa.Column("email", sa.String(254), nullable=True))
    op.create_table(
        "watches",
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("by_email", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "user_id", name="pk_watches"),
        _to("watches", "project_id", "projects"),
        _to("watches", "user_id", "users"),
    )
    op.create_index("ix_watches_user_id", "watches", ["user_id"])
    op.create_table(
        "notices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("path", sa.String(300), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
        _to("notices", "user_id", "users"),
        _to("notices", "project_id", "projects"),
    )
    op.create_index("ix_notices_user_id_id", "notices", ["user_id", "id"])
    op.create_index("ix_notices_project_id", "notices", ["project_id"])
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("url", sa.String(500), nullable=False),
        sa.Column("secret", sa.String(80), nullable=False),
        sa.Column("is_private", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_webhooks"),
        _to("webhooks", "project_id", "projects"),
        sa.UniqueConstraint("project_id", "url", name="uq_webhooks_project_id_url"),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("webhook_id", sa.Integer(), nullable=True),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("body", JSON, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("next_at", TIME, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("delivered_at", TIME, nullable=True),
        sa.Column("given_up_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        _to("deliveries", "project_id", "projects"),
        _to("deliveries", "webhook_id", "webhooks"),
        _to("deliveries", "user_id", "users"),
    )
    op.create_index("ix_deliveries_next_at", "deliveries", ["next_at"])
    op.create_index("ix_deliveries_project_id_id", "deliveries", ["project_id", "id"])


def _to(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_{column}_{other}"
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name, ondelete="CASCADE")


def downgrade() -> None:
    # Without batch: on SQLite it would drop the old table, and with it all that refers to it.
    for table in ("deliveries", "webhooks", "notices", "watches"):
        op.drop_table(table)
    op.drop_column("users", "email")
    for column in ("deleted_at", "is_pinned", "note"):
        op.drop_column("encoders", column)
    op.drop_column("projects", "keep_versions")
    op.drop_column("projects", "policy")
    op.drop_table("assignments")
    op.drop_column("labeling_sessions", "hidden_at")
    op.drop_column("projects", "overlap_n")
    op.drop_column("projects", "overlap_from")
    op.drop_table("slices")
    op.drop_column("training_runs", "dataset")
    op.drop_index("ix_consensus_project_id_act_id", "consensus")
    op.create_index("ix_consensus_project_id_act_id", "consensus", ["project_id", "act_id"])
    op.drop_index("ix_annotations_who_where_how", "annotations")
    op.drop_index("ix_acts_project_id_acted_at", "acts")
    op.drop_column("acts", "active_seconds")
    op.drop_column("projects", "goal_on")
    op.drop_column("projects", "goal_share")
    op.drop_column("projects", "goal_n")
