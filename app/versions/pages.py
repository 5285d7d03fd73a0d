"""Pages of versions: lineage, comparison, trying a text, bundles."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.accounts.access import Admin
from app.db.session import Db, ReadDb
from app.errors import AppError
from app.models import Project, Version
from app.projects.access import AdminProject, CurrentProject
from app.projects.labels import list_all_labels
from app.search.indexes import open_version
from app.search.model_cache import is_loaded
from app.search.versions import can_roll_back, find_version
from app.training.reports.run_summary import load_version_summaries
from app.versions.bundle import bundle_response
from app.versions.comparison import compare
from app.versions.lineage import build_lineage
from app.versions.retention import delete_version, describe, reason_to_keep, set_retention_limit
from app.versions.try_text import TextTrial, find_raw_and_active, try_text
from app.web.templating import redirect_to, render, wants_fragment

router = APIRouter(prefix="/projects/{slug}/versions", include_in_schema=False)
Number = Annotated[int, Form(ge=0, lt=2**31)]


@router.get("", name="show_versions")
def show_versions(request: Request, project: CurrentProject, db: ReadDb) -> Response:
    """Show all versions with lineage, metrics and disk space."""
    kin = build_lineage(db, project)
    return render(
        request,
        "versions/versions.html",
        project=project,
        kin=kin,
        stays={each.version.id: reason_to_keep(db, project, each.version) for each in kin},
        can_roll_back=can_roll_back(db, project.id),
        keep=db.get_one(Project, project.id).keep_versions,
    )


@router.get("/compare", name="compare_versions")
def compare_versions(
    request: Request,
    project: CurrentProject,
    db: ReadDb,
    a: Annotated[int, Query(ge=1, lt=2**31)],
    b: Annotated[int, Query(ge=1, lt=2**31)],
) -> Response:
    """Compare two versions."""
    first, second = find_version(db, project.id, a), find_version(db, project.id, b)
    facts = {summary.version.id: summary for summary in load_version_summaries(db, project)}
    return render(
        request,
        "versions/compare.html",
        project=project,
        first=facts[first.id],
        second=facts[second.id],
        comparison=compare(open_version(db, first.id), open_version(db, second.id)),
        labels={label.id: label for label in list_all_labels(db, project.id)},
    )


@router.get("/try", name="try_versions")
def try_versions(
    request: Request,
    project: CurrentProject,
    db: ReadDb,
    text: Annotated[str, Query()] = "",
    now: str = "",
) -> Response:
    """Run the raw and the active version on a text."""
    pair = find_raw_and_active(db, project)
    is_slow = any(not is_loaded(db, version) for version in pair)
    must_wait = bool(text.strip()) and is_slow and not now and not wants_fragment(request)
    tried, trouble = (
        (None, None) if must_wait or not text.strip() else _try_text(db, project, text, pair)
    )
    template = "versions/_predictions.html" if wants_fragment(request) else "versions/try.html"
    return render(
        request,
        template,
        project=project,
        text=text,
        tried=tried,
        trouble=trouble,
        must_wait=must_wait,
        can_try=bool(pair),
    )


@router.post("/{number}/note", name="save_version_note")
def save_version_note(
    request: Request,
    project: AdminProject,
    number: int,
    db: Db,
    note: Annotated[str, Form()] = "",
    is_pinned: Annotated[bool, Form()] = False,
) -> Response:
    """Set a version's note and pin."""
    describe(db, project, number, note, is_pinned=is_pinned)
    return redirect_to(request, "show_versions", slug=project.slug)


@router.post("/{number}/delete", name="delete_version")
def take_version_away(
    request: Request, project: AdminProject, user: Admin, number: int
) -> Response:
    """Delete a version's files; metrics and labels are kept."""
    delete_version(project, number, by=user)
    return redirect_to(request, "show_versions", slug=project.slug)


@router.post("/retention", name="keep_versions")
def keep_versions(request: Request, project: AdminProject, db: Db, n: Number) -> Response:
    """Set how many tuned versions are kept."""
    set_retention_limit(db, project.id, n)
    return redirect_to(request, "show_versions", slug=project.slug)


@router.get("/{number}/bundle", name="download_version")
def download_version(project: CurrentProject, number: int, db: ReadDb) -> Response:
    """Download the version as zip file."""
    return bundle_response(db, project, number)


def _try_text(
    db: Session, project: Project, text: str, pair: list[Version]
) -> tuple[list[TextTrial] | None, Any]:
    try:
        return [try_text(db, project, text, version) for version in pair], None
    except AppError as trouble:
        return None, trouble.sentence
