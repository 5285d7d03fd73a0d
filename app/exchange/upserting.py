"""Records that a program sends, stored like the rows of a file."""

import uuid
from collections.abc import Sequence

from app.database import transaction
from app.exchange.answers import RecordIn
from app.exchange.file_labels import Voice, ensure_labels
from app.exchange.incoming import Incoming, Refused, check_text, labels_of, make_incoming
from app.exchange.json_rows import is_too_deep
from app.exchange.reading import DEEPEST, Reject
from app.exchange.storing import Tally, store
from app.models import Act, Project


def upsert(
    project: Project, user_id: int, records: Sequence[RecordIn]
) -> tuple[Tally, list[Reject]]:
    """Store or update the records in one transaction; `line` of a reject counts from 1."""
    read = [_read(number, each, project) for number, each in enumerate(records, 1)]
    items = [each for each in read if isinstance(each, Incoming)]
    rejects = [each for each in read if isinstance(each, Reject)]
    labels: dict[str, int] = {}
    names = [name for item in items for name in item.labels or ()]
    ensure_labels(project.id, names, user_id, labels)
    with transaction() as db:
        voice = None
        if names:
            key = f"records-{uuid.uuid4().hex}"
            act = Act(project_id=project.id, user_id=user_id, kind="import", key=key)
            db.add(act)
            db.flush()
            voice = Voice(user_id, act.id)
        return store(db, project.id, items, labels, voice), rejects


def _read(number: int, sent: RecordIn, project: Project) -> Incoming | Reject:
    try:
        if is_too_deep(sent.fields):
            raise Refused(f"nested deeper than {DEEPEST} levels", "fields")
        external_id = sent.external_id
        return make_incoming(
            None if external_id is None else check_text(external_id, "external_id").strip(),
            check_text(sent.text, "text"),
            sent.fields,
            labels_of(sent.label, "", "label"),
            is_multi_label=project.is_multi_label,
            text_column="text",
        )
    except Refused as refused:
        return Reject(number, refused.column, refused.reason)
