"""API for listing and searching records, and for saved searches."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from app.accounts.access import CurrentUser
from app.db.session import Db, ReadDb
from app.projects.access import CurrentProject
from app.record_search.rows import Row, load_listing
from app.record_search.saved_searches import (
    add_saved_search,
    count_found,
    delete_saved_search,
    find_saved_search,
    list_project_searches,
    rename_saved_search,
)
from app.record_search.schemas import (
    MOST_AT_ONCE,
    FoundRecord,
    FoundSuggestion,
    NameBody,
    RecordPageResponse,
    RecordSearchBody,
    RecordSearchResponse,
    SavedSearchBody,
    SavedSearchResponse,
    SavedSearchWithCount,
)
from app.records.api import RecordResponse, describe_records
from app.records.filters import Filters
from app.records.records import count_records, load_page, load_records
from app.search.request import SearchRequest
from app.search.suggestion_filters import resolve_suggestion_filters

router = APIRouter(prefix="/api/v1", tags=["records"])


@router.get("/projects/{slug}/records")
def list_records(
    request: Request,
    project: CurrentProject,
    db: ReadDb,
    after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE)] = 100,
) -> RecordPageResponse:
    """List records in the order of their ids, with the filters of the records page.

    Filters: q, state, label, field, value, suggested, least, most, by, source, since, until,
    when, import.
    """
    filters = resolve_suggestion_filters(db, project, Filters.from_query(request.query_params))
    page = load_page(db, project.id, filters, after, limit)
    return RecordPageResponse(
        n_matching=count_records(db, project.id, filters),
        next_after_id=page.next_after_id,
        records=[
            RecordResponse(**record) for record in describe_records(db, project, page.records)
        ],
    )


@router.post("/projects/{slug}/records:search")
def search_records(
    project: CurrentProject, body: RecordSearchBody, db: ReadDb
) -> RecordSearchResponse:
    """Search records as the records page does."""
    found = load_listing(db, project, body.to_request(), body.limit)
    whole = load_records(db, [row.record.id for row in found.rows])
    rows = [row for row in found.rows if row.record.id in whole]
    facts = describe_records(db, project, [whole[row.record.id] for row in rows])
    return RecordSearchResponse(
        items=[_build_found_record(row, each) for row, each in zip(rows, facts, strict=True)],
        total=found.n_total,
        next=found.after or None,
        is_cut=found.is_cut,
        version=found.version,
    )


def _build_found_record(row: Row, facts: dict[str, object]) -> FoundRecord:
    suggestions = [
        FoundSuggestion(label_id=label.id, label=label.name, score=score)
        for label, score in row.suggestions
    ]
    ranking = {name: getattr(row, name) for name in _RANKING}
    return FoundRecord.model_validate({**facts, **ranking, "suggestions": suggestions})


_RANKING = ("place", "score", "similarity", "word_rank", "meaning_rank")


@router.get("/projects/{slug}/saved-searches")
def list_saved_searches(project: CurrentProject, db: ReadDb) -> list[SavedSearchResponse]:
    """List the project's saved searches by name."""
    return [
        SavedSearchResponse.of(project.slug, search)
        for search in list_project_searches(db, project.id)
    ]


@router.post("/projects/{slug}/saved-searches", status_code=201)
def create_saved_search(
    project: CurrentProject, user: CurrentUser, body: SavedSearchBody, db: Db
) -> SavedSearchResponse:
    """Save a search."""
    search = SearchRequest.from_query(body.request)
    return SavedSearchResponse.of(
        project.slug, add_saved_search(db, project, user, body.name, search)
    )


@router.get("/projects/{slug}/saved-searches/{saved_search_id}")
def read_saved_search(
    project: CurrentProject, saved_search_id: int, db: ReadDb
) -> SavedSearchWithCount:
    """Return a saved search with its number of records."""
    found = find_saved_search(db, project.id, saved_search_id)
    plain = SavedSearchResponse.of(project.slug, found).model_dump()
    return SavedSearchWithCount(**plain, n_records=count_found(db, project, found))


@router.patch("/projects/{slug}/saved-searches/{saved_search_id}")
def change_saved_search(
    project: CurrentProject, user: CurrentUser, saved_search_id: int, body: NameBody, db: Db
) -> SavedSearchResponse:
    """Rename a saved search."""
    found = find_saved_search(db, project.id, saved_search_id)
    return SavedSearchResponse.of(project.slug, rename_saved_search(db, found, user, body.name))


@router.delete("/projects/{slug}/saved-searches/{saved_search_id}", status_code=204)
def remove_saved_search(
    project: CurrentProject, user: CurrentUser, saved_search_id: int, db: Db
) -> None:
    """Delete a saved search. Its records are kept."""
    delete_saved_search(db, find_saved_search(db, project.id, saved_search_id), user)
