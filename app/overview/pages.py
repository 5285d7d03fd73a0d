"""Overview pages: all projects, and one project with the next step."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.accounts.access import Admin, CurrentUser
from app.db.session import Db, ReadDb
from app.errors import AppError
from app.labeling.team.assignments import list_assigned_sessions
from app.models import Project, User
from app.overview.cards import list_project_cards
from app.overview.checklist import build_checklist, find_next_step
from app.overview.project_summary import load_project_summary
from app.projects.access import CurrentProject
from app.projects.projects import create_project
from app.settings import settings
from app.training.reports.metrics import WORDS
from app.web.templating import redirect_to, render

router = APIRouter(include_in_schema=False)


@router.get("/")
def show_projects(request: Request, user: CurrentUser, db: ReadDb) -> Response:
    """Show all projects this user may see."""
    return _render_projects(request, db, user)


@router.post("/projects")
def add_project(
    request: Request,
    admin: Admin,
    db: Db,
    name: Annotated[str, Form()],
    is_multi_label: Annotated[bool, Form()] = False,
    base_model: Annotated[str, Form()] = "",
) -> Response:
    """Create a project and redirect to its import page."""
    try:
        project = create_project(
            db, name, is_multi_label=is_multi_label, base_model=base_model or None, by=admin
        )
    except AppError as error:
        return _render_projects(request, db, admin, error=error)
    return redirect_to(request, "show_project", slug=project.slug)


@router.get("/projects/{slug}")
def show_project(
    request: Request, project: CurrentProject, user: CurrentUser, db: ReadDb
) -> Response:
    """Show the project's status and the next step."""
    return _render_project(request, db, project, user, "overview/project.html")


@router.get("/projects/{slug}/status")
def show_standing(
    request: Request, project: CurrentProject, user: CurrentUser, db: ReadDb
) -> Response:
    """Show the status alone, for open pages to reload while something is running."""
    return _render_project(request, db, project, user, "overview/_status.html")


def _render_project(
    request: Request, db: Session, project: Project, user: User, template: str
) -> Response:
    now = load_project_summary(db, project)
    steps = build_checklist(project, now)
    is_moving = now.moving_run is not None or any(step.is_moving for step in steps)
    return render(
        request,
        template,
        project=project,
        facts=now,
        steps=steps,
        next=find_next_step(steps),
        is_moving=is_moving,
        metrics=WORDS,
        assigned=list_assigned_sessions(db, project.id, user.id),
    )


def _render_projects(
    request: Request, db: Session, user: User, error: AppError | None = None
) -> Response:
    return render(
        request,
        "overview/projects.html",
        status=error.status if error else 200,
        cards=list_project_cards(db, user),
        base_model=settings().base_model,
        error=error.sentence if error else None,
    )
