"""The records room for people."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from app.database import ReadDb
from app.html import render
from app.projects.access import InProject
from app.projects.labels import every_label, label_set
from app.records.filters import STATES, Filters
from app.records.history import history_of, remarks_on
from app.records.records import browse, consensus_of, count, field_names, find_record

router = APIRouter(include_in_schema=False)
# A text longer than this, in characters, is folded.
FOLDED = 20_000
STATE_WORDS = {
    "any": "all", "unlabeled": "unlabeled", "labeled": "labeled", "none": "none of these",
    "flagged": "flagged", "commented": "commented", "skipped": "skipped", "disagreed": "disagreed",
}  # fmt: skip


@router.get("/projects/{slug}/records")
def show_records(
    request: Request, project: InProject, db: ReadDb,
    after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> HTMLResponse:  # fmt: skip
    """A page of records under the filters of the address."""
    filters = Filters.from_query(request.query_params)
    page = browse(db, project.id, filters, after)
    return render(
        request, "records/records.html", project=project, filters=filters, page=page, after=after,
        n_matching=count(db, project.id, filters), fields=field_names(db, project.id),
        labels=label_set(db, project.id), states={each: STATE_WORDS[each] for each in STATES},
        label_of={label.id: label for label in every_label(db, project.id)},
        agreed=consensus_of(db, [record.id for record in page.records]),
        next_url=_url(request, filters, page.next_after_id) if page.next_after_id else None,
        first_url=_url(request, filters, None) if after else None,
    )  # fmt: skip


def _url(request: Request, filters: Filters, after_id: int | None) -> str:
    query = filters.as_query() | ({"after": str(after_id)} if after_id else {})
    return f"{request.url.path}?{urlencode(query)}"


@router.get("/projects/{slug}/records/{record_id}")
def show_record(request: Request, project: InProject, record_id: int, db: ReadDb) -> HTMLResponse:
    """One record: its text, its fields, and what was said about it."""
    record = find_record(db, project.id, record_id)
    return render(
        request, "records/record.html", project=project, record=record, folded=FOLDED,
        label_of={label.id: label for label in every_label(db, project.id)},
        agreed=consensus_of(db, [record.id]).get(record.id, []),
        history=history_of(db, record.id), remarks=remarks_on(db, record.id),
    )  # fmt: skip
