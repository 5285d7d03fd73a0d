"""A search: words or meaning, what to be near to, filters, order. One for page, API and command."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self, get_args
from urllib.parse import urlencode

from app.errors import Invalid
from app.records.filters import Filters
from app.records.query_parser import WordQuery, parse_words
from app.search.similar import MAX_HITS, Seed
from app.web.form_values import parse_choice, parse_optional_number, parse_whole_number

USUAL_K = 50
MOST_SEEDS = 200

Mode = Literal["words", "meaning", "both"]
MODES: tuple[Mode, ...] = get_args(Mode)
Sort = Literal["score", "confident", "unsure", "oldest", "newest", "labeled", "id"]
SORTS: tuple[Sort, ...] = get_args(Sort)
EVERYTHING = Filters()


@dataclass(frozen=True)
class SearchRequest:
    """What to search for.

    words    what was typed, -exclusions included
    near     records, a label or a text to be near to instead of words; the words then filter
    filters  without a keyword
    order    None: the usual one
    version  the number of the version to search through; None: the active one
    after, before  a place in the order (app.record_search.pagination); not part of the search
    k        how many neighbours to rank by similarity at most
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
        """q, mode, record or like, the filters, sort, version, after, before. Raises Invalid."""
        filters = Filters.from_query(query)
        return cls(
            filters.keyword,
            parse_choice(query.get("mode", "") or "words", "mode", MODES),
            _parse_near(query),
            replace(filters, keyword=""),
            parse_choice(query["sort"], "sort", SORTS) if query.get("sort") else None,
            _parse_version(query),
            query.get("after", ""),
            query.get("before", ""),
        )

    @classmethod
    def from_similar_query(cls, query: Mapping[str, str]) -> Self:
        """text, record (ids with commas) or like (a label's id); filters; k; version.

        `label` is a filter, but alone it is what to be near to. Raises Invalid.
        """
        filters = Filters.from_query(query)
        near = _parse_near(query) or _parse_text(query)
        if near is None and filters.label_id is not None:
            near = Seed("label", label_id=filters.label_id)
            filters = replace(filters, label_id=None)
        if near is None:
            raise Invalid("Give text, record or like: what the records shall be similar to.")
        return cls.near_to(near, filters, _parse_k(query), _parse_version(query))

    @classmethod
    def near_to(
        cls, seed: Seed, filters: Filters = EVERYTHING, k: int = USUAL_K, version: int | None = None
    ) -> Self:
        """The k records most similar to the seed; a keyword among the filters narrows them."""
        words, filters = filters.keyword, replace(filters, keyword="")
        return cls(words, near=seed, filters=filters, version=version, k=k)

    @property
    def wanted(self) -> WordQuery:
        """The words, read."""
        return parse_words(self.words)

    @property
    def seed(self) -> Seed | None:
        """What the records are ranked by their similarity to; None: they are not."""
        if self.near is not None:
            return self.near
        if self.mode == "words" or not self.wanted.include:
            return None
        return Seed("text", text=self.wanted.sentence)

    @property
    def has_words_filter(self) -> bool:
        """Whether all that is found holds the words."""
        return self.seed is None or self.near is not None

    @property
    def narrowed_to(self) -> Filters:
        """The filters inside which is searched: exclusions always, words where they filter."""
        if self.has_words_filter:
            return self.filters_with_words
        return replace(self.filters, keyword=self.wanted.exclusions)

    @property
    def filters_with_words(self) -> Filters:
        """The filters, and all of the words."""
        return replace(self.filters, keyword=self.words)

    @property
    def sort(self) -> Sort:
        """The order, the usual one included."""
        has_score = self.seed is not None or bool(self.wanted.include)
        if self.order is None or (self.order == "score" and not has_score):
            return "score" if self.seed is not None else "oldest"
        return self.order

    @property
    def is_empty(self) -> bool:
        """Whether it is every record of the project, in whichever order."""
        return not self.words and self.near is None and self.filters.is_empty

    def as_query(self, **changed: str) -> dict[str, str]:
        """The parts of its address, without the place in the order; "" drops one."""
        parts = {"q": self.words, "mode": "" if self.mode == "words" else self.mode}
        if self.near is not None and self.near.kind == "label":
            parts["like"] = str(self.near.label_id)
        elif self.near is not None and self.near.kind == "text":
            parts["text"] = self.near.text
        elif self.near is not None:
            parts["record"] = ",".join(str(each) for each in self.near.record_ids)
        parts |= self.filters.as_query() | {"sort": self.order or ""}
        parts |= {"version": "" if self.version is None else str(self.version)}
        return {name: part for name, part in (parts | changed).items() if part}

    def address(self, path: str, **changed: str) -> str:
        """The path with this search as its query."""
        query = urlencode(self.as_query(**changed))
        return f"{path}?{query}" if query else path


def _parse_near(query: Mapping[str, str]) -> Seed | None:
    if ids := [each for each in query.get("record", "").split(",") if each.strip()]:
        return build_record_seed(
            [parse_whole_number(each, "record", is_positive=True) for each in ids]
        )
    if query.get("like", "").strip():
        return Seed("label", label_id=parse_whole_number(query["like"], "label", is_positive=True))
    return None


def _parse_text(query: Mapping[str, str]) -> Seed | None:
    text = query.get("text", "").replace("\0", "").strip()
    return Seed("text", text=text) if text else None


def _parse_version(query: Mapping[str, str]) -> int | None:
    return parse_optional_number(query.get("version", ""), "version", is_positive=True)


def _parse_k(query: Mapping[str, str]) -> int:
    written = query.get("k", "")
    k = parse_optional_number(written, "number of results k", is_positive=True) or USUAL_K
    if k > MAX_HITS:
        raise Invalid(f"A search finds at most {MAX_HITS:,} records at once.")
    return k


def build_record_seed(ids: Sequence[int]) -> Seed:
    """One record, or a selection. Raises Invalid for too many."""
    wanted = tuple(dict.fromkeys(ids))
    if len(wanted) > MOST_SEEDS:
        raise Invalid(f"A search starts from at most {MOST_SEEDS} records.")
    return Seed("record" if len(wanted) == 1 else "selection", record_ids=wanted)
