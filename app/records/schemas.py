"""Filters as programs send them."""

from datetime import date
from typing import Annotated

from pydantic import Field

from app.records.filters import LONGEST_KEYWORD, Filters, Source, State, When
from app.web.schemas import StrictModel

Id = Annotated[int, Field(ge=1, le=2**31 - 1)]
Share = Annotated[float, Field(ge=0, le=1)]


class FiltersBody(StrictModel):
    """Which records; all of it applies, and what is left out narrows nothing.

    keyword: words, "phrases" and -exclusions, in text and fields; label_id: of the consensus;
    field with value: reads exactly so; suggested_id, least, most: what the active version suggests,
    and the chance of it; user_id: whose label stands; source: how it came; since, until: days, ends
    included, of what `when` says; import_id: the import that added them.
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
        """Raises Invalid."""
        return Filters.from_json(self.model_dump(mode="json"))
