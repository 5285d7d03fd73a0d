"""Request and response models of record search and saved searches."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import AliasChoices, Field

from app.errors import Invalid
from app.models import SavedSearch
from app.record_search.rows import PAGE_SIZE
from app.record_search.saved_searches import parse_saved_search
from app.records.api import RecordResponse
from app.records.filters import LONGEST_KEYWORD
from app.records.schemas import FiltersBody, Id
from app.search.request import MOST_SEEDS, Mode, SearchRequest, Sort, build_record_seed
from app.search.similar import Seed
from app.web.schemas import StrictModel

MOST_AT_ONCE = 1_000


class RecordPageResponse(StrictModel):
    """A page of records. Request the next with after=next_after_id until it is null."""

    n_matching: int
    next_after_id: int | None
    records: list[RecordResponse]


class RecordSearchBody(StrictModel):
    """A record search.

    q: words, "phrases" and -exclusions; mode: words (all in text or fields), meaning (the
    1,000 records nearest to them, by the active version or by `version`) or both, fused by
    reciprocal rank; record_ids or like_label_id: rank by similarity. sort: score, confident
    or unsure (suggestion probability), oldest, newest (when added), labeled (newest first) or
    id (the external id). Default: score if there is one, else oldest.
    """

    q: str = Field(default="", max_length=LONGEST_KEYWORD)
    mode: Mode = "words"
    record_ids: list[Id] = Field(default=[], max_length=MOST_SEEDS)
    like_label_id: Id | None = None
    filters: FiltersBody = FiltersBody()
    sort: Sort | None = None
    version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    limit: int = Field(default=PAGE_SIZE, ge=1, le=MOST_AT_ONCE)
    after: str = Field(default="", max_length=1_000)

    def to_request(self) -> SearchRequest:
        """Return the search. Raises Invalid for two seeds, and for keywords in q and filters."""
        if self.record_ids and self.like_label_id:
            raise Invalid("Give record_ids or like_label_id, not both.")
        if self.filters.keyword:
            raise Invalid("Use q instead of filters.keyword.")
        near = build_record_seed(self.record_ids) if self.record_ids else None
        if self.like_label_id is not None:
            near = Seed("label", label_id=self.like_label_id)
        words = self.q.replace("\0", "").strip()
        filters = self.filters.as_filters()
        return SearchRequest(words, self.mode, near, filters, self.sort, self.version, self.after)


class FoundSuggestion(StrictModel):
    """A label suggested by the active version; score is its probability."""

    label_id: int
    label: str
    score: float


class FoundRecord(RecordResponse):
    """A search result.

    place: rank in the whole list, from 1; score: ranking score, larger is better; similarity:
    cosine similarity to the query, in [-1, 1]; word_rank, meaning_rank: its ranks in the two
    rankings that were fused.
    """

    place: int
    score: float | None
    similarity: float | None
    word_rank: int | None
    meaning_rank: int | None
    suggestions: list[FoundSuggestion]


class RecordSearchResponse(StrictModel):
    """A page of search results. Request the next with after=next until it is null.

    is_cut: only the 1,000 nearest were searched, and total counts those. version: the version that
    ranked.
    """

    items: list[FoundRecord]
    total: int
    next: str | None
    is_cut: bool
    version: int | None


class SavedSearchResponse(StrictModel):
    """A saved search. request: query parameters of the records page."""

    id: int
    name: str
    request: dict[str, str]
    url: str
    created_at: datetime

    @classmethod
    def of(cls, slug: str, found: SavedSearch) -> Self:
        """Build the response from the database row."""
        search = parse_saved_search(found)
        return cls(
            id=found.id,
            name=found.name,
            request=search.as_query(),
            url=search.address(f"/projects/{slug}/records"),
            created_at=found.created_at,
        )


class SavedSearchWithCount(SavedSearchResponse):
    """A saved search with the current number of matching records."""

    n_records: int


class SavedSearchBody(StrictModel):
    """name: unique in the project, ignoring case; request: query parameters of a records page."""

    name: str = Field(max_length=1_000)
    # `asked` was the name in release 0.1.
    request: dict[str, str] = Field(validation_alias=AliasChoices("request", "asked"))


class NameBody(StrictModel):
    """The new name."""

    name: str = Field(max_length=1_000)
