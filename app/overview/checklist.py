"""The way of a newcomer through the loop, in six steps that tick themselves."""

from dataclasses import dataclass

from app.html import duration, thousands
from app.models import Project
from app.overview.facts import Facts


@dataclass(frozen=True)
class Deed:
    """What a step's button does: with `fields` it posts them to `url`, else it leads there."""

    words: str
    url: str
    fields: tuple[tuple[str, str], ...] = ()

    @property
    def is_write(self) -> bool:
        """Whether the button posts."""
        return bool(self.fields)


@dataclass(frozen=True)
class Step:
    """One step. `share` in [0, 1] draws a bar; the first one that is not done is the next."""

    title: str
    sentence: str
    is_done: bool
    deed: Deed | None = None
    share: float | None = None
    is_moving: bool = False


def checklist(project: Project, facts: Facts) -> list[Step]:
    """The six steps as they stand."""
    here = f"/projects/{project.slug}"
    return [
        _imported(here, facts),
        _embedded(facts),
        _started(here, facts),
        _labeled(here, facts, project.min_labels),
        _tuned(here, facts, project.min_labels),
        _purer(here, facts),
    ]


def next_step(steps: list[Step]) -> Step | None:
    """The step to take now, or None when all are done."""
    return next((step for step in steps if not step.is_done), None)


def _imported(here: str, facts: Facts) -> Step:
    going = facts.importing
    if going is not None:
        done = f"{thousands(going.n_read)} rows of {going.file_name} are read"
        share = going.n_read / going.n_rows if going.n_rows else None
        return Step("Import records", done, is_done=False, share=share, is_moving=True)
    return Step(
        "Import records",
        f"{thousands(facts.n_records)} records are here"
        if facts.n_records
        else "CSV, TSV, JSON, JSONL or Parquet, with a preview before anything is stored",
        is_done=facts.n_records > 0,
        deed=Deed("Import a file", f"{here}/imports"),
    )


def _embedded(facts: Facts) -> Step:
    embedding = facts.embedding
    is_done = embedding.n_total > 0 and embedding.n_done >= embedding.n_total
    words = "A vector for each record, so that likeness can be measured"
    if embedding.n_total and not is_done:
        words = f"{thousands(embedding.n_done)} of {thousands(embedding.n_total)} have a vector"
        if embedding.error:
            words = embedding.error
        elif embedding.per_second:
            words += f", {embedding.per_second:,.0f} a second"
            words += f", {duration(embedding.seconds_left)} left"
    elif is_done:
        words = "Every record has its vector"
    is_moving = embedding.n_total > 0 and not is_done
    share = embedding.n_done / embedding.n_total if is_moving else None
    return Step("Embed them", words, is_done=is_done, share=share, is_moving=is_moving)


def _started(here: str, facts: Facts) -> Step:
    fields = (("seed_kind", "cold_start"),)
    can_start = facts.embedding.n_done > 0
    return Step(
        "Start the first session",
        "Representative records, one from each corner of your data",
        is_done=bool(facts.sessions) or facts.has_tuned,
        deed=Deed("Start labeling", f"{here}/sessions", fields) if can_start else None,
    )


def _labeled(here: str, facts: Facts, needed: int) -> Step:
    n = facts.n_labeled
    newest = facts.sessions[0].session.id if facts.sessions else None
    is_done = n >= needed or facts.has_tuned
    words = f"{thousands(n)} records are labeled"
    return Step(
        f"Label {needed} records",
        words if is_done else f"{n} of {needed}: one key for each record",
        is_done=is_done,
        deed=Deed("Go on labeling", f"{here}/sessions/{newest}") if newest else None,
        share=None if is_done else n / needed,
        is_moving=not is_done and n > 0,
    )


def _tuned(here: str, facts: Facts, needed: int) -> Step:
    title, run = "Tune the encoder to your labels", facts.moving_run
    look = Deed("Look at the training", f"{here}/training")
    if facts.has_tuned:
        return Step(title, "Done, and measured against the raw encoder", is_done=True, deed=look)
    if run is not None:
        words = f"Run {run.number} is {run.status}, at {run.stage}"
        return Step(title, words, is_done=False, deed=look, share=run.progress, is_moving=True)
    if facts.runs and facts.runs[0].status == "failed":
        return Step(title, facts.runs[0].error or "The run failed.", is_done=False, deed=look)
    is_soon = facts.n_labeled >= needed
    words = "Starts by itself once enough is labeled; it takes seconds"
    if is_soon:
        waits = ", ".join(facts.readiness.missing)
        words = f"It waits for {waits}" if waits else "It starts by itself in a moment"
    return Step(title, words, is_done=False, deed=look if is_soon else None, is_moving=is_soon)


def _purer(here: str, facts: Facts) -> Step:
    deed = None
    if facts.has_tuned and facts.labeled_record_id is not None:
        fields = (("seed_kind", "record"), ("record_ids", str(facts.labeled_record_id)))
        deed = Deed("Open a similar session", f"{here}/sessions", fields)
    return Step(
        "See a purer session",
        "The likes of a record you labeled, as the tuned encoder finds them",
        is_done=facts.has_tuned_session,
        deed=deed,
    )
