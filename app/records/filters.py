"""Which records: what a page's address, an export or a search was narrowed to, as SQL conditions.

Decision: a filter is made of conditions on Record alone, so that browsing, counting, exporting and
searching inside a filter all mean exactly the same records.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, String, and_, exists, or_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from app.errors import Invalid
from app.models import Consensus, Record, Remark

State = Literal["any", "unlabeled", "labeled", "none", "flagged"]
STATES: tuple[State, ...] = get_args(State)
LONGEST_KEYWORD = 500


@dataclass(frozen=True)
class Filters:
    """Records that hold every word of `keyword`, are in `state`, carry the label, have the value.

    keyword   words that the text must all contain, without case; or the exact external id
    state     labeled means that there is consensus, "none of these" included; none is that alone
    label_id  consensus is, or in a multi-label project includes, this label
    field     with `value`: the record's field of this name reads exactly so
    """

    keyword: str = ""
    state: State = "any"
    label_id: int | None = None
    field: str = ""
    value: str = ""

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Self:
        """The filters of an address: q, state, label, field, value. Raises Invalid."""
        return cls._checked(
            query.get("q", ""), query.get("state", ""), query.get("label", ""),
            query.get("field", ""), query.get("value", ""),
        )  # fmt: skip

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """The filters that as_json() wrote down. Raises Invalid."""
        label = stored.get("label_id")
        return cls._checked(
            str(stored.get("keyword", "")), str(stored.get("state", "")),
            "" if label is None else str(label),
            str(stored.get("field", "")), str(stored.get("value", "")),
        )  # fmt: skip

    @classmethod
    def _checked(cls, keyword: str, state: str, label: str, field: str, value: str) -> Self:
        named = next((known for known in STATES if known == (state or "any")), None)
        if named is None:
            raise Invalid(f"The state is one of {', '.join(STATES)}.")
        if label and not (label.isascii() and label.isdigit() and len(label) < 10):
            raise Invalid("The label is given by its number.")
        # Postgres refuses NUL in any text, and no stored text contains it.
        keyword, field, value = (part.replace("\0", "") for part in (keyword, field, value))
        return cls(
            keyword.strip()[:LONGEST_KEYWORD], named, int(label) if label else None, field, value
        )

    def as_query(self) -> dict[str, str]:
        """What an address needs to say the same; empty when nothing is filtered."""
        parts = {
            "q": self.keyword,
            "state": "" if self.state == "any" else self.state,
            "label": "" if self.label_id is None else str(self.label_id),
            "field": self.field,
            "value": self.value if self.field else "",
        }
        return {name: part for name, part in parts.items() if part}

    def as_json(self) -> dict[str, Any]:
        """For a session's seed or a stored slice; from_json() reads it."""
        return asdict(self)

    @property
    def is_empty(self) -> bool:
        """True when every record of the project matches."""
        return not self.as_query()


class _FieldText(FunctionElement[str]):
    """The value of a record's field as text, null where there is none: _FieldText(fields, name)."""

    type = String()
    name = "field_text"
    inherit_cache = True


@compiles(_FieldText, "postgresql")
def _field_text_on_postgres(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    fields, name = (compiler.process(part, **options) for part in element.clauses)
    return f"({fields} ->> {name})"


# json_extract would read a name such as `a"b` as a path, and true as 1.
@compiles(_FieldText, "sqlite")
def _field_text_on_sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    fields, name = (compiler.process(part, **options) for part in element.clauses)
    return (
        "(SELECT CASE type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' "  # noqa: S608
        f"ELSE CAST(value AS TEXT) END FROM json_each({fields}) WHERE key = {name})"
    )


def conditions(project_id: int, filters: Filters) -> list[ColumnElement[bool]]:
    """Conditions on Record, to be joined by AND."""
    found: list[ColumnElement[bool]] = [Record.project_id == project_id]
    if filters.keyword:
        words = [Record.text.icontains(word, autoescape=True) for word in filters.keyword.split()]
        found.append(or_(and_(*words), Record.external_id == filters.keyword))
    if filters.state != "any":
        found.append(_in_state(filters.state))
    if filters.label_id is not None:
        found.append(_has_consensus(Consensus.label_id == filters.label_id))
    if filters.field:
        found.append(_FieldText(Record.fields, filters.field) == filters.value)
    return found


def _has_consensus(*more: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists(select(Consensus.id).where(Consensus.record_id == Record.id, *more))


def _in_state(state: State) -> ColumnElement[bool]:
    if state == "unlabeled":
        return ~_has_consensus()
    if state == "none":
        return _has_consensus(Consensus.label_id.is_(None))
    if state == "flagged":
        is_standing = (Remark.kind == "flag", Remark.withdrawn_at.is_(None))
        return exists(select(Remark.id).where(Remark.record_id == Record.id, *is_standing))
    return _has_consensus()


def matching_ids(db: Session, project_id: int, filters: Filters) -> NDArray[np.int64]:
    """Ids of the matching records, ascending: (n,) int64."""
    rows = db.scalars(select(Record.id).where(*conditions(project_id, filters)).order_by(Record.id))
    return np.fromiter(rows, dtype=np.int64)
