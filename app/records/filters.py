"""Record filters of pages, exports and searches.

Decision: a filter means conditions on Record alone (see app.records.conditions), so that browsing,
counting, exporting and searching inside a filter all mean exactly the same records. What a version
suggests is in no table: app.search.suggestion_filters turns that part into ids first.
"""

import dataclasses
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Literal, Self, get_args

from app.errors import Invalid
from app.ml.vectors import Ids
from app.web.form_values import parse_choice, parse_whole_number

State = Literal[
    "any", "unlabeled", "labeled", "none", "flagged", "commented", "skipped", "disagreed"
]
STATES: tuple[State, ...] = get_args(State)
Source = Literal["any", "person", "import", "rule"]
SOURCES: tuple[Source, ...] = get_args(Source)
When = Literal["added", "labeled"]
LONGEST_KEYWORD = 2_000
DIGITS = 4


@dataclasses.dataclass(frozen=True)
class Filters:
    """Record filters, combined with AND; defaults do not filter.

    keyword       words, "phrases" and -exclusions (see app.records.query_parser)
    state         labeled means that there is consensus, "none of these" included; none is that
                  alone; disagreed: people's says differ
    label_id      consensus is, or in a multi-label project includes, this label
    field         with `value`: the record's field of this name reads exactly so
    suggested_id  the active version suggests this label
    least, most   the chance of its suggestion, in [0, 1], ends included
    user_id       has a current label, or "none of these", by this user
    source        somebody's does that came by hand, with a file or by a rule
    since, until  days in UTC, ends included; `when` says of what: when the record was added, or
                  when its consensus came about
    import_id     it was added while this import ran
    ids           what `suggested_id`, `least` and `most` come to, once they were looked up
    """

    keyword: str = ""
    state: State = "any"
    label_id: int | None = None
    field: str = ""
    value: str = ""
    suggested_id: int | None = None
    least: float | None = None
    most: float | None = None
    user_id: int | None = None
    source: Source = "any"
    since: date | None = None
    until: date | None = None
    when: When = "added"
    import_id: int | None = None
    ids: Ids | None = dataclasses.field(default=None, compare=False, repr=False)

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Self:
        """Parse the query parameters of a URL. Raises Invalid."""
        return cls._read({part: query.get(name, "") for part, name in PARTS.items()})

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Parse the result of as_json(). Raises Invalid."""
        found = {part: stored.get(part) for part in PARTS}
        return cls._read({part: "" if x is None else str(x) for part, x in found.items()})

    @classmethod
    def _read(cls, written: Mapping[str, str]) -> Self:
        # Postgres refuses NUL in any text, and no stored text contains it.
        plain = {part: text.replace("\0", "") for part, text in written.items()}
        return cls(**{part: _READERS[part](text) for part, text in plain.items() if text})

    def as_query(self) -> dict[str, str]:
        """Return the query parameters; empty without filters."""
        query_parts = {PARTS[part]: str(value) for part, value in self.as_json().items()}
        if not self.field:
            query_parts.pop("value", None)
        if self.since is None and self.until is None:
            query_parts.pop("when", None)
        return query_parts

    def as_json(self) -> dict[str, Any]:
        """For a session's seed or a slice: what differs from the defaults; from_json() reads it."""
        values = {part: getattr(self, part) for part in PARTS}
        return {
            part: x.isoformat() if isinstance(x, date) else x
            for part, x in values.items()
            if x != _DEFAULTS[part]
        }

    @property
    def is_empty(self) -> bool:
        """Whether every record of the project matches."""
        return not self.as_query()

    @property
    def uses_suggestions(self) -> bool:
        """Whether a filter depends on the active version's suggestions."""
        return not (self.suggested_id is None and self.least is None and self.most is None)


def _word(text: str) -> str:
    return text.strip()[:LONGEST_KEYWORD]


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise Invalid("A probability must be a number from 0 to 1.")
    return round(value, DIGITS)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid("Invalid date. Use the format 2026-01-31.") from None


# Names of the query parameters.
PARTS = {
    "keyword": "q",
    "state": "state",
    "label_id": "label",
    "field": "field",
    "value": "value",
    "suggested_id": "suggested",
    "least": "least",
    "most": "most",
    "user_id": "by",
    "source": "source",
    "since": "since",
    "until": "until",
    "when": "when",
    "import_id": "import",
}
_DEFAULTS = {each.name: each.default for each in dataclasses.fields(Filters)}
_READERS: dict[str, Callable[[str], Any]] = {
    "keyword": _word,
    "state": lambda text: parse_choice(text, "state", STATES),
    "label_id": lambda text: parse_whole_number(text, "label"),
    "field": str,
    "value": str,
    "suggested_id": lambda text: parse_whole_number(text, "label"),
    "least": _share,
    "most": _share,
    "user_id": lambda text: parse_whole_number(text, "person"),
    "source": lambda text: parse_choice(text, "source", SOURCES),
    "since": _day,
    "until": _day,
    "when": lambda text: parse_choice(text, "time", get_args(When)),
    "import_id": lambda text: parse_whole_number(text, "import"),
}
