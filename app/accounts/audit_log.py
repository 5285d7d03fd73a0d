"""Security log: what users did. Never texts, never secrets."""

from typing import Any

from sqlalchemy.orm import Session

from app.models import AuditEvent


def log_event(
    db: Session,
    action: str,
    *,
    user_id: int | None = None,
    project_id: int | None = None,
    **details: Any,
) -> None:
    """Log that `user_id` (None: the operator, or the worker) did `action`; details are JSON."""
    db.add(AuditEvent(user_id=user_id, project_id=project_id, action=action, details=details))
