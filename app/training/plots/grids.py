"""Confusion matrix, calibration plot and label distribution."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.ml.vectors import Ids
from app.training.pipeline.query_results import StoredResults
from app.training.plots.canvas import QUARTERS, WIDTH, Axis, Canvas, Plot, percent, truncate

MOST_LABELS = 12
MOST_BARS = 20
BAR = 34.0
LEFT, TOP = 100.0, 78.0


@dataclass(frozen=True)
class ConfusionCell:
    """Records of one label with one suggested label: their number, their share of the label's
    records, and as many of their ids as fit into a session."""

    true: str
    suggested: str
    n: int
    share: float
    record_ids: tuple[int, ...]

    @property
    def is_right(self) -> bool:
        """Whether the suggestion is the label."""
        return self.true == self.suggested


@dataclass(frozen=True)
class ConfusionMatrix:
    """Rows: true labels; columns: suggested labels, in the same order. is_whole: no label is left
    out."""

    labels: tuple[str, ...]
    rows: tuple[tuple[ConfusionCell | None, ...], ...]
    is_whole: bool


MAX_SESSION_RECORDS = 500


def build_confusion_matrix(
    measured: StoredResults, names: Mapping[int, str], role: str
) -> ConfusionMatrix | None:
    """Build the confusion matrix of a single-label project: at most 12 labels, those confused most
    often; None where records carry several labels or none were held out."""
    pairs = measured.suggested[role]
    if measured.is_multi_label or len(pairs) == 0:
        return None
    true = measured.targets.argmax(axis=1)[pairs[:, 0]]
    k = len(measured.label_ids)
    counted = np.zeros((k, k), np.int64)
    np.add.at(counted, (true, pairs[:, 1]), 1)
    wrong = counted - np.diag(np.diag(counted))
    weight = wrong.sum(axis=0) + wrong.sum(axis=1) + 1e-6 * counted.sum(axis=1)
    occurs = [int(i) for i in np.argsort(-weight, kind="stable") if counted[i].any()]
    shown = sorted(occurs[:MOST_LABELS], key=lambda i: -int(counted[i].sum()))
    labels = [names.get(measured.label_ids[i], "–") for i in range(k)]
    rows = tuple(
        tuple(_build_cell(measured, pairs, true, (i, j), counted, labels) for j in shown)
        for i in shown
    )
    return ConfusionMatrix(tuple(labels[i] for i in shown), rows, len(occurs) <= MOST_LABELS)


def _build_cell(
    measured: StoredResults,
    pairs: Ids,
    true: Ids,
    at: tuple[int, int],
    counted: Ids,
    labels: list[str],
) -> ConfusionCell | None:
    i, j = at
    if not counted[i, j]:
        return None
    who = np.unique(pairs[(true == i) & (pairs[:, 1] == j), 0])
    ids = tuple(int(record_id) for record_id in measured.record_ids[who[:MAX_SESSION_RECORDS]])
    share = float(counted[i, j] / counted[i].sum())
    return ConfusionCell(labels[i], labels[j], len(who), share, ids)


def plot_confusion(confusion: ConfusionMatrix) -> Plot:
    """Plot the matrix: the darker, the larger the share of the row's label."""
    cells = [cell for row in confusion.rows for cell in row if cell]
    wrong = sorted((c for c in cells if not c.is_right), key=lambda c: -c.n)[:3]
    return Plot(
        name="confusion",
        title="Confusion matrix",
        about="Suggestions of the tuned version in percent of each row's label.",
        summary="; ".join(f"{c.n} of {c.true} suggested as {c.suggested}" for c in wrong),
        height=TOP + _compute_cell_size(confusion) * len(confusion.labels) + 10,
        shapes=tuple(_draw_matrix(confusion).shapes),
        columns=("label", "suggested", "n", "share"),
        rows=tuple((c.true, c.suggested, c.n, c.share) for c in cells),
    )


def _compute_cell_size(confusion: ConfusionMatrix) -> float:
    return min(44.0, 250.0 / len(confusion.labels))


def _draw_matrix(confusion: ConfusionMatrix) -> Canvas:
    canvas, size = Canvas(), _compute_cell_size(confusion)
    for number, name in enumerate(confusion.labels):
        middle = TOP + size * (number + 0.5)
        canvas.words(LEFT - 6, middle + 4, truncate(name, 15), kind="name", anchor="end")
        canvas.words(LEFT + size * (number + 0.5), TOP - 6, f"{number + 1}", anchor="middle")
        canvas.words(6, middle + 4, f"{number + 1}")
    canvas.words(LEFT, 30, "suggested label (row number)")
    for i, row in enumerate(confusion.rows):
        for j, cell in enumerate(row):
            _draw_cell(canvas, LEFT + size * j, TOP + size * i, size, cell.share if cell else 0.0)
    return canvas


