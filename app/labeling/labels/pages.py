"""The label set as a page: add, rename, recolour, move, merge, retire, undo."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.accounts.access import CurrentUser
from app.db.session import Db, ReadDb
from app.labeling.annotations.counts import count_by_label
from app.labeling.labels import label_set as edits
from app.labeling.labels.shortcuts import load_letters, pair_with_digits
from app.models import Label, LabelChange, Project, User
from app.projects.access import CurrentProject
from app.projects.labels import N_COLOURS, add_label, is_offered, list_all_labels
from app.web.templating import redirect_to, render

router = APIRouter()
LABEL = "/projects/{slug}/labels/{label_id}"


@router.get("/projects/{slug}/labels")
def show_labels(
    request: Request, project: CurrentProject, user: CurrentUser, db: ReadDb
) -> HTMLResponse:
    """Show the label set with counts, and what was changed in it."""
    labels = list_all_labels(db, project.id)
    offered = [label for label in labels if is_offered(label)]
    return render(
        request,
        "labeling/labels.html",
        project=project,
        keyed=_pair_with_keys(user, project, offered),
        away=[label for label in labels if not is_offered(label)],
        by_id={label.id: label for label in labels},
        counts=count_by_label(db, project.id),
        changes=_describe_changes(db, project),
        may_edit=edits.may_edit(user),
        n_colours=N_COLOURS,
    )


def _pair_with_keys(user: User, project: Project, offered: list[Label]) -> list[tuple[Label, str]]:
    """Return the labels in the order of the set, each with the key that this user presses for
    it."""
    digits = {label.id: digit for label, digit in pair_with_digits(user, project, offered)}
    keys = digits | load_letters(user, project, offered)
    return [(label, keys[label.id]) for label in offered]


def _describe_changes(db: Session, project: Project) -> list[tuple[LabelChange, str]]:
    names = {label.id: label.name for label in list_all_labels(db, project.id)}
    recent = edits.list_changes(db, project.id)
    users = {
        user_id: user.name
        for user_id in {change.user_id for change in recent if change.user_id}
        if (user := db.get(User, user_id)) is not None
    }
    return [
        (
            change,
            f"{users.get(change.user_id or 0, 'The command line')} "
            f"{_describe_change(change, names)}",
        )
        for change in recent
    ]


def _describe_change(change: LabelChange, names: dict[int, str]) -> str:
    name = names.get(change.label_id, "a label")
    into = names.get(change.after.get("merged_into_id") or 0, "another label")
    return {
        "add": f"added “{name}”",
        "rename": f"renamed “{change.before.get('name')}” to “{change.after.get('name')}”",
        "recolour": f"changed the colour of “{name}”",
        "move": f"moved “{name}”",
        "retire": f"retired “{name}”",
        "merge": f"merged “{name}” into “{into}”",
        "restore": f"restored “{name}”",
    }.get(change.kind, f"changed “{name}”")


@router.post("/projects/{slug}/labels")
def add_to_labels(
    request: Request,
    project: CurrentProject,
    user: CurrentUser,
    db: Db,
    name: Annotated[str, Form()] = "",
    session_id: Annotated[int | None, Form()] = None,
) -> Response:
    """Add a label; from a session's page the way leads back to the session."""
    add_label(db, project.id, name, user)
    if session_id:
        return redirect_to(request, "show_session", slug=project.slug, session_id=session_id)
    return redirect_to(request, "show_labels", slug=project.slug)


@router.post(LABEL + "/rename")
def rename_label(
    request: Request,
    project: CurrentProject,
    user: CurrentUser,
    label_id: int,
    db: Db,
    name: Annotated[str, Form()] = "",
) -> Response:
    """Give a label another name."""
    edits.require_editor(user)
    edits.rename(db, project.id, label_id, name, user)
    return _back(request, project)


@router.post(LABEL + "/recolour")
def recolour_label(
    request: Request,
    project: CurrentProject,
    user: CurrentUser,
    label_id: int,
    db: Db,
    colour: Annotated[int, Form()],
) -> Response:
    """Give a label another colour."""
    edits.require_editor(user)
    edits.recolour(db, project.id, label_id, colour, user)
    return _back(request, project)


@router.post(LABEL + "/move")
def move_label(
    request: Request,
    project: CurrentProject,
    user: CurrentUser,
    label_id: int,
    db: Db,
    steps: Annotated[Literal["-1", "1"], Form()],
) -> Response:
    """Move a label one place up or down; its key changes with its place."""
    edits.require_editor(user)
    edits.move(db, project.id, label_id, int(steps), user)
    return _back(request, project)


@router.post(LABEL + "/merge")
def merge_label(
    request: Request,
    project: CurrentProject,
    user: CurrentUser,
    label_id: int,
    db: Db,
    into_id: Annotated[int, Form()],
) -> Response:
    """Have a label count for another."""
    edits.require_editor(user)
    edits.merge(db, project.id, label_id, into_id, user)
    return _back(request, project)


@router.post(LABEL + "/retire")
def retire_label(
    request: Request, project: CurrentProject, user: CurrentUser, label_id: int, db: Db
) -> Response:
    """Offer a label no longer."""
    edits.require_editor(user)
    edits.retire(db, project.id, label_id, user)
    return _back(request, project)


@router.post(LABEL + "/restore")
def restore_label(
    request: Request, project: CurrentProject, user: CurrentUser, label_id: int, db: Db
) -> Response:
    """Offer a retired or merged label again."""
    edits.require_editor(user)
    edits.restore(db, project.id, label_id, user)
    return _back(request, project)


@router.post("/projects/{slug}/labels/changes/{change_id}/undo")
def undo_label_change(
    request: Request, project: CurrentProject, user: CurrentUser, change_id: int, db: Db
) -> Response:
    """Put back what one change changed."""
    edits.require_editor(user)
    edits.undo_change(db, project.id, change_id)
    return _back(request, project)


def _back(request: Request, project: Project) -> Response:
    url = request.url_for("show_labels", slug=project.slug).path
    return RedirectResponse(url, 303)
