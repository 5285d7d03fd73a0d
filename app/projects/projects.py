"""Create and find projects."""

import re
import unicodedata
from contextlib import suppress

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.accounts.audit_log import log_event
from app.errors import Conflict, Invalid, NotFound
from app.models import Project, User
from app.settings import settings

LONGEST_NAME = 120
# Room below the column's 80 characters for a number that makes the slug unique.
LONGEST_SLUG = 70
_ATTEMPTS = 20


def create_project(
    db: Session,
    name: str,
    *,
    is_multi_label: bool = False,
    base_model: str | None = None,
    by: User | None = None,
    is_sample: bool = False,
) -> Project:
    """Create an empty project; its slug comes from the name, with a number if taken.

    Raises Invalid when the name is empty or longer than 120 characters.
    """
    clean = " ".join(name.split())
    if not clean or len(clean) > LONGEST_NAME:
        raise Invalid(f"A project's name must have 1 to {LONGEST_NAME} characters.")
    project = _store(
        db,
        Project(
            name=clean,
            is_multi_label=is_multi_label,
            is_sample=is_sample,
            base_model=_validate_base_model(base_model),
            min_labels=settings().min_labels,
        ),
    )
    log_event(db, "project created", user_id=by.id if by else None, project_id=project.id)
    return project


def find_project(db: Session, slug: str) -> Project:
    """Find a project by slug, for any user. Raises NotFound."""
    project = db.scalar(select(Project).where(Project.slug == slug))
    if project is None:
        raise NotFound("project")
    return project


def find_named_project(db: Session, name: str) -> Project:
    """Find the project of that slug, or of the slug that this name gets. Raises NotFound."""
    with suppress(NotFound):
        return find_project(db, name)
    return find_project(db, make_slug(name))


def make_slug(name: str) -> str:
    """Make the name as it can stand in a URL: plain small letters, digits and hyphens."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LONGEST_SLUG].strip("-") or "project"


def _store(db: Session, project: Project) -> Project:
    """Store it under the first free slug, even if others make projects of that name meanwhile."""
    for _ in range(_ATTEMPTS):
        project.slug = _find_free_slug(db, project.name)
        with suppress(IntegrityError), db.begin_nested():
            db.add(project)
            db.flush()
            return project
    raise Conflict("Several projects with this name are being created. Try again in a few seconds.")


def _find_free_slug(db: Session, name: str) -> str:
    slug = make_slug(name)
    taken = set(db.scalars(select(Project.slug).where(Project.slug.startswith(slug))))
    if slug not in taken:
        return slug
    # Among len(taken) + 1 numbers, one at least is free.
    return next(f"{slug}-{n}" for n in range(2, len(taken) + 3) if f"{slug}-{n}" not in taken)


def _validate_base_model(base_model: str | None) -> str:
    model = (base_model or "").strip() or settings().base_model
    if len(model) > 300 or any(ord(letter) < 32 for letter in model):
        raise Invalid("The base model's name must be one line of at most 300 characters.")
    return model
