"""The checklist for new users: six steps, checked off automatically."""

from dataclasses import dataclass

from app.labeling.sessions.kinds import SessionKind
from app.models import Project
from app.models.enums import RunStatus
from app.overview.project_summary import ProjectSummary
from app.web.templating import format_duration, format_thousands


@dataclass(frozen=True)
class ActionButton:
    """A step's button: posts `fields` to `url`, or links to it without fields."""

    words: str
    url: str
    fields: tuple[tuple[str, str], ...] = ()

    @property
    def is_write(self) -> bool:
        """Whether the button posts."""
        return bool(self.fields)


@dataclass(frozen=True)
class ChecklistStep:
    """One step. `share` in [0, 1] draws a bar; the first one that is not done is the next."""

    title: str
    sentence: str
    is_done: bool
    action: ActionButton | None = None
    share: float | None = None
    is_moving: bool = False


def build_checklist(project: Project, facts: ProjectSummary) -> list[ChecklistStep]:
    """Build the six steps in their current state."""
    base_url = f"/projects/{project.slug}"
    return [
        _import_step(base_url, facts),
        _embedding_step(facts),
        _session_step(base_url, facts),
        _labeling_step(base_url, facts, project.min_labels),
        _training_step(base_url, facts, project.min_labels),
        _tuned_session_step(base_url, facts),
    ]


def find_next_step(steps: list[ChecklistStep]) -> ChecklistStep | None:
    """Return the first step that is not done, or None."""
    return next((step for step in steps if not step.is_done), None)


def _import_step(base_url: str, facts: ProjectSummary) -> ChecklistStep:
    going = facts.importing
    if going is not None:
        done = f"{format_thousands(going.n_read)} rows of {going.file_name} read"
        share = going.n_read / going.n_rows if going.n_rows else None
        return ChecklistStep("Import records", done, is_done=False, share=share, is_moving=True)
    return ChecklistStep(
        "Import records",
        f"{format_thousands(facts.n_records)} records imported"
        if facts.n_records
        else "CSV, TSV, JSON, JSONL or Parquet; preview before importing",
        is_done=facts.n_records > 0,
        action=ActionButton("Import a file", f"{base_url}/imports"),
    )


def _embedding_step(facts: ProjectSummary) -> ChecklistStep:
    embedding = facts.embedding
    is_embedded = embedding.n_total > 0 and embedding.n_done >= embedding.n_total
    is_done = is_embedded and facts.is_searchable
    words = "Compute a vector for each record, to find similar ones"
    if embedding.n_total and not is_embedded:
        n_done, n_total = format_thousands(embedding.n_done), format_thousands(embedding.n_total)
        words = f"{n_done} of {n_total} embedded"
        if embedding.error:
            words = embedding.error
        elif embedding.per_second:
            words += f", {embedding.per_second:,.0f} a second"
            words += f", {format_duration(embedding.seconds_left)} left"
    elif is_embedded:
        words = "All records embedded"
        if not facts.is_searchable:
            words += "; building the index"
    is_moving = embedding.n_total > 0 and not is_done
    share = embedding.n_done / embedding.n_total if is_moving else None
    return ChecklistStep("Embed records", words, is_done=is_done, share=share, is_moving=is_moving)


def _session_step(base_url: str, facts: ProjectSummary) -> ChecklistStep:
    fields = (("seed_kind", SessionKind.COLD_START),)
    return ChecklistStep(
        "Start the first session",
        "Representative records from all parts of your data",
        is_done=bool(facts.sessions) or facts.has_tuned,
        action=ActionButton("Start labeling", f"{base_url}/sessions", fields)
        if facts.is_searchable
        else None,
    )


def _labeling_step(base_url: str, facts: ProjectSummary, needed: int) -> ChecklistStep:
    n = facts.n_labeled
    newest = facts.sessions[0].session.id if facts.sessions else None
    is_done = n >= needed or facts.has_tuned
    words = f"{format_thousands(n)} records labeled"
    return ChecklistStep(
        f"Label {needed} records",
        words if is_done else f"{n} of {needed}; one keystroke per record",
        is_done=is_done,
        action=ActionButton("Continue labeling", f"{base_url}/sessions/{newest}")
        if newest
        else None,
        share=None if is_done else n / needed,
        is_moving=not is_done and n > 0,
    )


def _training_step(base_url: str, facts: ProjectSummary, needed: int) -> ChecklistStep:
    title, run = "Train on your labels", facts.moving_run
    look = ActionButton("View training", f"{base_url}/training")
    if facts.has_tuned:
        return ChecklistStep(
            title, "Done, and compared with the raw version", is_done=True, action=look
        )
    if run is not None:
        words = f"Run {run.number} is {run.status}: {run.stage}"
        return ChecklistStep(
            title, words, is_done=False, action=look, share=run.progress, is_moving=True
        )
    if facts.runs and facts.runs[0].status == RunStatus.FAILED:
        return ChecklistStep(
            title, facts.runs[0].error or "The run failed.", is_done=False, action=look
        )
    is_soon = facts.n_labeled >= needed
    words = "Starts automatically after enough labels; takes seconds"
    if is_soon:
        waits = ", ".join(facts.readiness.missing)
        words = f"Waiting for {waits}" if waits else "Starts automatically in a moment"
    return ChecklistStep(
        title, words, is_done=False, action=look if is_soon else None, is_moving=is_soon
    )


def _tuned_session_step(base_url: str, facts: ProjectSummary) -> ChecklistStep:
    action = None
    if facts.has_tuned and facts.labeled_record_id is not None:
        fields = (("seed_kind", SessionKind.RECORD), ("record_ids", str(facts.labeled_record_id)))
        action = ActionButton("Open a similar session", f"{base_url}/sessions", fields)
    return ChecklistStep(
        "Open a better session",
        "Records similar to one you labeled, found by the tuned version",
        is_done=facts.has_tuned_session,
        action=action,
    )
