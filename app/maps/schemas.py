"""Response models of the map's API."""

from datetime import datetime

from app.web.schemas import StrictModel


class MapVersion(StrictModel):
    """A version that has a map. revision names its newest file; is_sketch: it is being drawn, and
    these are two principal components meanwhile."""

    number: int
    kind: str
    is_active: bool
    is_sketch: bool
    revision: int
    n_records: int


class MapLabel(StrictModel):
    """A label that the project has or had; colour is 0 to 19."""

    id: int
    name: str
    colour: int


class MapPerson(StrictModel):
    """An annotator."""

    id: int
    name: str


class MapResponse(StrictModel):
    """What there is. Points and values are downloaded beside it, and have the same order.

    `version` is the one that is shown: the one asked for, else the active one; null without any.
    `drawing` is the share done, in [0, 1], of a map that is still to come.
    """

    version: int | None
    versions: list[MapVersion]
    labels: list[MapLabel]
    annotators: list[MapPerson]
    drawing: float | None


class MapRecord(StrictModel):
    """A record on the map: x and y in [-1, 1], and what is known of it.

    label_id is null for "none of these", where is_labeled is true. confidence is a share in [0, 1].
    """

    record_id: int
    x: float
    y: float
    is_labeled: bool
    label_id: int | None
    suggestion_id: int | None
    confidence: float | None
    annotator_id: int | None
    labeled_at: datetime | None


class MapRecords(StrictModel):
    """A part of a map, by record id; ask again with after=next_after_id until that is null."""

    version: int
    n_records: int
    next_after_id: int | None
    records: list[MapRecord]


class MatchesResponse(StrictModel):
    """Ids of the records that match a filter."""

    n_matching: int
    record_ids: list[int]
