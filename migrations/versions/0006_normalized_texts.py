"""Records keep a hash of their text without its capitals and extra white space."""

import hashlib
import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

AT_ONCE = 2_000


def upgrade() -> None:
    op.add_column(
        "records",
        sa.Column("normalized_hash", sa.String(32), nullable=False, server_default=""),
    )
    connection = op.get_bind()
    following = sa.text("SELECT id, text FROM records WHERE id > :last ORDER BY id LIMIT :n")
    change = sa.text("UPDATE records SET normalized_hash = :hash WHERE id = :id")
    last = 0
    while rows := connection.execute(following, {"last": last, "n": AT_ONCE}).all():
        connection.execute(change, [{"id": row.id, "hash": _hash(row.text)} for row in rows])
        last = rows[-1].id
    op.create_index(
        "ix_records_project_id_normalized_hash", "records", ["project_id", "normalized_hash"]
    )


def _hash(text: str) -> str:
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    words = " ".join(folded.split())
    return hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def downgrade() -> None:
    op.drop_index("ix_records_project_id_normalized_hash", "records")
    op.drop_column("records", "normalized_hash")
