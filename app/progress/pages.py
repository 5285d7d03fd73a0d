"""The progress page, its downloads, and the goal."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Form, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.accounts.access import CurrentUser
from app.csv_tables import csv_answer
from app.database import Db, ReadDb
from app.errors import AppError, Invalid
from app.html import render, see, wants_fragment
from app.labeling.agreement import agreement
from app.labeling.label_set import EDITORS
from app.models import Project, User
from app.progress.chart import chart_of
from app.progress.goals import as_typed, set_goal
from app.progress.report import report
from app.progress.tables import table_of
from app.projects.access import AdminsProject, InProject

router = APIRouter(prefix="/projects/{slug}/progress", include_in_schema=False)


@router.get("", name="show_progress")
def show_progress(request: Request, project: InProject, user: CurrentUser, db: ReadDb) -> Response:
    """How far the project is, and which way of labeling pays."""
    return _progress(request, db, project, user)


@router.post("/goal")
def post_goal(
    request: Request,
    project: AdminsProject,
    user: CurrentUser,
    db: Db,
    goal: Annotated[str, Form(max_length=40)] = "",
    until: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Aim for something else, or for nothing."""
    try:
        set_goal(db, project, goal, _day(until))
    except AppError as error:
        return _progress(request, db, project, user, error=error, typed=(goal, until))
    return see(request, "show_progress", slug=project.slug)


@router.get("/agreement")
def show_agreement(request: Request, project: InProject, user: CurrentUser, db: ReadDb) -> Response:
    """How far people agree; names only for those who see everybody."""
    template = "_agreement" if wants_fragment(request) else "agreement"
    return render(
        request, f"progress/{template}.html", project=project,
        agreement=agreement(db, project), is_everybody=user.role in EDITORS,
    )  # fmt: skip


@router.get("/{name}.csv")
def download_table(project: InProject, user: CurrentUser, db: ReadDb, name: str) -> Response:
    """One of the page's tables as CSV."""
    columns, rows = table_of(report(db, project, user), name)
    return csv_answer(f"{project.slug}-{name}.csv", columns, rows)


def _progress(
    request: Request, db: Session, project: Project, user: User, *,
    error: AppError | None = None, typed: tuple[str, str] | None = None,
) -> Response:  # fmt: skip
    found = report(db, project, user)
    until = project.goal_on.isoformat() if project.goal_on else ""
    return render(
        request, "progress/progress.html", status=error.status if error else 200,
        project=project, report=found,
        chart=chart_of(found.course, found.goal) if found.course else None,
        typed=typed or (as_typed(project), until), error=error.sentence if error else None,
    )  # fmt: skip


def _day(words: str) -> date | None:
    try:
        return date.fromisoformat(words) if words else None
    except ValueError:
        raise Invalid("The day is written like 2026-12-24.") from None
