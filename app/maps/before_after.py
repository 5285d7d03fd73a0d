"""Two versions' maps beside each other as a picture: the same records in the same colours.

Decision: at most MOST_POINTS records are drawn, evenly over all ids, so that the picture of a large
project stays small; its numbers hold all of them. Classes are named where they lie, so that it can
be read without colour.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.maps.map_files import open_map
from app.maps.map_versions import MappedVersion, list_mapped_versions
from app.maps.values import NONE_OF_THESE, compute_values_tag, load_values
from app.ml.map import Points
from app.ml.vectors import Ids
from app.models import Project, Version
from app.projects.labels import list_all_labels
from app.web.static_files import STATIC

MOST_POINTS = 2_000
MOST_NAMED = 12
SIDE, EDGE, GAP, TOP = 340.0, 10.0, 20.0, 24.0
"""A sheet's side, the margin within it, the room between two, and that for their names above."""

UNLABELED_COLOUR = "#8b9094"
LETTER, LINE = 6.0, 13.0
"""A letter's width and a line's height."""


@dataclass(frozen=True)
class MapSheet:
    """One version's map as shapes, in the picture's own units.

    dots   colour and path data of each class, those of no class first, below the others
    names  of the largest classes, each with the place in the middle of its records
    """

    version: Version
    dots: list[tuple[str, str]]
    names: list[tuple[str, float, float]]


@dataclass(frozen=True)
class BeforeAfter:
    """The n records of the later map, and where they lay on the earlier one.

    places   before and after, (n, 2) float32 each; who was not there before has not moved
    classes  (n,) int64: the label people agree on, else the later version's suggestion; 0: none
    """

    before: MappedVersion
    after: MappedVersion
    ids: Ids
    places: tuple[Points, Points]
    classes: NDArray[np.int64]
    names: Mapping[int, str]
    colours: Mapping[int, int]

    @property
    def sheets(self) -> list[MapSheet]:
        """What is drawn of either."""
        some = slice(None, None, max(1, -(-len(self.ids) // MOST_POINTS)))
        found, counts = np.unique(self.classes[some], return_counts=True)
        order = [int(each) for each in found[np.argsort(-counts, kind="stable")]]
        return [
            self._sheet(
                each.version, _to_sheet(points[some], self.places), self.classes[some], order
            )
            for each, points in zip((self.before, self.after), self.places, strict=True)
        ]

    @property
    def rows(self) -> Iterator[tuple[str | float | None, ...]]:
        """Record, its class, and where it lies before and after."""
        for at, record_id in enumerate(self.ids.tolist()):
            (bx, by), (ax, ay) = (places[at].tolist() for places in self.places)
            yield record_id, self.names.get(int(self.classes[at]), ""), bx, by, ax, ay

    def _sheet(
        self, version: Version, points: Points, classes: NDArray[np.int64], order: list[int]
    ) -> MapSheet:
        points_of_class = {label_id: points[classes == label_id] for label_id in order}
        colours = {label_id: label_colours()[slot] for label_id, slot in self.colours.items()}
        dots = [
            (colours.get(label_id, UNLABELED_COLOUR), _dots_path(points_of_class[label_id]))
            for label_id in sorted(points_of_class, key=bool)
        ]
        named = [label_id for label_id in order if label_id in self.names][:MOST_NAMED]
        return MapSheet(
            version,
            dots,
            _spread_names([(self.names[i], *_middle(points_of_class[i])) for i in named]),
        )


def find_drawn_pair(
    db: Session, project: Project, before: int, after: int
) -> tuple[MappedVersion, MappedVersion] | None:
    """Find the maps of these versions; None while one of them is not drawn."""
    by_number = {version.version.number: version for version in list_mapped_versions(db, project)}
    old, new = by_number.get(before), by_number.get(after)
    if old is None or new is None or old.is_sketch or new.is_sketch:
        return None
    return old, new


def build_before_after(
    db: Session, project: Project, old: MappedVersion, new: MappedVersion
) -> BeforeAfter:
    """Both maps put together, with what is known of their records. Raises Damaged."""
    earlier, later = open_map(old.artifact), open_map(new.artifact)
    places = earlier.find_points(later.ids)
    labels = list_all_labels(db, project.id)
    return BeforeAfter(
        old,
        new,
        later.ids,
        (np.where(np.isnan(places), later.points, places), later.points),
        _load_classes(db, new, later.ids),
        {label.id: label.name for label in labels},
        {label.id: label.colour for label in labels},
    )


def _load_classes(db: Session, shown: MappedVersion, ids: Ids) -> NDArray[np.int64]:
    tag = compute_values_tag(db, shown.version, shown.artifact.sha256)
    values = load_values(db, shown.version, ids, tag)
    labels = np.where(values.labels == NONE_OF_THESE, 0, values.labels)
    return np.where(values.labels > 0, labels, values.suggestions).astype(np.int64)


@cache
def label_colours() -> dict[int, str]:
    """Return the colour of each label slot on light paper, as the sheet of labels says it."""
    sheet = (STATIC / "css" / "labels.css").read_text()
    found = re.findall(r"\.label-(\d+) \{\s*--mark: light-dark\((#\w{6})", sheet)
    return {int(slot): colour for slot, colour in found}


def _to_sheet(points: Points, frame: tuple[Points, Points]) -> Points:
    """Map to picture, (m, 2): both sheets show the same part, and what is up stays up."""
    whole = np.concatenate(frame)
    low, high = whole.min(axis=0), whole.max(axis=0)
    scale = (SIDE - 2 * EDGE) / max(float((high - low).max()), 1e-6)
    centred = (points - (low + high) / 2) * np.array([scale, -scale], np.float32)
    return np.asarray(centred + SIDE / 2, np.float32)


def _dots_path(points: Points) -> str:
    """Lines of no length: their round ends are the dots."""
    return "".join(f"M{x:.1f} {y:.1f}h0" for x, y in points.tolist())


def _middle(points: Points) -> tuple[float, float]:
    x, y = np.median(points, axis=0).tolist()
    return round(x, 1), round(y, 1)


def _spread_names(names: list[tuple[str, float, float]]) -> list[tuple[str, float, float]]:
    """Names that would cover each other move down, from the uppermost on."""
    placed: list[tuple[str, float, float]] = []
    for name, x, y in sorted(names, key=lambda each: each[2]):
        for other, at, above in placed:
            if abs(at - x) < LETTER * (len(name) + len(other)) / 2:
                y = max(y, above + LINE)  # noqa: PLW2901 - moved on
        placed.append((name, x, y))
    return placed
