"""Build SQL conditions on Record from filters, for both databases."""

from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import ColumnElement, Select, and_, func, intersect, literal, or_, select
from sqlalchemy.orm import aliased

from app.models import Annotation, Comment, Consensus, Import, Record, UserAction
from app.models.enums import LABELING_VERDICTS, MANUAL_SOURCES, Verdict
from app.records.filters import Filters, State
from app.records.query_parser import build_word_condition
from app.records.sql_functions import Among, FieldText

Conditions = list[ColumnElement[bool]]
# Records that have something, by id; or a condition on each.
Narrowing = Select[int] | ColumnElement[bool]


def build_conditions(project_id: int, filters: Filters) -> Conditions:
    """Conditions on Record, to be joined by AND.

    Raises ValueError for filters that ask for suggestions and were not narrowed
    (app.search.suggestion_filters).
    """
    narrowing = _consensus_conditions(project_id, filters) + _annotator_conditions(
        project_id, filters
    )
    narrowing += _time_conditions(project_id, filters)
    found = [Record.project_id == project_id, *_content_conditions(filters)]
    found += [each for each in narrowing if not isinstance(each, Select)]
    listed = [each for each in narrowing if isinstance(each, Select)]
    if listed:
        # One list: of two, SQLite would try each id of the one with each of the other.
        found.append(Record.id.in_(intersect(*listed) if len(listed) > 1 else listed[0]))
    if filters.ids is not None:
        found.append(Among(Record.id, literal(",".join(map(str, filters.ids.tolist())))))
    elif filters.uses_suggestions:
        raise ValueError("resolve suggestion filters before building conditions")
    return found


def _content_conditions(filters: Filters) -> Conditions:
    found = [build_word_condition(filters.keyword)] if filters.keyword else []
    if filters.field:
        found.append(FieldText(Record.fields, filters.field) == filters.value)
    return found


def _consensus_conditions(project_id: int, filters: Filters) -> list[Narrowing]:
    found: list[Narrowing] = (
        [] if filters.state == "any" else [_state_condition(project_id, filters.state)]
    )
    if filters.label_id is not None:
        found.append(_select_labeled(project_id, Consensus.label_id == filters.label_id))
    return found


def _state_condition(project_id: int, state: State) -> Narrowing:
    if state == "unlabeled":
        return ~select(Consensus.id).where(Consensus.record_id == Record.id).exists()
    if state == "none":
        return _select_labeled(project_id, Consensus.label_id.is_(None))
    if state in ("flagged", "commented"):
        kind = "flag" if state == "flagged" else "comment"
        standing = (Comment.kind == kind, Comment.withdrawn_at.is_(None))
        return select(Comment.record_id).where(Comment.project_id == project_id, *standing)
    if state == "skipped":
        return _select_annotated(project_id, Annotation.verdict == Verdict.SKIP, is_current())
    return _in_disagreement(project_id) if state == "disagreed" else _select_labeled(project_id)


def _select_labeled(project_id: int, *more: ColumnElement[bool]) -> Select[int]:
    return select(Consensus.record_id).where(Consensus.project_id == project_id, *more)


def _select_annotated(project_id: int, *more: ColumnElement[bool]) -> Select[int]:
    return select(Annotation.record_id).where(
        Annotation.project_id == project_id, Annotation.withdrawn_at.is_(None), *more
    )


def is_current() -> ColumnElement[bool]:
    """No later annotation of the same voter replaces this one (see labeling.annotations.votes)."""
    later = aliased(Annotation)
    return ~(
        select(later.id)
        .where(
            later.record_id == Annotation.record_id,
            or_(
                later.user_id == Annotation.user_id,
                and_(later.user_id.is_(None), Annotation.user_id.is_(None)),
            ),
            later.action_id > Annotation.action_id,
            later.withdrawn_at.is_(None),
            later.verdict != Verdict.NOT_SIMILAR,
            later.source.in_(MANUAL_SOURCES) == Annotation.source.in_(MANUAL_SOURCES),
        )
        .exists()
    )


def _in_disagreement(project_id: int) -> Select[int]:
    """Two people's current votes share no label, or one has a label that the other lacks.

    Counted: a label that some, but not all, of those who spoke give it.
    """
    votes = (
        select(
            Annotation.record_id,
            func.coalesce(Annotation.label_id, 0).label("label_id"),
            Annotation.user_id,
        )
        .where(
            Annotation.project_id == project_id,
            Annotation.withdrawn_at.is_(None),
            Annotation.verdict.in_(LABELING_VERDICTS),
            Annotation.source.in_(MANUAL_SOURCES),
            is_current(),
        )
        .subquery()
    )
    voters = (
        select(votes.c.record_id, func.count(votes.c.user_id.distinct()).label("n"))
        .group_by(votes.c.record_id)
        .having(func.count(votes.c.user_id.distinct()) > 1)
        .subquery()
    )
    return (
        select(votes.c.record_id)
        .join(voters, voters.c.record_id == votes.c.record_id)
        .group_by(votes.c.record_id, votes.c.label_id, voters.c.n)
        .having(func.count(votes.c.user_id.distinct()) < voters.c.n)
    )


def _annotator_conditions(project_id: int, filters: Filters) -> list[Narrowing]:
    found: list[Narrowing] = []
    judged = Annotation.verdict.in_(LABELING_VERDICTS)
    if filters.user_id is not None:
        by_them = (Annotation.user_id == filters.user_id, Annotation.source.in_(MANUAL_SOURCES))
        found.append(_select_annotated(project_id, judged, *by_them, is_current()))
    if filters.source != "any":
        sources = MANUAL_SOURCES if filters.source == "person" else (filters.source,)
        found.append(
            _select_annotated(project_id, judged, Annotation.source.in_(sources), is_current())
        )
    return found


def _time_conditions(project_id: int, filters: Filters) -> list[Narrowing]:
    column = Record.created_at if filters.when == "added" else UserAction.performed_at
    bounds: list[ColumnElement[bool]] = []
    if filters.since is not None:
        bounds.append(column >= _midnight(filters.since))
    if filters.until is not None:
        bounds.append(column < _midnight(filters.until) + timedelta(days=1))
    imported = [] if filters.import_id is None else [_import_condition(project_id, filters)]
    if bounds and filters.when == "labeled":
        acted = select(UserAction.id).where(UserAction.project_id == project_id, *bounds)
        return [_select_labeled(project_id, Consensus.action_id.in_(acted)), *imported]
    return [*bounds, *imported]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _import_condition(project_id: int, filters: Filters) -> ColumnElement[bool]:
    scope = (Import.project_id == project_id, Import.id == filters.import_id)
    began = select(Import.started_at).where(*scope).scalar_subquery()
    ended = select(Import.finished_at).where(*scope).scalar_subquery()
    return and_(Record.created_at >= began, or_(ended.is_(None), Record.created_at <= ended))
