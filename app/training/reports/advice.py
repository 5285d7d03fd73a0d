"""Advice on what to label next, from stored metrics so that pages stay fast.

Before a run: what is missing. After one: the likely gain from 25 more labels, which labels have too
few records, and when to stop.

Decision: a label is starved below five records, because a fold that holds out half of them leaves
two for training; or when its recall is clearly below the mean over labels. A few records of its own
help it more than many others.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.labeling.team.holdout import HoldoutCounts, count_holdout
from app.models import Evaluation, Project, TrainingRun
from app.projects.labels import label_set
from app.training.reports.metrics import score_as_json
from app.training.runs.readiness import Readiness, count_by_label, readiness
from app.web.wording import format_count

MIN_RECORDS_PER_LABEL = 5
"""Records that a label needs for training and evaluation."""

MIN_NOTICEABLE_GAIN = 0.01
"""Smaller gains go unnoticed: one suggestion in a hundred."""

MOST_NAMED = 3


@dataclass(frozen=True)
class StarvedLabel:
    """A label that needs more records.

    recall         share of its records that got it suggested; None where not measured
    confused_with  the label suggested instead most often
    """

    label_id: int
    name: str
    n_labeled: int
    n_wanted: int
    recall: float | None
    confused_with: str | None

    @property
    def next_step(self) -> str:
        """The next step in a sentence; the button beside it performs it."""
        if self.n_labeled == 0:
            return f"Search for “{self.name}” and label {format_count(self.n_wanted, 'record')}."
        more = format_count(self.n_wanted, "more record")
        confused = (
            f" It is often confused with “{self.confused_with}”." if self.confused_with else ""
        )
        return f"Start a session from “{self.name}” and label {more}.{confused}"


@dataclass(frozen=True)
class Advice:
    """What to do next, and why.

    missing    what a run waits for, as in Readiness
    run        the number of the evaluated run; None before the first
    curve      learning_curve scores, k being the number of labels
    gain       gain_of_more: the expected gain in accuracy from k more labels
    is_enough  even the upper end of the gain is negligible, and no label is starved
    """

    missing: tuple[str, ...]
    starved: tuple[StarvedLabel, ...]
    run: int | None
    curve: tuple[Evaluation, ...]
    gain: Evaluation | None
    audit: HoldoutCounts
    is_enough: bool

    @property
    def sentences(self) -> list[str]:
        """The advice in sentences, most urgent first: what a run waits for, then the steps."""
        waiting = [f"The next run still needs {' and '.join(self.missing)}."]
        steps = [each.next_step for each in self.named]
        return (waiting if self.missing else []) + steps + self.findings

    @property
    def named(self) -> tuple[StarvedLabel, ...]:
        """The starved labels to name: those with the fewest records."""
        return self.starved[:MOST_NAMED]

    @property
    def findings(self) -> list[str]:
        """Further findings, in sentences."""
        lines = []
        if len(self.starved) > MOST_NAMED:
            n = len(self.starved) - MOST_NAMED
            lines.append(
                f"{format_count(n, 'more label has', 'more labels have')} too few records."
            )
        if self.is_enough:
            lines.append(_format_stop(self.audit))
        elif self.gain is not None:
            lines.append(_format_forecast(self.gain))
        return lines


def build_advice(db: Session, project: Project, state: Readiness | None = None) -> Advice:
    """Build advice from the project's state and its newest evaluated run.

    state  the readiness, if already loaded
    """
    run = _find_newest_measured(db, project.id)
    scores = [] if run is None else _load_relevant_scores(db, run)
    gain = next((score for score in scores if score.metric == "gain_of_more"), None)
    starved = _find_starved(db, project, scores)
    return Advice(
        missing=(state or readiness(db, project)).missing,
        starved=starved,
        run=None if run is None else run.number,
        curve=tuple(score for score in scores if score.metric == "learning_curve"),
        gain=gain,
        audit=count_holdout(db, project.id),
        is_enough=gain is not None and gain.high < MIN_NOTICEABLE_GAIN and not starved,
    )


def _find_newest_measured(db: Session, project_id: int) -> TrainingRun | None:
    measured = select(Evaluation.id).where(Evaluation.run_id == TrainingRun.id).exists()
    measured_runs = select(TrainingRun).where(TrainingRun.project_id == project_id, measured)
    return db.scalar(measured_runs.order_by(TrainingRun.number.desc()).limit(1))


def _load_relevant_scores(db: Session, run: TrainingRun) -> Sequence[Evaluation]:
    metrics = ("learning_curve", "gain_of_more", "label_recall", "macro_recall", "confusion")
    wanted = select(Evaluation).where(
        Evaluation.run_id == run.id, Evaluation.role == "tuned", Evaluation.metric.in_(metrics)
    )
    return db.scalars(wanted.order_by(Evaluation.id)).all()


def _find_starved(
    db: Session, project: Project, scores: Sequence[Evaluation]
) -> tuple[StarvedLabel, ...]:
    """List starved labels, fewest records first."""
    counts = count_by_label(db, project)
    if not any(counts.values()):
        return ()  # Nothing is labeled yet: every label would be listed.
    names = {label.id: label.name for label in label_set(db, project.id)}
    recall = {s.label_id: s for s in scores if s.metric == "label_recall"}
    usual = next((s.value for s in scores if s.metric == "macro_recall"), None)
    found = []
    for label_id, name in names.items():
        n, seen = counts.get(label_id, 0), recall.get(label_id)
        is_missed = seen is not None and usual is not None and seen.high < usual
        if n < MIN_RECORDS_PER_LABEL or is_missed:
            wanted = (
                MIN_RECORDS_PER_LABEL - n if n < MIN_RECORDS_PER_LABEL else MIN_RECORDS_PER_LABEL
            )
            share = None if seen is None else seen.value
            other = names.get(_find_most_confused(scores, label_id) or 0)
            found.append(StarvedLabel(label_id, name, n, wanted, share, other))
    return tuple(sorted(found, key=lambda each: (each.n_labeled, each.recall or 0.0)))


def _find_most_confused(scores: Sequence[Evaluation], label_id: int) -> int | None:
    """Return the label suggested most often instead of this one."""
    others = [
        s
        for s in scores
        if (s.metric, s.label_id) == ("confusion", label_id) and s.suggested_id != label_id
    ]
    return max(others, key=lambda s: s.value).suggested_id if others else None


def _format_forecast(gain: Evaluation) -> str:
    if gain.high < MIN_NOTICEABLE_GAIN:
        return f"{gain.k} more labels would change accuracy little (n = {gain.n:,})."
    value, low, high = (f"{100 * each:.1f}" for each in (gain.value, max(gain.low, 0), gain.high))
    return (
        f"{gain.k} more labels would likely raise accuracy by about {value} points "
        f"({low} to {high}, n = {gain.n:,})."
    )


def _format_stop(audit: HoldoutCounts) -> str:
    if audit.n_labeled < audit.n_records or audit.n_records == 0:
        return (
            "More labels would hardly improve suggestions. Label a hold-out session to measure "
            "their accuracy, and stop if it is high enough."
        )
    return "More labels would hardly improve suggestions. Stop here, or accept them page by page."


def advice_as_json(given: Advice) -> dict[str, Any]:
    """Return the advice as the API and the command line show it."""
    starved = [asdict(each) | {"next_step": each.next_step} for each in given.starved]
    return {
        "sentences": given.sentences,
        "missing": list(given.missing),
        "starved": [{key: each[key] for key in each if key != "label_id"} for each in starved],
        "run": given.run,
        "curve": [score_as_json(each) for each in given.curve],
        "gain": None if given.gain is None else score_as_json(given.gain),
        "is_enough": given.is_enough,
    }
