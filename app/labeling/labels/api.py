"""The label set for programs."""

from fastapi import APIRouter
from pydantic import Field

from app.accounts.access import CurrentUser
from app.db.session import Db, ReadDb
from app.labeling.labels import label_set as edits
from app.labeling.schemas import LabelResponse
from app.projects.access import CurrentProject
from app.projects.labels import add_label as new_label
from app.projects.labels import list_all_labels
from app.records.schemas import Id
from app.web.schemas import StrictModel

router = APIRouter()


class NewLabelBody(StrictModel):
    """A label to add."""

    name: str


class EditBody(StrictModel):
    """What to change; what is missing stays. move: steps up (negative) or down."""

    name: str | None = None
    colour: int | None = None
    move: int | None = Field(default=None, ge=-10_000, le=10_000)


class MergeBody(StrictModel):
    """The label that this one counts for from now on."""

    into_id: Id


@router.get("/projects/{slug}/labels")
def list_labels(project: CurrentProject, db: ReadDb) -> list[LabelResponse]:
    """Every label that the project ever had, by position."""
    return [LabelResponse.of(label) for label in list_all_labels(db, project.id)]


@router.post("/projects/{slug}/labels", status_code=201)
def create_label(
    project: CurrentProject, user: CurrentUser, body: NewLabelBody, db: Db
) -> LabelResponse:
    """Add a label at the end of the set."""
    return LabelResponse.of(new_label(db, project.id, body.name, user))


@router.patch("/projects/{slug}/labels/{label_id}")
def edit_label(
    project: CurrentProject, user: CurrentUser, label_id: int, body: EditBody, db: Db
) -> LabelResponse:
    """Rename, recolour or move a label."""
    edits.require_editor(user)
    label = edits.find_label(db, project.id, label_id)
    if body.name is not None:
        label = edits.rename(db, project.id, label_id, body.name, user)
    if body.colour is not None:
        label = edits.recolour(db, project.id, label_id, body.colour, user)
    if body.move is not None:
        label = edits.move(db, project.id, label_id, body.move, user)
    return LabelResponse.of(label)


@router.post("/projects/{slug}/labels/{label_id}/merge")
def merge_labels(
    project: CurrentProject, user: CurrentUser, label_id: int, body: MergeBody, db: Db
) -> LabelResponse:
    """Merge a label into another."""
    edits.require_editor(user)
    return LabelResponse.of(edits.merge(db, project.id, label_id, body.into_id, user))


@router.delete("/projects/{slug}/labels/{label_id}")
def withdraw_label(
    project: CurrentProject, user: CurrentUser, label_id: int, db: Db
) -> LabelResponse:
    """Retire a label: nothing that was labeled with it is lost."""
    edits.require_editor(user)
    return LabelResponse.of(edits.retire(db, project.id, label_id, user))


@router.post("/projects/{slug}/labels/{label_id}/restore")
def restore_label(
    project: CurrentProject, user: CurrentUser, label_id: int, db: Db
) -> LabelResponse:
    """Offer a retired or merged label again."""
    edits.require_editor(user)
    return LabelResponse.of(edits.restore(db, project.id, label_id, user))
