"""Search requests: words, mode, similarity seed, filters and sort order.

Decision: one class for the records page, the API, saved searches and the command line, so that the
same search finds the same records wherever it is made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self, get_args
from urllib.parse import urlencode

from app.errors import Invalid
from app.records.filters import Filters
from app.records.query_parser import WordQuery, parse_words
from app.search.similar import MAX_HITS, Seed
from app.web.form_values import parse_choice, parse_optional_number, parse_whole_number

Mode = Literal["words", "meaning", "both"]
MODES: tuple[Mode, ...] = get_args(Mode)
Sort = Literal["score", "confident", "unsure", "oldest", "newest", "labeled", "id"]
SORTS: tuple[Sort, ...] = get_args(Sort)
USUAL_K = 50
MOST_SEEDS = 200
EVERYTHING = Filters()
# The parameters that a search by similarity leaves out.
_WITHOUT_LIST = {"mode": "", "sort": "", "after": "", "before": ""}


@dataclass(frozen=True)
class SearchRequest:
    """A search.

    words    the query as typed, -exclusions included
    near     rank by similarity to records, a label or a text; the words then filter
    filters  without a keyword
    order    None: the default order
    version  the number of the version to search through; None: the active one
    after, before  a place in the order (app.record_search.pagination), not part of the search
    k        maximum number of results ranked by similarity
    """

    words: str = ""
    mode: Mode = "words"
    near: Seed | None = None
    filters: Filters = EVERYTHING
    order: Sort | None = None
    version: int | None = None
    after: str = ""
    before: str = ""
    k: int = MAX_HITS

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Self:
        """q, mode, record, like or text, filters, sort, version, after, before. Raises Invalid."""
        filters = Filters.from_query(query)
        return cls(
            filters.keyword,
            parse_choice(query["mode"], "mode", MODES) if query.get("mode") else "words",
            _parse_seed(query),
            replace(filters, keyword=""),
            parse_choice(query["sort"], "sort", SORTS) if query.get("sort") else None,
            parse_optional_number(query.get("version", ""), "version", is_positive=True),
            query.get("after", ""),
            query.get("before", ""),
        )

    @classmethod
    def from_similar_query(cls, query: Mapping[str, str]) -> Self:
        """Return the nearest k to record, like or text, inside q and the filters. Raises Invalid.

        `label` is a filter, but alone it is what to be near to.
        """
        search = cls.from_query({**query, **_WITHOUT_LIST})
        if search.near is None and search.filters.label_id is not None:
            near = Seed("label", label_id=search.filters.label_id)
            search = replace(search, near=near, filters=replace(search.filters, label_id=None))
        if search.near is None:
            raise Invalid("Give text, record or like to rank records by similarity.")
        k = parse_optional_number(query.get("k", ""), "number of results k", is_positive=True)
        if k is not None and k > MAX_HITS:
            raise Invalid(f"k must be at most {MAX_HITS:,}.")
        return replace(search, k=k or USUAL_K)

    @classmethod
    def near_to(
        cls,
        seed: Seed,
        k: int = USUAL_K,
        filters: Filters = EVERYTHING,
        version: int | None = None,
    ) -> Self:
        """Build a search for the k records nearest to the seed that match the filters."""
        plain = replace(filters, keyword="")
        return cls(filters.keyword, near=seed, filters=plain, version=version, k=k)

    @property
    def wanted(self) -> WordQuery:
        """The parsed words."""
        return parse_words(self.words)

    @property
    def seed(self) -> Seed | None:
        """The seed for ranking by similarity, or None."""
        if self.near is not None:
            return self.near
        if self.mode == "words" or not self.wanted.include:
            return None
        return Seed("text", text=self.wanted.sentence)

    @property
    def narrowed_to(self) -> Filters:
        """The filters with the exclusions, and with the words where these filter."""
        is_filter = self.near is not None or self.seed is None
        return replace(self.filters, keyword=self.words if is_filter else self.wanted.exclusions)

    @property
    def filters_with_words(self) -> Filters:
        """The filters with all words as keyword."""
        return replace(self.filters, keyword=self.words)

    @property
    def sort(self) -> Sort:
        """The sort order, with the default resolved."""
        has_score = self.seed is not None or bool(self.wanted.include)
        if self.order is None or (self.order == "score" and not has_score):
            return "score" if self.seed is not None else "oldest"
        return self.order

    @property
    def is_empty(self) -> bool:
        """Whether it matches every record of the project."""
        return not self.words and self.near is None and self.filters.is_empty

    @property
    def near_fields(self) -> dict[str, str]:
        """The query parameters of the seed."""
        if self.near is None:
            return {}
        if self.near.kind == "label":
            return {"like": str(self.near.label_id)}
        if self.near.kind == "text":
            return {"text": self.near.text}
        return {"record": ",".join(str(record_id) for record_id in self.near.record_ids)}

    def as_query(self, **changed: str) -> dict[str, str]:
        """Return the query parameters without the page position; "" drops one."""
        parts = {"q": self.words, "mode": "" if self.mode == "words" else self.mode}
        parts |= self.near_fields | self.filters.as_query() | {"sort": self.order or ""}
        parts |= {"version": "" if self.version is None else str(self.version)}
        return {name: part for name, part in (parts | changed).items() if part}

    def address(self, path: str, **changed: str) -> str:
        """Return the path with this search as its query."""
        query = urlencode(self.as_query(**changed))
        return f"{path}?{query}" if query else path


def _parse_seed(query: Mapping[str, str]) -> Seed | None:
    if ids := query.get("record", "").strip(", "):
        numbers = [each for each in ids.split(",") if each.strip()]
        return build_record_seed(
            [parse_whole_number(number, "record", is_positive=True) for number in numbers]
        )
    if query.get("like", "").strip():
        return Seed("label", label_id=parse_whole_number(query["like"], "label", is_positive=True))
    text = query.get("text", "").replace("\0", "").strip()
    return Seed("text", text=text) if text else None


def build_record_seed(ids: Sequence[int]) -> Seed:
    """Build a seed of one record or a selection. Raises Invalid for too many."""
    wanted = tuple(dict.fromkeys(ids))
    if len(wanted) > MOST_SEEDS:
        raise Invalid(f"At most {MOST_SEEDS} example records per search.")
    return Seed("record" if len(wanted) == 1 else "selection", record_ids=wanted)
