"""The settings form of automatic training."""

from datetime import time
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from pydantic import BeforeValidator, Field

from app.accounts import audit_log as audit
from app.accounts.access import Admin
from app.db.session import Db
from app.models import Project
from app.projects.access import AdminProject
from app.training.runs.trigger_policy import TriggerPolicy
from app.web.schemas import StrictModel
from app.web.templating import redirect_to

router = APIRouter(prefix="/projects/{slug}/training", include_in_schema=False)
MaybeTime = Annotated[time | None, BeforeValidator(lambda sent: sent or None)]


class PolicyForm(StrictModel):
    """The form of the training page; growth in percent."""

    min_labels: Annotated[int, Field(ge=2, le=100_000)]
    has_auto_training: bool = False
    growth: float = 25
    per_label: int = 0
    pause_minutes: int = 0
    quiet_from: MaybeTime = None
    quiet_until: MaybeTime = None
    zone: str = "UTC"

    def policy(self) -> TriggerPolicy:
        """Return the policy. Raises Invalid for values out of range."""
        return TriggerPolicy(
            growth=self.growth / 100,
            per_label=self.per_label,
            pause_minutes=self.pause_minutes,
            quiet_from=self.quiet_from,
            quiet_until=self.quiet_until,
            zone=self.zone.strip(),
        ).validate()


@router.post("/settings", name="save_training_settings")
def save_training_settings(
    request: Request,
    project: AdminProject,
    user: Admin,
    db: Db,
    sent: Annotated[PolicyForm, Form()],
) -> Response:
    """Store when runs start automatically, or that they do not."""
    kept: dict[str, Any] = {
        "min_labels": sent.min_labels,
        "has_auto_training": sent.has_auto_training,
        "policy": sent.policy().as_json(),
    }
    own_project = db.get_one(Project, project.id)
    for name, value in kept.items():
        setattr(own_project, name, value)
    audit.log_event(db, "training.settings", user_id=user.id, project_id=project.id, **kept)
    return redirect_to(request, "show_training", slug=project.slug)
