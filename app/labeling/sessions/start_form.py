"""What a form or an address says about a session to start."""

from pydantic import BaseModel, Field

from app.errors import Invalid
from app.labeling.sessions.sessions import build_seed
from app.records.filters import Filters
from app.search.similar import Seed


class StartFields(BaseModel):
    """As they were written; the last ones are the filters of app.records.filters."""

    seed_kind: str
    record_ids: list[str] = []
    label_id: str = ""
    text: str = ""
    k: str = ""
    from_session_id: str = ""
    title: str = ""
    q: str = ""
    state: str = "unlabeled"
    label: str = ""
    field: str = ""
    value: str = ""
    suggested: str = ""
    least: str = ""
    most: str = ""
    by: str = ""
    source: str = ""
    since: str = ""
    until: str = ""
    when: str = ""
    import_id: str = Field(default="", alias="import")

    @property
    def seed(self) -> Seed | None:
        """What the session starts from. Raises Invalid for what is no number."""
        written = [part for each in self.record_ids for part in each.split(",") if part.strip()]
        ids = [parse_whole(part) for part in written]
        return build_seed(self.seed_kind, ids, parse_optional(self.label_id), self.text)

    @property
    def filters(self) -> Filters:
        """Raises Invalid."""
        return Filters.from_query(self.model_dump(by_alias=True, exclude={"record_ids"}))


def parse_optional(text: str) -> int | None:
    """A number that need not be there. Raises Invalid for anything else."""
    return parse_whole(text) if text.strip() else None


def parse_whole(text: str) -> int:
    """A number that a form sent. Raises Invalid for anything else."""
    if not (text.strip().isascii() and text.strip().isdigit() and len(text.strip()) < 10):
        raise Invalid(f"“{text[:20]}” is not a number that can be used here.")
    return int(text)
