"""Request and response models of progress."""

from datetime import date, datetime
from typing import Annotated

from pydantic import Field

from app.web.schemas import StrictModel


class GoalResponse(StrictModel):
    """Records to be labeled, until the end of a day (UTC) or of none."""

    n: int
    words: str
    until: date | None


class DoneResponse(StrictModel):
    """Manual work. Current labels; actions, undos included; active seconds: the sum of pauses of
    at most two minutes between an annotator's actions. Rates are null for too little data."""

    n_labels: int
    n_actions: int
    n_undone: int
    active_seconds: float
    labels_per_minute: float | None
    actions_per_label: float | None


class LabelProgress(StrictModel):
    """label null: none of these. n_suggested: records for which the active version suggests the
    label; null without suggestions."""

    label: str | None
    n_labeled: int
    share: float
    n_suggested: int | None
    n_last_7_days: int


class PersonProgress(StrictModel):
    """median_seconds, n_shared and n_agreed cover the latest single decisions: their duration,
    records also labeled by others, and labels that match consensus."""

    user: str
    by_way: dict[str, int]
    done: DoneResponse
    median_seconds: float | None
    n_shared: int
    n_agreed: int


class SessionProgress(StrictModel):
    """purity: share of the most frequent label among the labeled records. started_by is empty
    for users who may not see it."""

    id: int
    title: str
    seed_kind: str
    started_by: str
    started_at: datetime
    n_records: int
    n_decided: int
    purity: float | None
    done: DoneResponse


class WayProgress(StrictModel):
    """seed_kind is empty outside of sessions; hand: single or page."""

    seed_kind: str
    hand: str
    done: DoneResponse


class MomentResponse(StrictModel):
    """Labeled records at a point in time."""

    until: datetime
    n_labeled: int


class ProgressResponse(StrictModel):
    """A project's progress. People and sessions: all of them for reviewers and admins, else the
    user's own."""

    n_records: int
    n_labeled: int
    n_last_7_days: int
    goal: GoalResponse | None
    done: DoneResponse
    labels: list[LabelProgress]
    people: list[PersonProgress]
    sessions: list[SessionProgress]
    ways: list[WayProgress]
    over_time: list[MomentResponse]


class PairResponse(StrictModel):
    """A pair of annotators: n records labeled by both, observed agreement, Cohen's kappa."""

    user: str
    other: str
    n: int
    share: float
    kappa: float | None


class AgreementResponse(StrictModel):
    """Agreement on the n_records labeled by several annotators: observed agreement and
    Krippendorff's alpha with its 95 % interval. Pairs are empty for annotators."""

    n_records: int
    share: float | None
    alpha: float | None
    low: float | None
    high: float | None
    pairs: list[PairResponse]


class GoalBody(StrictModel):
    """A number of records ("5000") or a share of them ("80 %"); empty: no goal."""

    goal: Annotated[str, Field(max_length=40)]
    until: date | None = None
