"""Record filters in API requests."""

from datetime import date
from typing import Annotated

from pydantic import Field

from app.records.filters import LONGEST_KEYWORD, Filters, Source, State, When
from app.web.schemas import StrictModel

Id = Annotated[int, Field(ge=1, le=2**31 - 1)]
Share = Annotated[float, Field(ge=0, le=1)]


class FiltersBody(StrictModel):
    """Record filters, combined with AND; omitted fields do not filter.

    keyword: words, "phrases" and -exclusions in text and fields; label_id: consensus label;
    field and value: exact match; suggested_id, least, most: label suggested by the active version
    and its minimum and maximum probability; user_id: annotator; source: origin of the label; since,
    until: days, inclusive, on which the record was added or labeled (`when`); import_id: import.
    """

    keyword: str = Field(default="", max_length=LONGEST_KEYWORD)
    state: State = "any"
    label_id: Id | None = None
    field: str = ""
    value: str = ""
    suggested_id: Id | None = None
    least: Share | None = None
    most: Share | None = None
    user_id: Id | None = None
    source: Source = "any"
    since: date | None = None
    until: date | None = None
    when: When = "added"
    import_id: Id | None = None

    def as_filters(self) -> Filters:
        """Raise Invalid."""
        return Filters.from_json(self.model_dump(mode="json"))
