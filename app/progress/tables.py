"""The tables of the progress page as rows of cells, for downloads."""

from collections.abc import Callable, Sequence

from app.errors import NotFound
from app.progress.aggregates import WorkTotals
from app.progress.people import SOURCES
from app.progress.report import Report

Cell = str | float | None
Table = tuple[Sequence[str], list[Sequence[Cell]]]
_DONE = ("labels", "actions", "undone", "active_minutes", "labels_per_minute", "actions_per_label")


def build_table(found: Report, name: str) -> Table:
    """Columns and rows of one table: labels, people, sessions, ways or days. Raises NotFound."""
    if name not in _TABLES:
        raise NotFound("table")
    return _TABLES[name](found)


def _labels(found: Report) -> Table:
    columns = ("label", "labeled", "share", "suggested", "last_7_days")
    return columns, [
        (
            row.label.name if row.label else "none of these",
            row.n,
            _short(row.share),
            row.n_suggested,
            row.n_last_week,
        )
        for row in found.labels
    ]


def _people(found: Report) -> Table:
    columns = ("person", *SOURCES, *_DONE, "median_seconds", "judged_by_others_too", "agreed")
    return columns, [
        (
            row.name,
            *(row.by_way[way] for way in SOURCES),
            *_done(row.done),
            _short(row.hand.seconds),
            row.hand.n_shared,
            row.hand.n_agreed,
        )
        for row in found.people
    ]


def _sessions(found: Report) -> Table:
    columns = ("session", "title", "started_by", "started_at", "records", "decided", "purity")
    return (*columns, *_DONE), [
        (
            row.session.id,
            row.session.title,
            row.starter if found.is_everybody else "",
            row.session.started_at.isoformat(timespec="seconds"),
            row.session.n_records,
            row.n_decided,
            _short(row.purity),
            *_done(row.done),
        )
        for row in found.sessions
    ]


def _ways(found: Report) -> Table:
    return ("seed", "hand", *_DONE), [
        (row.seed_words, row.hand_words, *_done(row.done)) for row in found.ways
    ]


def _days(found: Report) -> Table:
    if found.timeline is None:
        return ("until", "labeled"), []
    points = zip(found.timeline.moments, found.timeline.n_labeled, strict=True)
    return ("until", "labeled"), [(moment.isoformat(timespec="seconds"), n) for moment, n in points]


_TABLES: dict[str, Callable[[Report], Table]] = {
    "labels": _labels,
    "people": _people,
    "sessions": _sessions,
    "ways": _ways,
    "days": _days,
}


def _done(done: WorkTotals) -> tuple[Cell, ...]:
    return (
        done.n_labels,
        done.n_actions,
        done.n_undone,
        round(done.seconds / 60, 2),
        _short(done.per_minute),
        _short(done.per_label),
    )


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
