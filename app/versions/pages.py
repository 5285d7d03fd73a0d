"""Versions for people: the family, two side by side, a text to try, a bundle to take away."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.accounts.access import Admin
from app.database import Db, ReadDb
from app.errors import AppError
from app.html import render, see, wants_fragment
from app.models import Encoder, Project
from app.projects.access import AdminsProject, InProject
from app.projects.labels import every_label
from app.search.base_models import is_loaded
from app.search.encoders import can_roll_back, find_version
from app.search.indexes import open_version
from app.training.facts import versions_of
from app.versions.bundle import bundle_answer
from app.versions.comparing import compare
from app.versions.keeping import delete_version, describe, keep_at_most, reason_to_stay
from app.versions.lineage import family
from app.versions.trying import Tried, raw_and_active, try_text

router = APIRouter(prefix="/projects/{slug}/versions", include_in_schema=False)
Number = Annotated[int, Form(ge=0, lt=2**31)]


@router.get("", name="show_versions")
def show_versions(request: Request, project: InProject, db: ReadDb) -> Response:
    """Every version, whence it comes, how it measured, what it takes."""
    kin = family(db, project)
    return render(
        request, "versions/versions.html", project=project, kin=kin,
        stays={each.encoder.id: reason_to_stay(db, project, each.encoder) for each in kin},
        can_roll_back=can_roll_back(db, project.id),
        keep=db.get_one(Project, project.id).keep_versions,
    )  # fmt: skip


@router.get("/compare", name="compare_versions")
def compare_versions(
    request: Request, project: InProject, db: ReadDb,
    a: Annotated[int, Query(ge=1, lt=2**31)], b: Annotated[int, Query(ge=1, lt=2**31)],
) -> Response:  # fmt: skip
    """Two versions side by side."""
    first, second = find_version(db, project.id, a), find_version(db, project.id, b)
    facts = {each.encoder.id: each for each in versions_of(db, project)}
    return render(
        request, "versions/compare.html", project=project,
        first=facts[first.id], second=facts[second.id],
        comparison=compare(open_version(db, first.id), open_version(db, second.id)),
        labels={label.id: label for label in every_label(db, project.id)},
    )  # fmt: skip


@router.get("/try", name="try_versions")
def try_versions(
    request: Request, project: InProject, db: ReadDb,
    text: Annotated[str, Query()] = "", now: str = "",
) -> Response:  # fmt: skip
    """What the raw version and the one in use make of a text."""
    pair = raw_and_active(db, project)
    is_slow = any(not is_loaded(db, encoder) for encoder in pair)
    must_wait = bool(text.strip()) and is_slow and not now and not wants_fragment(request)
    tried, trouble = (
        (None, None) if must_wait or not text.strip() else _tried(db, project, text, pair)
    )
    template = "versions/_tried.html" if wants_fragment(request) else "versions/try.html"
    return render(
        request, template, project=project, text=text, tried=tried, trouble=trouble,
        must_wait=must_wait, can_try=bool(pair),
    )  # fmt: skip


@router.post("/{number}/describe", name="describe_version")
def describe_version(
    request: Request, project: AdminsProject, number: int, db: Db,
    note: Annotated[str, Form()] = "", is_pinned: Annotated[bool, Form()] = False,
) -> Response:  # fmt: skip
    """A note, and whether it stays whatever the rule says."""
    describe(db, project, number, note, is_pinned=is_pinned)
    return see(request, "show_versions", slug=project.slug)


@router.post("/{number}/delete", name="delete_version")
def take_version_away(
    request: Request, project: AdminsProject, user: Admin, number: int
) -> Response:
    """Its files go; what was measured and labeled with it stays."""
    delete_version(project, number, by=user)
    return see(request, "show_versions", slug=project.slug)


@router.post("/keep", name="keep_versions")
def keep_versions(request: Request, project: AdminsProject, db: Db, n: Number) -> Response:
    """How many tuned versions stay by themselves."""
    keep_at_most(db, project.id, n)
    return see(request, "show_versions", slug=project.slug)


@router.get("/{number}/bundle", name="download_version")
def download_version(project: InProject, number: int, db: ReadDb) -> Response:
    """The version as one zip file."""
    return bundle_answer(db, project, number)


def _tried(
    db: Session, project: Project, text: str, pair: list[Encoder]
) -> tuple[list[Tried] | None, Any]:
    try:
        return [try_text(db, project, text, encoder) for encoder in pair], None
    except AppError as trouble:
        return None, trouble.sentence
