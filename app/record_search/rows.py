"""Rows of a page of search results."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.labeling.sessions.rows import resolve_suggestions
from app.models import Comment, Label, Project
from app.projects.labels import list_all_labels
from app.record_search.pagination import cut_window, format_cursor, sort_matches
from app.records.query_parser import Piece, snippet
from app.records.records import RecordExcerpt, load_consensus, load_excerpts
from app.search.matches import Matches, find_matches
from app.search.request import SearchRequest

PAGE_SIZE = 50
# Characters shown of a text, and characters searched for a match to show.
SHOWN, LOOKED_THROUGH = 600, 20_000


@dataclass(frozen=True)
class Row:
    """A record in a list.

    place        rank in the list, from 1
    cursor       position for the URL (app.record_search.pagination)
    labels       consensus; None means "none of these"; empty: unlabeled
    suggestions  labels and probabilities, best first
    similarity   cosine similarity to the query, in [-1, 1]
    word_rank, meaning_rank  ranks in the two rankings that were fused
    """

    place: int
    cursor: str
    record: RecordExcerpt
    pieces: tuple[Piece, ...]
    labels: tuple[Label | None, ...]
    suggestions: tuple[tuple[Label, float], ...]
    similarity: float | None = None
    score: float | None = None
    word_rank: int | None = None
    meaning_rank: int | None = None
    is_flagged: bool = False
    n_comments: int = 0


@dataclass(frozen=True)
class Listing:
    """A page of search results. before, after: cursors of the previous and next page, if any.

    version  the number of the version that ranked
    is_cut   only the nearest records were searched
    """

    rows: tuple[Row, ...]
    n_total: int
    before: str = ""
    after: str = ""
    version: int | None = None
    is_cut: bool = False


def load_listing(
    db: Session, project: Project, search: SearchRequest, limit: int = PAGE_SIZE
) -> Listing:
    """Search and load one page. Raises what find_matches() and cut_window() raise."""
    found = find_matches(db, project, search)
    order = sort_matches(db, project, found, search.sort)
    part = cut_window(
        db, project, order, search.sort, limit, after=search.after, before=search.before
    )
    read = LOOKED_THROUGH if search.wanted.include else SHOWN
    records = load_excerpts(db, part.ids, read, has_fields=True)
    rows = [
        Row(
            part.start + n,
            format_cursor(key, records[each], search.sort),
            records[each],
            (),
            (),
            (),
        )
        for n, (each, key) in enumerate(zip(part.ids, part.keys, strict=True), start=1)
        if each in records
    ]
    return Listing(
        tuple(describe_rows(db, project, rows, search.wanted.include, found)),
        part.n_total,
        rows[0].cursor if rows and part.start > 0 else "",
        rows[-1].cursor if rows and part.end < part.n_total else "",
        found.version.version.number if found.version else None,
        found.is_cut,
    )


def describe_rows(
    db: Session, project: Project, rows: Sequence[Row], words: tuple[str, ...], found: Matches
) -> list[Row]:
    """Return the rows with labels, suggestions, scores and comments of their records."""
    ids = [row.record.id for row in rows]
    labels = {label.id: label for label in list_all_labels(db, project.id)}
    agreed, comments = load_consensus(db, ids), _load_comments(db, ids)
    suggested = resolve_suggestions(db, project, found.versions.suggestions, ids)
    return [
        replace(
            row,
            pieces=tuple(snippet(row.record.text, words)),
            labels=tuple(labels.get(each or 0) for each in agreed.get(row.record.id, ())),
            suggestions=tuple(
                (labels[each.label_id], each.score) for each in suggested.get(row.record.id, ())
            ),
            similarity=found.similarities.get(row.record.id),
            score=found.scores.get(row.record.id),
            word_rank=found.word_ranks.get(row.record.id),
            meaning_rank=found.meaning_ranks.get(row.record.id),
            is_flagged="flag" in comments.get(row.record.id, ()),
            n_comments=comments.get(row.record.id, []).count("comment"),
        )
        for row in rows
    ]


def _load_comments(db: Session, ids: Sequence[int]) -> dict[int, list[str]]:
    """Return record id → the kinds of its comments that were not withdrawn."""
    standing = select(Comment.record_id, Comment.kind).where(
        Comment.record_id.in_(ids), Comment.withdrawn_at.is_(None)
    )
    found: dict[int, list[str]] = {}
    for record_id, kind in db.execute(standing):
        found.setdefault(record_id, []).append(kind)
    return found