def _draw_cell(canvas: Canvas, x: float, y: float, size: float, share: float) -> None:
    canvas.rect("cell", x, y, size, size, **{"fill-opacity": f"{0.8 * share:.2f}"})
    if share >= 0.005:
        percentage = f"{100 * share:.0f}"
        canvas.words(x + size / 2, y + size / 2 + 4, percentage, kind="name", anchor="middle")


def plot_calibration(bins: Sequence[Mapping[str, float]]) -> Plot | None:
    """Plot accuracy by predicted probability; None without suggestions."""
    if not bins:
        return None
    total = sum(each["n"] for each in bins)
    return Plot(
        name="calibration",
        title="Calibration",
        about=(
            f"{total:,.0f} suggestions of the tuned version in ten bins of predicted probability; "
            "larger squares hold more. On the dotted line, accuracy equals probability."
        ),
        summary="; ".join(
            f"probability {percent(b['chance'])}, accuracy {percent(b['right'])}" for b in bins
        ),
        height=280.0,
        shapes=tuple(_draw_bins(bins).shapes),
        columns=("n", "chance", "right", "right_low", "right_high"),
        rows=tuple((b["n"], b["chance"], b["right"], b["low"], b["high"]) for b in bins),
    )


def _draw_bins(bins: Sequence[Mapping[str, float]]) -> Canvas:
    canvas, x, y = Canvas(), Axis(0, 1, 44, 344), Axis(0, 1, 236, 14)
    canvas.rungs(y, x.start, x.stop)
    for value, words in QUARTERS:
        canvas.words(x.at(value), 252, words, anchor="middle")
    canvas.words(194, 270, "predicted probability", anchor="middle")
    canvas.line("chance", x.at(0), y.at(0), x.at(1), y.at(1))
    most = max(each["n"] for each in bins)
    for each in bins:
        at = x.at(each["chance"])
        canvas.line("tuned-whisker", at, y.at(each["low"]), at, y.at(each["high"]))
        canvas.mark("tuned", at, y.at(each["right"]), 2.5 + 4 * (each["n"] / most) ** 0.5)
    canvas.words(x.at(0.02), y.at(0.94), "under-confident")
    canvas.words(x.at(0.98), y.at(0.03), "over-confident", anchor="end")
    return canvas


def plot_balance(labels: Sequence[Mapping[str, Any]]) -> Plot | None:
    """Plot each label's share of the labeled records, linear and log; None without labels."""
    if not labels:
        return None
    shown = labels[:MOST_BARS]
    more = f" The {MOST_BARS} most frequent of {len(labels)}." if len(labels) > MOST_BARS else ""
    return Plot(
        name="balance",
        title="Label distribution",
        about=(
            "Filled: each label's share of the labeled records. Hollow: the same on a logarithmic "
            f"scale, where ten times as many records add one step.{more} For information: training "
            "uses the labels as they are."
        ),
        summary="; ".join(f"{each['name']} {percent(each['share'], 1)}" for each in shown),
        height=8 + BAR * len(shown),
        width=WIDTH,
        shapes=tuple(_draw_balance(shown).shapes),
        columns=("label", "n", "share", "log_share"),
        rows=tuple((e["name"], e["n"], e["share"], e["log_share"]) for e in labels),
    )


def _draw_balance(shown: Sequence[Mapping[str, Any]]) -> Canvas:
    most = max(max(each["share"], each["log_share"]) for each in shown)
    canvas, x = Canvas(), Axis(0, most, 12, 300)
    for number, each in enumerate(shown):
        top = 4 + BAR * number
        canvas.words(12, top + 12, f"{truncate(each['name'], 36)} ({each['n']:,})", kind="name")
        canvas.rect("tuned-mark", 12, top + 16, x.at(each["share"]) - 12, 5.5)
        canvas.rect("raw-mark", 12, top + 24, x.at(each["log_share"]) - 12, 5.5)
        longer = max(each["share"], each["log_share"])
        canvas.words(x.at(longer) + 6, top + 26, percent(each["share"], 1))
    return canvas
