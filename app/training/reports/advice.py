"""Advice: what to do next so that labels count. From stored figures, so that a page may ask.

Before a run, what is missing. After one, what 25 more labels would likely bring, which labels are
starved, and when to stop.

Decision: a label is starved below five records, for then a fold that hides half of them leaves two
to learn from; or when it is found clearly more seldom than the labels are on average. More of any
other kind helps it less than a few of its own.
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

MIN_RECORDS_PER_LABEL = 5
"""Records that a label needs to be learned from and asked about."""

MIN_NOTICEABLE_GAIN = 0.01
"""A gain that people do not notice: one suggestion in a hundred."""

MOST_NAMED = 3


@dataclass(frozen=True)
class StarvedLabel:
    """A label that needs records of its own.

    recall         share of its records that got it suggested; None where that was not measured
    confused_with  what was suggested instead most often
    """

    label_id: int
    name: str
    n_labeled: int
    n_wanted: int
    recall: float | None
    confused_with: str | None

    @property
    def next_step(self) -> str:
        """What to do about it, in a sentence that a person does by the button beside it."""
        records = "record" if self.n_wanted == 1 else "records"
        if self.n_labeled == 0:
            return f"Search for words of “{self.name}”, and label {self.n_wanted} {records}."
        like = f"Start a session from “{self.name}”, and label {self.n_wanted} more {records}"
        mixed = f", beside those of “{self.confused_with}”" if self.confused_with else ""
        return f"{like}{mixed}."


@dataclass(frozen=True)
class Advice:
    """What to do next, and why.

    missing    what a run waits for, as in Readiness
    run        the number of the run that the figures are of; None before the first measured one
    curve      learning_curve scores, k being the number of labels
    gain       gain_of_more: what k more labels would likely add to the share of right suggestions
    is_enough  even the upper end of the gain would hardly be noticed, and no label is starved
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
        """The advice in words, the most urgent first: what a run waits for, then the steps."""
        waiting = [f"By itself, the next run still needs {' and '.join(self.missing)}."]
        steps = [each.next_step for each in self.named]
        return (waiting if self.missing else []) + steps + self.findings

    @property
    def named(self) -> tuple[StarvedLabel, ...]:
        """The starved labels that are named: those with the fewest records."""
        return self.starved[:MOST_NAMED]

    @property
    def findings(self) -> list[str]:
        """What to know besides, in words."""
        lines = []
        if len(self.starved) > MOST_NAMED:
            n = len(self.starved) - MOST_NAMED
            lines.append(f"{n} more {'label has' if n == 1 else 'labels have'} too few records.")
        if self.is_enough:
            lines.append(_format_stop(self.audit))
        elif self.gain is not None:
            lines.append(_format_forecast(self.gain))
        return lines


def build_advice(db: Session, project: Project, state: Readiness | None = None) -> Advice:
    """Advice on the project as it stands now, by the newest run that measured anything.

    state  its readiness, where that was asked for already
    """
    run = _find_newest_measured(db, project.id)
    scores = [] if run is None else _load_relevant_scores(db, run)
    gain = next((each for each in scores if each.metric == "gain_of_more"), None)
    starved = _find_starved(db, project, scores)
    return Advice(
        missing=(state or readiness(db, project)).missing,
        starved=starved,
        run=None if run is None else run.number,
        curve=tuple(each for each in scores if each.metric == "learning_curve"),
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
    """Those with the fewest records first."""
    counts = count_by_label(db, project)
    if not any(counts.values()):
        return ()  # Nothing is labeled yet: every label would be named.
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
    """What was suggested most often in this label's place."""
    others = [
        s
        for s in scores
        if (s.metric, s.label_id) == ("confusion", label_id) and s.suggested_id != label_id
    ]
    return max(others, key=lambda s: s.value).suggested_id if others else None


def _format_forecast(gain: Evaluation) -> str:
    if gain.high < MIN_NOTICEABLE_GAIN:
        return f"{gain.k} more labels would change little (n = {gain.n:,})."
    value, low, high = (f"{100 * each:.1f}" for each in (gain.value, max(gain.low, 0), gain.high))
    return (
        f"{gain.k} more labels would likely bring about +{value} points of right suggestions "
        f"({low} to {high}, n = {gain.n:,})."
    )


def _format_stop(audit: HoldoutCounts) -> str:
    if audit.n_labeled < audit.n_records or audit.n_records == 0:
        return (
            "More labels would hardly change suggestions: label an audit session, to know how "
            "often they are right, and stop if that is enough."
        )
    return "More labels would hardly change suggestions: stop here, or accept them page by page."


def advice_as_json(given: Advice) -> dict[str, Any]:
    """The advice as the API and the command line tell it."""
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
