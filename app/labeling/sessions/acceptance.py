"""Which suggestions may be accepted together: those that are sure enough, and never guesses."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from sqlalchemy.orm import Session

from app.errors import Conflict, Invalid
from app.labeling.annotations.annotate import AnnotationInput
from app.labeling.sessions.kinds import describe_kind
from app.labeling.sessions.version_access import load_session_suggestions
from app.models import LabelingSession
from app.models.enums import Verdict
from app.web.wording import format_count

MIN_SCORE = 0.8
"""Suggestions below this score are not accepted together unless a person lowers it."""
OFFERED_MIN_SCORES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
MinScore = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


@dataclass(frozen=True)
class Acceptance:
    """What accepting suggestions together comes to.

    n_taken     those with a score of at least min_score; mean_score is theirs, None of none
    n_left      the other open suggestions: they stay open
    """

    min_score: float
    n_taken: int
    mean_score: float | None
    n_left: int

    @property
    def sentence(self) -> str:
        """What pages show: how many suggestions are accepted, how probable, how many stay open."""
        least = f"{100 * self.min_score:.0f} %"
        if self.mean_score is None:
            return f"No open suggestion has a probability of at least {least}."
        total = self.n_taken + self.n_left
        words = f"Accepts {self.n_taken:,} of {format_count(total, 'open suggestion')}"
        mean = f"{100 * self.mean_score:.0f} % on average"
        left = f" The other {self.n_left:,} stay open." if self.n_left > 1 else ""
        left = " The other one stays open." if self.n_left == 1 else left
        return f"{words}: those with a probability of at least {least}, {mean}.{left}"


def is_sure_enough(score: float | None, min_score: float) -> bool:
    """Compare in whole percent, as pages show scores: what reads 80 % is at least 80 %."""
    return score is not None and round(score, 2) >= round(min_score, 2)


def sum_up(scores: Sequence[float], min_score: float = MIN_SCORE) -> Acceptance:
    """Sum up what accepting open suggestions with these scores comes to."""
    taken = [score for score in scores if is_sure_enough(score, min_score)]
    mean = sum(taken) / len(taken) if taken else None
    return Acceptance(min_score, len(taken), mean, len(scores) - len(taken))


def find_obstacle(db: Session, session: LabelingSession) -> str:
    """Say why suggestions of this session are not to be accepted together; empty if they are."""
    if obstacle := describe_kind(session).obstacle:
        return obstacle
    if len(load_session_suggestions(db, session.version_id).ids) == 0:
        return (
            "Label this session row by row: its suggestions come only from its own labels. "
            "Several can be accepted at once in sessions started after the first training."
        )
    return ""


def check_session(db: Session, session: LabelingSession) -> None:
    """Raise Conflict where suggestions of this session are not to be accepted together."""
    if obstacle := find_obstacle(db, session):
        raise Conflict(obstacle)


def check_suggestion_scores(annotations: Sequence[AnnotationInput], min_score: float) -> None:
    """Raise Invalid unless each say accepts a suggestion with at least this score."""
    n_unsure = sum(
        annotation.verdict != Verdict.LABEL
        or annotation.suggestion_id not in annotation.label_ids
        or not is_sure_enough(annotation.suggestion_score, min_score)
        for annotation in annotations
    )
    if n_unsure:
        raise Invalid(
            "Nothing was accepted. Each row must accept a suggestion with a probability of at "
            f"least {100 * min_score:.0f} % ({n_unsure:,} of {len(annotations):,} do not)."
        )
