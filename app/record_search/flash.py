"""Flash message about the last action on the records pages, shown after the redirect."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.models import Annotation, Comment, Label, Project, User, UserAction
from app.models.enums import Verdict
from app.web.form_values import is_whole_number
from app.web.wording import format_count


@dataclass(frozen=True)
class FlashMessage:
    """A message, and the action that its button undoes or, if is_undone, redoes."""

    sentence: str
    action_id: int
    is_undone: bool


def load_flash(
    db: Session, project: Project, user: User, query: Mapping[str, str]
) -> FlashMessage | None:
    """Load the message about the user's own action that the URL names as `done`, if any."""
    written = query.get("done", "")
    if not is_whole_number(written):
        return None
    action = db.get(UserAction, int(written))
    if action is None or action.user_id != user.id or action.project_id != project.id:
        return None
    sentence = _sentence(db, action)
    if action.undone_at is not None:
        sentence = f"Undone: {sentence[0].lower()}{sentence[1:]}"
    return FlashMessage(sentence, action.id, action.undone_at is not None)


def _sentence(db: Session, action: UserAction) -> str:
    comments = dict(
        db.execute(
            select(Comment.kind, func.count())
            .where(Comment.action_id == action.id)
            .group_by(Comment.kind)
        ).all()
    )
    if comments:
        [(kind, n)] = comments.items()
        return "Comment added." if kind == "comment" else f"Flagged {format_count(n, 'record')}."
    rows = db.execute(
        select(Annotation.verdict, Label.name, func.count())
        .outerjoin(Label, Label.id == Annotation.label_id)
        .where(Annotation.action_id == action.id)
        .group_by(Annotation.verdict, Label.name)
        .order_by(func.count().desc())
    ).all()
    n_records = select(func.count(Annotation.record_id.distinct()))
    n = db.scalar(n_records.where(Annotation.action_id == action.id)) or 0
    parts = [_part(verdict, name, n_of if len(rows) > 1 else 0) for verdict, name, n_of in rows]
    return f"{format_count(n, 'record')}: {', '.join(parts)}."


def _part(verdict: str, label: str | None, n: int) -> str:
    words: dict[str, str] = {
        Verdict.NONE: "none of these",
        Verdict.SKIP: "skipped",
        Verdict.NOT_SIMILAR: "not similar",
    }
    return (label or words.get(verdict, verdict)) + (f" {n:,}" if n else "")
