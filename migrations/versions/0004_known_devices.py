"""Devices that a user logged in with before, and the tries that were made from them."""

import sqlalchemy as sa
from alembic import op

TIME = sa.DateTime(timezone=True)

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "known_devices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_known_devices"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], "fk_known_devices_user_id_users", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("token_hash", "user_id", name="uq_known_devices_token_hash_user_id"),
    )
    op.create_index("ix_known_devices_user_id", "known_devices", ["user_id"])
    with op.batch_alter_table("login_attempts") as attempts:
        attempts.add_column(sa.Column("device_id", sa.Integer(), nullable=True))
        attempts.create_foreign_key(
            "fk_login_attempts_device_id_known_devices",
            "known_devices", ["device_id"], ["id"], ondelete="CASCADE",
        )  # fmt: skip
        attempts.create_index("ix_login_attempts_device_id", ["device_id"])


def downgrade() -> None:
    # Without the column a device's own tries would count against everybody at its address.
    op.execute("DELETE FROM login_attempts WHERE device_id IS NOT NULL")
    with op.batch_alter_table("login_attempts") as attempts:
        attempts.drop_index("ix_login_attempts_device_id")
        attempts.drop_constraint("fk_login_attempts_device_id_known_devices", type_="foreignkey")
        attempts.drop_column("device_id")
    op.drop_index("ix_known_devices_user_id", "known_devices")
    op.drop_table("known_devices")
