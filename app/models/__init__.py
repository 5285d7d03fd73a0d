"""Every table: what one row asserts, and who writes it. The words are the README's glossary."""

from app.models.base import Base, Json, UtcDateTime, utc_now
from app.models.installation import Installation
from app.models.labeling import (
    Act,
    Annotation,
    Assignment,
    Consensus,
    LabelingSession,
    Remark,
    SessionItem,
)
from app.models.notices import Delivery, Notice, Watch, Webhook
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
from app.models.records import Import, ImportReject, Record, Slice, hash_normalized
from app.models.training import Evaluation, LossPoint, RunEvent, TrainingRun
from app.models.vectors import Activation, Artifact, Embedding, Encoder

__all__ = [
    "Act",
    "Activation",
    "Annotation",
    "ApiToken",
    "Artifact",
    "Assignment",
    "AuditEvent",
    "Base",
    "Consensus",
    "Delivery",
    "Embedding",
    "Encoder",
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
    "Notice",
    "Project",
    "Record",
    "Remark",
    "RunEvent",
    "SessionItem",
    "Slice",
    "TrainingRun",
    "User",
    "UtcDateTime",
    "Watch",
    "Webhook",
    "hash_normalized",
    "utc_now",
]
