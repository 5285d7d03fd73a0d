"""The search room for people."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from app.database import ReadDb
from app.errors import AppError
from app.html import render, wants_fragment
from app.models import Label, Project, Record
from app.projects.access import InProject
from app.projects.labels import label_set
from app.records.records import field_names, records_of
from app.search.asking import Asked
from app.search.base_models import is_loaded
from app.search.embedding import progress
from app.search.encoders import active_encoder, versions
from app.search.results import Results, find

router = APIRouter(include_in_schema=False)

SEEDS_SHOWN = 5
SIZES = (20, 50, 100, 200, 500, 1000)


@router.get("/projects/{slug}/search")
def show_search(request: Request, project: InProject, db: ReadDb) -> HTMLResponse:
    """The form with the search that the address says, and what it found."""
    asked = Asked.from_query(request.query_params)
    if wants_fragment(request):
        results, trouble = _found(db, project, asked)
        return _shown(request, "_results.html", project, asked, results, trouble, status=200)
    # A text whose encoder is not loaded yet is asked for by the page itself, so that people see
    # what they wait for.
    must_wait = _is_slow(db, project, asked) and "now" not in request.query_params
    results, trouble = (None, None) if must_wait else _found(db, project, asked)
    return _shown(
        request, "search.html", project, asked, results, trouble,
        status=200 if trouble is None else trouble.status,
        must_wait=must_wait, **_form(db, project, asked),
    )  # fmt: skip


def _shown(
    request: Request,
    template: str,
    project: Project,
    asked: Asked,
    results: Results | None,
    trouble: AppError | None,
    **more: Any,
) -> HTMLResponse:
    sentence = None if trouble is None else trouble.sentence
    return render(
        request, f"search/{template}",
        project=project, asked=asked, results=results, trouble=sentence, **more,
    )  # fmt: skip


def _found(db: Session, project: Project, asked: Asked) -> tuple[Results | None, AppError | None]:
    """The results, or the sentence that stands in their place; neither where nothing was asked."""
    if asked.seed is None:
        return None, None
    try:
        return find(db, project, asked), None
    except AppError as trouble:
        return None, trouble


def _is_slow(db: Session, project: Project, asked: Asked) -> bool:
    is_text = asked.seed is not None and asked.seed.kind == "text"
    active = active_encoder(db, project.id)
    return is_text and active is not None and not is_loaded(db, active)


def _form(db: Session, project: Project, asked: Asked) -> dict[str, Any]:
    """What the form offers, and what it shows of the seed."""
    return {
        "embedding": progress(db, project),
        "labels": label_set(db, project.id),
        "fields": field_names(db, project.id),
        "sizes": SIZES,
        "versions": versions(db, project.id),
        "active": active_encoder(db, project.id),
        "seed_records": _seed_records(db, project, asked),
        "seed_label": _seed_label(db, project, asked),
    }


def _seed_records(db: Session, project: Project, asked: Asked) -> list[Record]:
    ids = asked.seed.record_ids[:SEEDS_SHOWN] if asked.seed else ()
    known = records_of(db, ids)
    return [known[each] for each in ids if each in known and known[each].project_id == project.id]


def _seed_label(db: Session, project: Project, asked: Asked) -> Label | None:
    if asked.seed is None or asked.seed.label_id is None:
        return None
    label = db.get(Label, asked.seed.label_id)
    return label if label is not None and label.project_id == project.id else None
