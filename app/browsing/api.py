"""The records page for programs: browsing, searching, slices."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from app.accounts.access import CurrentUser
from app.browsing.answers import (
    MOST_AT_ONCE,
    CountedSlice,
    FoundRecord,
    FoundSuggestion,
    NameBody,
    RecordsAnswer,
    SearchedAnswer,
    SearchedBody,
    SliceAnswer,
    SliceBody,
)
from app.browsing.asked import Asked
from app.browsing.rows import Row, listing
from app.browsing.slices import (
    add_slice,
    delete_slice,
    find_slice,
    n_records,
    rename_slice,
    slices_of,
)
from app.database import Db, ReadDb
from app.projects.access import InProject
from app.records.api import RecordAnswer, record_facts
from app.records.filters import Filters
from app.records.records import browse, count, records_of
from app.search.narrowing import narrowed

router = APIRouter(prefix="/api/v1", tags=["records"])


@router.get("/projects/{slug}/records")
def list_records(
    request: Request, project: InProject, db: ReadDb,
    after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE)] = 100,
) -> RecordsAnswer:  # fmt: skip
    """Records in the order of their ids, narrowed as the page's address is.

    q, state, label, field, value, suggested, least, most, by, source, since, until, when, import.
    """
    filters = narrowed(db, project, Filters.from_query(request.query_params))
    page = browse(db, project.id, filters, after, limit)
    return RecordsAnswer(
        n_matching=count(db, project.id, filters), next_after_id=page.next_after_id,
        records=[RecordAnswer(**each) for each in record_facts(db, project, page.records)],
    )  # fmt: skip


@router.post("/projects/{slug}/records:search")
def search_records(project: InProject, body: SearchedBody, db: ReadDb) -> SearchedAnswer:
    """The search of the records page. Stores nothing."""
    found = listing(db, project, body.as_asked(), body.limit)
    whole = records_of(db, [row.record.id for row in found.rows])
    rows = [row for row in found.rows if row.record.id in whole]
    facts = record_facts(db, project, [whole[row.record.id] for row in rows])
    return SearchedAnswer(
        items=[_found(row, each) for row, each in zip(rows, facts, strict=True)],
        total=found.n_total, next=found.after or None, is_cut=found.is_cut, version=found.version,
    )  # fmt: skip


def _found(row: Row, facts: dict[str, object]) -> FoundRecord:
    suggestions = [
        FoundSuggestion(label_id=label.id, label=label.name, score=score)
        for label, score in row.suggestions
    ]
    ranking = {name: getattr(row, name) for name in _RANKING}
    return FoundRecord.model_validate({**facts, **ranking, "suggestions": suggestions})


_RANKING = ("place", "score", "similarity", "word_rank", "meaning_rank")


@router.get("/projects/{slug}/slices")
def list_slices(project: InProject, db: ReadDb) -> list[SliceAnswer]:
    """The project's slices, by name."""
    return [SliceAnswer.of(project.slug, each) for each in slices_of(db, project.id)]


@router.post("/projects/{slug}/slices", status_code=201)
def create_slice(project: InProject, user: CurrentUser, body: SliceBody, db: Db) -> SliceAnswer:
    """Keep a search under a name."""
    asked = Asked.from_query(body.asked)
    return SliceAnswer.of(project.slug, add_slice(db, project, user, body.name, asked))


@router.get("/projects/{slug}/slices/{slice_id}")
def read_slice(project: InProject, slice_id: int, db: ReadDb) -> CountedSlice:
    """One slice, counted."""
    found = find_slice(db, project.id, slice_id)
    plain = SliceAnswer.of(project.slug, found).model_dump()
    return CountedSlice(**plain, n_records=n_records(db, project, found))


@router.patch("/projects/{slug}/slices/{slice_id}")
def change_slice(
    project: InProject, user: CurrentUser, slice_id: int, body: NameBody, db: Db
) -> SliceAnswer:
    """Give it another name."""
    found = find_slice(db, project.id, slice_id)
    return SliceAnswer.of(project.slug, rename_slice(db, found, user, body.name))


@router.delete("/projects/{slug}/slices/{slice_id}", status_code=204)
def remove_slice(project: InProject, user: CurrentUser, slice_id: int, db: Db) -> None:
    """Forget the name; the records stay."""
    delete_slice(db, find_slice(db, project.id, slice_id), user)
