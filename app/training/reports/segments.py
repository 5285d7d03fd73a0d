"""Segments of the held-out records: equal values of a metadata field.

Decision: fields with 2 to 12 values that at least half of the records have. Fields with more
values are names or texts. A field that equals the labels, such as the column that they were
imported from, is left out.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.session import id_chunks
from app.ml.evaluation.intervals import BootstrapSamples
from app.ml.evaluation.per_query import QueryResults, compute_gains
from app.ml.vectors import Ids
from app.models import Record

MOST_VALUES = 12
MOST_FIELDS = 8
LONGEST = 60
METRICS = ("r_precision", "accuracy")


def load_fields(db: Session, record_ids: Ids) -> list[dict[str, Any]]:
    """Load the metadata fields of these records, in their order; empty for deleted records."""
    found: dict[int, dict[str, Any]] = {}
    for some in id_chunks(record_ids):
        rows = db.execute(select(Record.id, Record.fields).where(Record.id.in_(some)))
        found |= {row.id: row.fields or {} for row in rows}
    return [found.get(int(record_id), {}) for record_id in record_ids]


def compute_segment_gains(
    fields: Sequence[Mapping[str, Any]],
    answers: NDArray[np.bool_],
    queries: QueryResults,
    draws: BootstrapSamples,
) -> list[dict[str, Any]]:
    """Compute the gain of each segment: field, of (its value), and the fields of a Gain.

    fields   of each of the m examples; answers (m, K), the labels that each carries
    """
    gains_by_segment = []
    for name in _list_field_names(fields):
        field_values = np.array([_to_text(field.get(name)) for field in fields], dtype=object)
        values = _list_values(field_values)
        if not values or _is_same_as_labels(field_values, answers):
            continue
        masks = np.stack([field_values == value for value in values], axis=1)
        for metric in METRICS:
            raw, tuned = (queries.values[f"{role}/{metric}"] for role in ("raw", "tuned"))
            gains = compute_gains(masks, range(len(values)), metric, raw, tuned, draws)
            of = [{"field": name, "of": values[gain.key]} | asdict(gain) for gain in gains]
            gains_by_segment += of
    return gains_by_segment


def _list_field_names(fields: Sequence[Mapping[str, Any]]) -> list[str]:
    counted = Counter(name for field in fields for name in field)
    return [name for name, n in counted.most_common() if 2 * n >= len(fields)][: 4 * MOST_FIELDS]


def _to_text(field_values: Any) -> str:
    """Return the value as text; empty unless it is a short word or number."""
    if not isinstance(field_values, str | int | float | bool) or len(str(field_values)) > LONGEST:
        return ""
    return str(field_values)


def _list_values(field_values: NDArray[np.object_]) -> list[str]:
    """List the values, most frequent first; empty where the field has too many or too few."""
    counted = Counter(field_values.tolist())
    missing = counted.pop("", 0)
    if not 2 <= len(counted) <= MOST_VALUES or 2 * missing > len(field_values):
        return []
    return [value for value, _ in counted.most_common()]


def _is_same_as_labels(field_values: NDArray[np.object_], answers: NDArray[np.bool_]) -> bool:
    """Whether values and labels correspond one to one."""
    pairs = {(value, row.tobytes()) for value, row in zip(field_values, answers, strict=True)}
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
