"""A search as its address says it: what to be near to, within which filters, in which version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import urlencode

from app.errors import Invalid
from app.records.filters import Filters
from app.search.similar import MAX_HITS, Seed
from app.web.form_values import parse_optional_number, parse_whole_number

USUAL_K = 50
MOST_SEEDS = 200


@dataclass(frozen=True)
class SimilarityRequest:
    """What the search page and the API were asked.

    seed     None when only the empty page was asked for
    version  its number within the project; None means the active one
    """

    seed: Seed | None
    filters: Filters
    k: int = USUAL_K
    version: int | None = None

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Self:
        """text, record (ids with commas) or like (a label's id); filters; k; version.

        `label` is a filter, but alone it is what to be near to. Raises Invalid.
        """
        filters = Filters.from_query(query)
        seed = _parse_seed(query)
        if seed is None and filters.label_id is not None:
            seed = Seed("label", label_id=filters.label_id)
            filters = replace(filters, label_id=None)
        k = (
            parse_optional_number(query.get("k", ""), "number of results k", is_positive=True)
            or USUAL_K
        )
        if k > MAX_HITS:
            raise Invalid(f"A search finds at most {MAX_HITS:,} records at once.")
        return cls(
            seed,
            filters,
            k,
            parse_optional_number(query.get("version", ""), "version", is_positive=True),
        )

    def as_query(self, **changed: str) -> str:
        """The same search as the end of an address, with some parts changed ("" drops one)."""
        parts = self.seed_fields() | self.filters.as_query()
        parts |= {"k": "" if self.k == USUAL_K else str(self.k)}
        parts |= {"version": "" if self.version is None else str(self.version)}
        return urlencode({name: part for name, part in (parts | changed).items() if part})

    def seed_fields(self) -> dict[str, str]:
        """The seed as parameters of an address."""
        if self.seed is None:
            return {}
        if self.seed.kind == "text":
            return {"text": self.seed.text}
        if self.seed.kind == "label":
            return {"like": str(self.seed.label_id)}
        return {"record": ",".join(str(each) for each in self.seed.record_ids)}


def _parse_seed(query: Mapping[str, str]) -> Seed | None:
    if query.get("record", "").strip():
        ids = query["record"].split(",")
        return build_record_seed(
            [parse_whole_number(each, "record", is_positive=True) for each in ids if each.strip()]
        )
    if query.get("like", "").strip():
        return Seed(
            "label", label_id=parse_optional_number(query["like"], "label", is_positive=True)
        )
    text = query.get("text", "").replace("\0", "").strip()
    return Seed("text", text=text) if text else None


def build_record_seed(ids: Sequence[int]) -> Seed:
    """One record, or a selection. Raises Invalid for too many."""
    wanted = tuple(dict.fromkeys(ids))
    if len(wanted) > MOST_SEEDS:
        raise Invalid(f"A search starts from at most {MOST_SEEDS} records.")
    return Seed("record" if len(wanted) == 1 else "selection", record_ids=wanted)
