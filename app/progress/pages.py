"""The progress page, its downloads, and the goal."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Form, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.accounts.access import CurrentUser
from app.db.session import Db, ReadDb
from app.errors import AppError, Invalid
from app.labeling.labels.label_set import EDITORS
from app.labeling.team.agreement import compute_agreement
from app.models import Project, User
from app.progress.chart import build_chart
from app.progress.goals import format_goal, set_goal
from app.progress.report import build_report
from app.progress.tables import build_table
from app.projects.access import AdminProject, CurrentProject
from app.web.csv_tables import csv_response
from app.web.templating import redirect_to, render, wants_fragment

router = APIRouter(prefix="/projects/{slug}/progress", include_in_schema=False)


@router.get("", name="show_progress")
def show_progress(
    request: Request, project: CurrentProject, user: CurrentUser, db: ReadDb
) -> Response:
    """Show the progress page."""
    return _render_progress(request, db, project, user)


@router.post("/goal")
def post_goal(
    request: Request,
    project: AdminProject,
    user: CurrentUser,
    db: Db,
    goal: Annotated[str, Form(max_length=40)] = "",
    until: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Set or remove the goal."""
    try:
        set_goal(db, project, goal, _parse_day(until))
    except AppError as error:
        return _render_progress(request, db, project, user, error=error, typed=(goal, until))
    return redirect_to(request, "show_progress", slug=project.slug)


@router.get("/agreement")
def show_agreement(
    request: Request, project: CurrentProject, user: CurrentUser, db: ReadDb
) -> Response:
    """Show inter-annotator agreement; names only for reviewers and admins."""
    template = "_agreement" if wants_fragment(request) else "agreement"
    return render(
        request,
        f"progress/{template}.html",
        project=project,
        agreement=compute_agreement(db, project),
        is_everybody=user.role in EDITORS,
    )


@router.get("/{name}.csv")
def download_table(project: CurrentProject, user: CurrentUser, db: ReadDb, name: str) -> Response:
    """Download one of the page's tables as CSV."""
    columns, rows = build_table(build_report(db, project, user), name)
    return csv_response(f"{project.slug}-{name}.csv", columns, rows)


def _render_progress(
    request: Request,
    db: Session,
    project: Project,
    user: User,
    *,
    error: AppError | None = None,
    typed: tuple[str, str] | None = None,
) -> Response:
    found = build_report(db, project, user)
    until = project.goal_on.isoformat() if project.goal_on else ""
    return render(
        request,
        "progress/progress.html",
        status=error.status if error else 200,
        project=project,
        report=found,
        chart=build_chart(found.timeline, found.goal) if found.timeline else None,
        typed=typed or (format_goal(project), until),
        error=error.sentence if error else None,
    )


def _parse_day(words: str) -> date | None:
    try:
        return date.fromisoformat(words) if words else None
    except ValueError:
        raise Invalid("The deadline must be a date such as 2026-12-24.") from None
