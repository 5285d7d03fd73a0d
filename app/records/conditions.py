"""Filters as conditions on Record, in SQL that both databases read."""

from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import ColumnElement, Select, and_, func, intersect, literal, or_, select
from sqlalchemy.orm import aliased

from app.models import Act, Annotation, Consensus, Import, Record, Remark
from app.records.dialects import Among, FieldText
from app.records.filters import Filters, State
from app.records.words import holding

Conditions = list[ColumnElement[bool]]
# Records that have something, by id; or a condition on each.
Narrowing = Select[int] | ColumnElement[bool]
BY_HAND = ("single", "page")


def conditions(project_id: int, filters: Filters) -> Conditions:
    """Conditions on Record, to be joined by AND.

    Raises ValueError for filters that ask for suggestions and were not narrowed
    (app.search.narrowing).
    """
    narrowing = _of_consensus(project_id, filters) + _of_people(project_id, filters)
    narrowing += _of_time(project_id, filters)
    found = [Record.project_id == project_id, *_of_content(filters)]
    found += [each for each in narrowing if not isinstance(each, Select)]
    listed = [each for each in narrowing if isinstance(each, Select)]
    if listed:
        # One list: of two, SQLite would try each id of the one with each of the other.
        found.append(Record.id.in_(intersect(*listed) if len(listed) > 1 else listed[0]))
    if filters.ids is not None:
        found.append(Among(Record.id, literal(",".join(map(str, filters.ids.tolist())))))
    elif filters.asks_suggestions:
        raise ValueError("filters that ask for suggestions are to be narrowed first")
    return found


def _of_content(filters: Filters) -> Conditions:
    found = [holding(filters.keyword)] if filters.keyword else []
    if filters.field:
        found.append(FieldText(Record.fields, filters.field) == filters.value)
    return found


def _of_consensus(project_id: int, filters: Filters) -> list[Narrowing]:
    found: list[Narrowing] = (
        [] if filters.state == "any" else [_in_state(project_id, filters.state)]
    )
    if filters.label_id is not None:
        found.append(_labeled(project_id, Consensus.label_id == filters.label_id))
    return found


def _in_state(project_id: int, state: State) -> Narrowing:
    if state == "unlabeled":
        return ~select(Consensus.id).where(Consensus.record_id == Record.id).exists()
    if state == "none":
        return _labeled(project_id, Consensus.label_id.is_(None))
    if state in ("flagged", "commented"):
        kind = "flag" if state == "flagged" else "comment"
        standing = (Remark.kind == kind, Remark.withdrawn_at.is_(None))
        return select(Remark.record_id).where(Remark.project_id == project_id, *standing)
    if state == "skipped":
        return _said(project_id, Annotation.verdict == "skip", is_current())
    return _disagreed(project_id) if state == "disagreed" else _labeled(project_id)


def _labeled(project_id: int, *more: ColumnElement[bool]) -> Select[int]:
    return select(Consensus.record_id).where(Consensus.project_id == project_id, *more)


def _said(project_id: int, *more: ColumnElement[bool]) -> Select[int]:
    return select(Annotation.record_id).where(
        Annotation.project_id == project_id, Annotation.withdrawn_at.is_(None), *more
    )


def is_current() -> ColumnElement[bool]:
    """No later say of the same voter is in an annotation's place (see app.labeling.says)."""
    later = aliased(Annotation)
    return ~(
        select(later.id)
        .where(
            later.record_id == Annotation.record_id,
            or_(
                later.user_id == Annotation.user_id,
                and_(later.user_id.is_(None), Annotation.user_id.is_(None)),
            ),
            later.act_id > Annotation.act_id,
            later.withdrawn_at.is_(None),
            later.verdict != "not_similar",
            later.source.in_(BY_HAND) == Annotation.source.in_(BY_HAND),
        )
        .exists()
    )


def _disagreed(project_id: int) -> Select[int]:
    """Two people's current says about it share no label, or one has a label that the other lacks.

    Counted: a label that some, but not all, of those who spoke give it.
    """
    spoken = (
        select(
            Annotation.record_id,
            func.coalesce(Annotation.label_id, 0).label("label_id"),
            Annotation.user_id,
        )
        .where(
            Annotation.project_id == project_id, Annotation.withdrawn_at.is_(None),
            Annotation.verdict.in_(("label", "none")), Annotation.source.in_(BY_HAND),
            is_current(),
        )
        .subquery()
    )  # fmt: skip
    voters = (
        select(spoken.c.record_id, func.count(spoken.c.user_id.distinct()).label("n"))
        .group_by(spoken.c.record_id)
        .having(func.count(spoken.c.user_id.distinct()) > 1)
        .subquery()
    )
    return (
        select(spoken.c.record_id)
        .join(voters, voters.c.record_id == spoken.c.record_id)
        .group_by(spoken.c.record_id, spoken.c.label_id, voters.c.n)
        .having(func.count(spoken.c.user_id.distinct()) < voters.c.n)
    )


def _of_people(project_id: int, filters: Filters) -> list[Narrowing]:
    found: list[Narrowing] = []
    judged = Annotation.verdict.in_(("label", "none"))
    if filters.user_id is not None:
        by_them = (Annotation.user_id == filters.user_id, Annotation.source.in_(BY_HAND))
        found.append(_said(project_id, judged, *by_them, is_current()))
    if filters.source != "any":
        sources = BY_HAND if filters.source == "person" else (filters.source,)
        found.append(_said(project_id, judged, Annotation.source.in_(sources), is_current()))
    return found


def _of_time(project_id: int, filters: Filters) -> list[Narrowing]:
    column = Record.created_at if filters.when == "added" else Act.acted_at
    bounds: list[ColumnElement[bool]] = []
    if filters.since is not None:
        bounds.append(column >= _midnight(filters.since))
    if filters.until is not None:
        bounds.append(column < _midnight(filters.until) + timedelta(days=1))
    imported = [] if filters.import_id is None else [_imported(project_id, filters)]
    if bounds and filters.when == "labeled":
        acted = select(Act.id).where(Act.project_id == project_id, *bounds)
        return [_labeled(project_id, Consensus.act_id.in_(acted)), *imported]
    return [*bounds, *imported]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _imported(project_id: int, filters: Filters) -> ColumnElement[bool]:
    theirs = (Import.project_id == project_id, Import.id == filters.import_id)
    began = select(Import.started_at).where(*theirs).scalar_subquery()
    ended = select(Import.finished_at).where(*theirs).scalar_subquery()
    return and_(Record.created_at >= began, or_(ended.is_(None), Record.created_at <= ended))
