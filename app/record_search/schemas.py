"""What the records page takes from programs and tells them."""

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
    """A page of records; ask again with after=next_after_id until that is null."""

    n_matching: int
    next_after_id: int | None
    records: list[RecordResponse]


class RecordSearchBody(StrictModel):
    """What to search for.

    q: words, "phrases" and -exclusions; mode: words (all of them, in text or fields), meaning (the
    1,000 records nearest to them, by the active version or by `version`) or both, fused by
    reciprocal rank; record_ids or like_label_id: what to be near to instead. sort: score, confident
    or unsure (the suggestion's chance), oldest, newest (when added), labeled (the last first) or
    id (the external one); without it score where there is one, else oldest.
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
        """Raises Invalid for two things to be near to, and for keywords twice."""
        if self.record_ids and self.like_label_id:
            raise Invalid("Give record_ids or like_label_id, not both.")
        if self.filters.keyword:
            raise Invalid("Give the words as q; filters.keyword is for other searches.")
        near = build_record_seed(self.record_ids) if self.record_ids else None
        if self.like_label_id is not None:
            near = Seed("label", label_id=self.like_label_id)
        words = self.q.replace("\0", "").strip()
        filters = self.filters.as_filters()
        return SearchRequest(words, self.mode, near, filters, self.sort, self.version, self.after)


class FoundSuggestion(StrictModel):
    """What the active version suggests, and the chance that it is right."""

    label_id: int
    label: str
    score: float


class FoundRecord(RecordResponse):
    """A record that was found.

    place: in the whole list, from 1; score: what it was ranked by, larger is better; similarity:
    the cosine to what was searched, in [-1, 1]; word_rank, meaning_rank: its places in the two
    rankings that were fused.
    """

    place: int
    score: float | None
    similarity: float | None
    word_rank: int | None
    meaning_rank: int | None
    suggestions: list[FoundSuggestion]


class RecordSearchResponse(StrictModel):
    """A page of what was found: ask again with after=next until that is null.

    is_cut: only the 1,000 nearest were looked for, and total counts those. version: which one
    ranked.
    """

    items: list[FoundRecord]
    total: int
    next: str | None
    is_cut: bool
    version: int | None


class SavedSearchResponse(StrictModel):
    """A search with a name. asked: the parts of its address."""

    id: int
    name: str
    request: dict[str, str]
    url: str
    created_at: datetime

    @classmethod
    def of(cls, slug: str, found: SavedSearch) -> Self:
        """As JSON shows it."""
        search = parse_saved_search(found)
        return cls(
            id=found.id,
            name=found.name,
            request=search.as_query(),
            url=search.address(f"/projects/{slug}/records"),
            created_at=found.created_at,
        )


class SavedSearchWithCount(SavedSearchResponse):
    """The same, with how many records it holds now."""

    n_records: int


class SavedSearchBody(StrictModel):
    """name, unique in the project without case; request: the query parameters of a records page."""

    name: str = Field(max_length=1_000)
    # `asked`: its name in release 0.1.
    request: dict[str, str] = Field(validation_alias=AliasChoices("request", "asked"))


class NameBody(StrictModel):
    """The new name."""

    name: str = Field(max_length=1_000)
