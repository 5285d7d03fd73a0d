"""What programs are told about progress, and how they set a goal."""

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
    """What hands did. Labels that stand; actions: acts, and acts of taking back; active seconds:
    the sum of the pauses of at most two minutes between a person's acts. Rates are null where too
    little was measured."""

    n_labels: int
    n_actions: int
    n_undone: int
    active_seconds: float
    labels_per_minute: float | None
    actions_per_label: float | None


class LabelProgress(StrictModel):
    """label null: none of these. n_suggested: of all records, as the active version says; null
    before it suggests anything."""

    label: str | None
    n_labeled: int
    share: float
    n_suggested: int | None
    n_last_7_days: int


class PersonProgress(StrictModel):
    """median_seconds, n_shared and n_agreed are about the latest single decisions: how long they
    took, how many records somebody else judged too, and how many labels consensus confirms."""

    user: str
    by_way: dict[str, int]
    done: DoneResponse
    median_seconds: float | None
    n_shared: int
    n_agreed: int


class SessionProgress(StrictModel):
    """purity: the share of the commonest label among those with a label. started_by is empty for
    those who may not see it."""

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
    """Records that were labeled by then."""

    until: datetime
    n_labeled: int


class ProgressResponse(StrictModel):
    """How far the project is. People and sessions: everybody's for reviewers and admins, else the
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
    """Two people: n records that both judged, the share of equal answers, Cohen's kappa."""

    user: str
    other: str
    n: int
    share: float
    kappa: float | None


class AgreementResponse(StrictModel):
    """How far people agree on the n_records that two or more of them judged: the share of equal
    answers, and Krippendorff's alpha with its 95 % interval. Pairs are empty for annotators."""

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
