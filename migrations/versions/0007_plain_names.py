"""Tables, columns and stored values get the names of the field.

On SQLite the names of primary and foreign keys stay: only a copy of the whole table, vectors
included, could change them, and nothing refers to them by name.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

TABLES = {
    "acts": "actions",
    "encoders": "versions",
    "notices": "notifications",
    "remarks": "comments",
    "slices": "saved_searches",
    "watches": "subscriptions",
}
# By the new name of the table.
COLUMNS = {
    "actions": {"acted_at": "performed_at"},
    "activations": {"encoder_id": "version_id"},
    "annotations": {"act_id": "action_id", "encoder_id": "version_id"},
    "artifacts": {"encoder_id": "version_id", "last_act_id": "last_action_id"},
    "comments": {"act_id": "action_id", "remarked_at": "commented_at"},
    "consensus": {"act_id": "action_id"},
    "deliveries": {"next_at": "next_attempt_at", "given_up_at": "abandoned_at"},
    "embeddings": {"encoder_id": "version_id"},
    "evaluations": {"encoder_id": "version_id"},
    "imports": {"act_id": "action_id", "n_mended": "n_repaired"},
    "labeling_sessions": {"encoder_id": "version_id"},
    "projects": {
        "trains_itself": "has_auto_training",
        "audit_until": "holdout_until",
        "overlap_from": "multi_annotation_from",
        "overlap_n": "n_annotators_per_record",
    },
    "saved_searches": {"asked": "request"},
    "training_runs": {
        "last_act_id": "last_action_id",
        "audit_until": "holdout_until",
        "encoder_id": "version_id",
        "cancel_asked_at": "cancel_requested_at",
    },
    "versions": {"raw_encoder_id": "base_version_id"},
}
INDEXES = {
    "annotations": {"ix_annotations_act_id": ("ix_annotations_action_id", ["action_id"])},
    "comments": {
        "ix_remarks_act_id": ("ix_comments_action_id", ["action_id"]),
        "ix_remarks_project_id": ("ix_comments_project_id", ["project_id"]),
        "ix_remarks_record_id": ("ix_comments_record_id", ["record_id"]),
    },
    "notifications": {
        "ix_notices_project_id": ("ix_notifications_project_id", ["project_id"]),
        "ix_notices_user_id_id": ("ix_notifications_user_id_id", ["user_id", "id"]),
    },
    "subscriptions": {"ix_watches_user_id": ("ix_subscriptions_user_id", ["user_id"])},
}
UNIQUE = {
    "actions": (
        "uq_acts_project_id_user_id_key",
        "uq_actions_project_id_user_id_key",
        ["project_id", "user_id", "key"],
    ),
    "annotations": (
        "uq_annotations_act_id_record_id_label_id",
        "uq_annotations_action_id_record_id_label_id",
        ["action_id", "record_id", "label_id"],
    ),
    "artifacts": (
        "uq_artifacts_encoder_id_kind_revision",
        "uq_artifacts_version_id_kind_revision",
        ["version_id", "kind", "revision"],
    ),
    "saved_searches": (
        "uq_slices_project_id_name_key",
        "uq_saved_searches_project_id_name_key",
        ["project_id", "name_key"],
    ),
    "training_runs": (
        "uq_training_runs_encoder_id",
        "uq_training_runs_version_id",
        ["version_id"],
    ),
    "versions": (
        "uq_encoders_project_id_number",
        "uq_versions_project_id_number",
        ["project_id", "number"],
    ),
}
# Postgres: the names of keys, by the new name of the table.
KEYS = {
    "actions": {
        "pk_acts": "pk_actions",
        "fk_acts_project_id_projects": "fk_actions_project_id_projects",
        "fk_acts_session_id_labeling_sessions": "fk_actions_session_id_labeling_sessions",
        "fk_acts_user_id_users": "fk_actions_user_id_users",
    },
    "activations": {"fk_activations_encoder_id_encoders": "fk_activations_version_id_versions"},
    "annotations": {
        "fk_annotations_act_id_acts": "fk_annotations_action_id_actions",
        "fk_annotations_encoder_id_encoders": "fk_annotations_version_id_versions",
    },
    "artifacts": {"fk_artifacts_encoder_id_encoders": "fk_artifacts_version_id_versions"},
    "comments": {
        "pk_remarks": "pk_comments",
        "fk_remarks_act_id_acts": "fk_comments_action_id_actions",
        "fk_remarks_project_id_projects": "fk_comments_project_id_projects",
        "fk_remarks_record_id_records": "fk_comments_record_id_records",
        "fk_remarks_user_id_users": "fk_comments_user_id_users",
    },
    "consensus": {"fk_consensus_act_id_acts": "fk_consensus_action_id_actions"},
    "embeddings": {"fk_embeddings_encoder_id_encoders": "fk_embeddings_version_id_versions"},
    "evaluations": {"fk_evaluations_encoder_id_encoders": "fk_evaluations_version_id_versions"},
    "imports": {"fk_imports_act_id_acts": "fk_imports_action_id_actions"},
    "labeling_sessions": {
        "fk_labeling_sessions_encoder_id_encoders": "fk_labeling_sessions_version_id_versions"
    },
    "notifications": {
        "pk_notices": "pk_notifications",
        "fk_notices_project_id_projects": "fk_notifications_project_id_projects",
        "fk_notices_user_id_users": "fk_notifications_user_id_users",
    },
    "saved_searches": {
        "pk_slices": "pk_saved_searches",
        "fk_slices_project_id_projects": "fk_saved_searches_project_id_projects",
        "fk_slices_user_id_users": "fk_saved_searches_user_id_users",
    },
    "subscriptions": {
        "pk_watches": "pk_subscriptions",
        "fk_watches_project_id_projects": "fk_subscriptions_project_id_projects",
        "fk_watches_user_id_users": "fk_subscriptions_user_id_users",
    },
    "training_runs": {
        "fk_training_runs_encoder_id_encoders": "fk_training_runs_version_id_versions"
    },
    "versions": {
        "pk_encoders": "pk_versions",
        "fk_encoders_project_id_projects": "fk_versions_project_id_projects",
        "fk_encoders_raw_encoder_id_encoders": "fk_versions_base_version_id_versions",
    },
}
SESSION_KINDS = {
    "audit": "holdout",
    "contradictions": "conflicts",
    "suspects": "likely_mislabeled",
}
ACTION_KINDS = {"remark": "comment"}
METRIC_PREFIXES = {"audit": "holdout"}
SEQUENCES = ("acts", "encoders", "notices", "remarks", "slices")


def upgrade() -> None:
    for old, new in TABLES.items():
        op.rename_table(old, new)
    _rename_columns(COLUMNS)
    if op.get_bind().dialect.name == "postgresql":
        _rename_on_postgres(is_forward=True)
    else:
        _rename_on_sqlite(is_forward=True)
    _replace_values(is_forward=True)


def downgrade() -> None:
    _replace_values(is_forward=False)
    _rename_columns(
        {table: {new: old for old, new in names.items()} for table, names in COLUMNS.items()}
    )
    if op.get_bind().dialect.name == "postgresql":
        _rename_on_postgres(is_forward=False)
    else:
        _rename_on_sqlite(is_forward=False)
    for old, new in TABLES.items():
        op.rename_table(new, old)


def _rename_columns(columns: dict[str, dict[str, str]]) -> None:
    # Not by Alembic, which would copy whole tables on SQLite to change a column's name.
    for table, names in columns.items():
        for old, new in names.items():
            op.execute(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}")


def _rename_on_postgres(*, is_forward: bool) -> None:
    for table, names in KEYS.items():
        for pair in names.items():
            _rename_constraint(table, *_order(pair, is_forward))
    for table, (*pair, _) in UNIQUE.items():
        _rename_constraint(table, *_order(pair, is_forward))
    for indexes in INDEXES.values():
        for old, (new, _) in indexes.items():
            before, after = _order((old, new), is_forward)
            op.execute(f"ALTER INDEX {before} RENAME TO {after}")
    for table in SEQUENCES:
        before, after = _order((f"{table}_id_seq", f"{TABLES[table]}_id_seq"), is_forward)
        op.execute(f"ALTER SEQUENCE {before} RENAME TO {after}")


def _rename_on_sqlite(*, is_forward: bool) -> None:
    old_names = {new: old for names in COLUMNS.values() for old, new in names.items()}
    for table, (*pair, columns) in UNIQUE.items():
        before, after = _order(pair, is_forward)
        now = columns if is_forward else [old_names.get(name, name) for name in columns]
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(before, type_="unique")
            batch.create_unique_constraint(after, now)
    for table, indexes in INDEXES.items():
        for old, (new, columns) in indexes.items():
            before, after = _order((old, new), is_forward)
            op.drop_index(before, table)
            now = columns if is_forward else [old_names.get(name, name) for name in columns]
            op.create_index(after, table, now)


def _rename_constraint(table: str, before: str, after: str) -> None:
    op.execute(f"ALTER TABLE {table} RENAME CONSTRAINT {before} TO {after}")


def _order(pair: Sequence[str], is_forward: bool) -> Sequence[str]:
    return pair if is_forward else pair[::-1]


def _replace_values(*, is_forward: bool) -> None:
    for table, column, values in (
        ("labeling_sessions", "seed_kind", SESSION_KINDS),
        ("actions", "kind", ACTION_KINDS),
    ):
        change = sa.text(f"UPDATE {table} SET {column} = :after WHERE {column} = :before")  # noqa: S608
        for pair in values.items():
            before, after = _order(pair, is_forward)
            op.get_bind().execute(change, {"before": before, "after": after})
    metrics = sa.text(
        "UPDATE evaluations SET metric = CAST(:after AS TEXT) || substr(metric, :rest) "
        "WHERE substr(metric, 1, :n) = :prefix"
    )
    for pair in METRIC_PREFIXES.items():
        before, after = _order(pair, is_forward)
        n = len(before) + 1
        given = {"after": after, "rest": n, "n": n, "prefix": f"{before}_"}
        op.get_bind().execute(metrics, given)
