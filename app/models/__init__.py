"""Every table: what one row asserts, and who writes it. The words are in docs/glossary.md."""

from app.models.base import Base, Json, UtcDateTime, utc_now
from app.models.installation import Installation
from app.models.labeling import (
    Annotation,
    Assignment,
    Comment,
    Consensus,
    LabelingSession,
    SessionItem,
    UserAction,
)
from app.models.notifications import Delivery, Notification, Subscription, Webhook
from app.models.people import (
    ApiToken,
    AuditEvent,
    Invitation,
    KnownDevice,
    Login,
    LoginAttempt,
    User,
)
from app.models.projects import Label, LabelChange, Membership, Project
from app.models.records import Import, ImportReject, Record, SavedSearch, hash_normalized
from app.models.training import Evaluation, LossPoint, RunEvent, TrainingRun
from app.models.versions import Activation, Artifact, Embedding, Version
from app.models.workers import WorkerStatus

__all__ = [
    "Activation",
    "Annotation",
    "ApiToken",
    "Artifact",
    "Assignment",
    "AuditEvent",
    "Base",
    "Comment",
    "Consensus",
    "Delivery",
    "Embedding",
    "Evaluation",
    "Import",
    "ImportReject",
    "Installation",
    "Invitation",
    "Json",
    "KnownDevice",
    "Label",
    "LabelChange",
    "LabelingSession",
    "Login",
    "LoginAttempt",
    "LossPoint",
    "Membership",
    "Notification",
    "Project",
    "Record",
    "RunEvent",
    "SavedSearch",
    "SessionItem",
    "Subscription",
    "TrainingRun",
    "User",
    "UserAction",
    "UtcDateTime",
    "Version",
    "Webhook",
    "WorkerStatus",
    "hash_normalized",
    "utc_now",
]
