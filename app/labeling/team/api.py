"""Labeling by several people, for programs: who labels what, and which records several judge."""

from dataclasses import asdict

from fastapi import APIRouter
from pydantic import Field

from app.accounts.access import CurrentUser
from app.db.session import Db, ReadDb
from app.labeling.sessions.sessions import find_session
from app.labeling.team.assignments import MOST_ASSIGNED, assign, load_assignees
from app.labeling.team.multi_annotation import (
    MOST_PEOPLE,
    multi_annotation_share,
    set_multi_annotation,
)
from app.projects.access import AdminProject, CurrentProject
from app.records.schemas import Id
from app.web.schemas import StrictModel

router = APIRouter()


class AssigneeResponse(StrictModel):
    """Somebody who shall label a session, and how far they are."""

    user_id: int
    name: str
    n_decided: int
    n_records: int
    is_done: bool


class AssignBody(StrictModel):
    """Exactly these users; nobody takes the session from everybody."""

    user_ids: list[Id] = Field(max_length=MOST_ASSIGNED)


class MultiAnnotationBody(StrictModel):
    """share: of the records, in [0, 1], that count as labeled once n_people judged each."""

    share: float = Field(ge=0, le=1)
    n_people: int = Field(default=2, ge=2, le=MOST_PEOPLE)


@router.get("/projects/{slug}/sessions/{session_id}/assignments")
def list_assignments(
    project: CurrentProject, session_id: int, db: ReadDb
) -> list[AssigneeResponse]:
    """Those to whom a session is assigned."""
    session = find_session(db, project.id, session_id)
    found = load_assignees(db, [session.id]).get(session.id, [])
    return [AssigneeResponse(**asdict(each), is_done=each.is_done) for each in found]


@router.put("/projects/{slug}/sessions/{session_id}/assignments")
def replace_assignments(
    project: CurrentProject, user: CurrentUser, session_id: int, body: AssignBody, db: Db
) -> list[AssigneeResponse]:
    """Assign a session to exactly these users: for admins and reviewers."""
    session = find_session(db, project.id, session_id)
    assign(db, project, session, body.user_ids, user)
    return list_assignments(project, session_id, db)


@router.get("/projects/{slug}/multi-annotation")
def read_multi_annotation(project: CurrentProject) -> MultiAnnotationBody:
    """Which records several people judge."""
    return MultiAnnotationBody(
        share=round(multi_annotation_share(project), 6), n_people=project.n_annotators_per_record
    )


@router.put("/projects/{slug}/multi-annotation")
def replace_multi_annotation(
    project: AdminProject, user: CurrentUser, body: MultiAnnotationBody, db: Db
) -> MultiAnnotationBody:
    """Say which records several people judge; what was said about them is settled anew."""
    set_multi_annotation(db, project, body.share, body.n_people, user)
    return body
